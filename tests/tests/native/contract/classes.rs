//! Interfaces of the classes that wasm-bindgen exports and imports, from the sources that declare them.
//!
//! wasm-bindgen writes TypeScript only while it builds the module, and calls every plain object `any` unless an
//! attribute (`unchecked_return_type`, `unchecked_param_type`) names its type, which this reads too.

use std::collections::BTreeMap;

use syn::{
    Attribute, Expr, FnArg, ForeignItem, GenericArgument, ImplItem, Item, Lit, LitStr, Meta, Pat,
    PathArguments, ReturnType, Signature, Type, Visibility,
};

use super::comment;

/// Modules that wasm-bindgen builds: the name of the interface of their exports, and their sources.
const MODULES: [(&str, &[&str]); 3] = [
    ("GrammarExports", &["grammar/src/web.rs"]),
    (
        "CoreExports",
        &[
            "crate/src/web/mod.rs",
            "crate/src/web/inspector.rs",
            "crate/src/web/checksum.rs",
            "crate/src/web/constraint.rs",
            "crate/src/web/context.rs",
            "crate/src/web/cpu_pool.rs",
        ],
    ),
    // (of the core as well, but for the worker that recognises speech alone)
    ("NetworkExports", &["crate/src/web/speech.rs"]),
];

/// Names in TypeScript of classes whose Rust name is another's or says less.
const NAMES: [(&str, &str); 5] = [
    ("Vocabulary", "WasmTokens"),
    ("JsVocabulary", "WasmVocabulary"),
    ("JsGrammar", "WasmGrammar"),
    ("JsConstraint", "WasmGrammar"),
    ("JsCpuPool", "WasmCpuPool"),
];

/// Returns the interfaces of all classes, and of the exports of each module.
pub fn declarations() -> String {
    let mut classes = BTreeMap::new();
    let mut exports = Vec::new();
    for (name, files) in MODULES {
        let mut module = Module::default();
        for file in files {
            let text = std::fs::read_to_string(super::root().join(file)).unwrap();
            for item in syn::parse_file(&text).unwrap().items {
                module.read(&item);
            }
        }
        exports.push(format!(
            "export interface {name} {{\n{}}}\n",
            module.exports.concat()
        ));
        for (name, class) in module.classes {
            let same = classes.entry(name.clone()).or_insert_with(Class::default);
            if same.members.is_empty() {
                *same = class;
            } else {
                // The module exports the class that the core imports.
                assert_eq!(
                    same.members.keys().collect::<Vec<_>>(),
                    class.members.keys().collect::<Vec<_>>(),
                    "{name}"
                );
            }
        }
    }
    classes
        .iter()
        .map(|(name, class)| class.declaration(name))
        .chain(exports)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Interfaces of one module.
#[derive(Default)]
struct Module {
    classes: BTreeMap<String, Class>,
    exports: Vec<String>,
}

/// Interface of one class.
#[derive(Default)]
struct Class {
    docs: String,
    /// Signatures, without their comments, as keys.
    members: BTreeMap<String, String>,
    order: Vec<String>,
    /// Rust owns its instances.
    is_freed: bool,
}

impl Class {
    fn add(&mut self, docs: String, signature: String) {
        self.order.push(signature.clone());
        self.members.insert(signature, docs);
    }

    fn declaration(&self, name: &str) -> String {
        let mut out = format!("{}export interface {name} {{\n", self.docs);
        for signature in &self.order {
            out += &self.members[signature];
            out += &on_lines(signature);
        }
        if self.is_freed {
            out += "  free(): void;\n";
        }
        out + "}\n"
    }
}

/// Breaks a long signature as prettier does.
fn on_lines(signature: &str) -> String {
    let (name, rest) = signature.split_once('(').unwrap_or((signature, ""));
    match rest.rsplit_once("): ") {
        Some((parameters, returned)) if signature.len() > 117 => {
            let parameters = parameters.replace(", ", ",\n    ");
            format!("  {name}(\n    {parameters},\n  ): {returned};\n")
        }
        _ => format!("  {signature};\n"),
    }
}

impl Module {
    fn class(&mut self, rust: &str) -> &mut Class {
        self.classes.entry(name_of(rust)).or_default()
    }

    fn read(&mut self, item: &Item) {
        match item {
            Item::Struct(item) if bindgen(&item.attrs).is_some() => {
                let class = self.class(&item.ident.to_string());
                class.docs = docs(&item.attrs, "");
                class.is_freed = true;
            }
            Item::Fn(item) => match bindgen(&item.attrs) {
                Some(options) if !options.contains_key("start") => {
                    let signature = signature(&item.sig, &options, "");
                    let docs = docs(&item.attrs, "  ");
                    self.exports.push(format!("{docs}  {signature};\n"));
                }
                _ => {}
            },
            Item::Impl(item) => {
                let Some(of) = bindgen(&item.attrs) else {
                    return;
                };
                let Type::Path(path) = &*item.self_ty else {
                    panic!("a class is a path");
                };
                let rust = path.path.segments[0].ident.to_string();
                let js = of.get("js_class").cloned().unwrap_or(rust.clone());
                for item in &item.items {
                    let ImplItem::Fn(method) = item else {
                        panic!("{rust} exports methods only");
                    };
                    if !matches!(method.vis, Visibility::Public(_)) {
                        continue;
                    }
                    let options = bindgen(&method.attrs).unwrap_or_default();
                    let is_static = !matches!(method.sig.inputs.first(), Some(FnArg::Receiver(_)));
                    let signature = signature(&method.sig, &options, &rust);
                    match is_static {
                        true if options.contains_key("constructor") => {
                            let arrow = signature
                                .replacen("): ", ") => ", 1)
                                .replacen("new(", "new (", 1);
                            self.exports.push(format!("  {js}: {arrow};\n"));
                        }
                        true => self.exports.push(format!("  {js}: {{ {signature} }};\n")),
                        false => {
                            let docs = docs(&method.attrs, "  ");
                            self.class(&rust).add(docs, signature);
                        }
                    }
                }
            }
            Item::ForeignMod(item) if bindgen(&item.attrs).is_some() => {
                let mut of = String::new();
                for item in &item.items {
                    match item {
                        ForeignItem::Type(class) => {
                            of = class.ident.to_string();
                            self.class(&of).docs = docs(&class.attrs, "");
                        }
                        ForeignItem::Fn(method) => {
                            let options = bindgen(&method.attrs).unwrap_or_default();
                            let signature = signature(&method.sig, &options, &of);
                            let docs = docs(&method.attrs, "  ");
                            self.class(&of).add(docs, signature);
                        }
                        _ => panic!("an import is a type or a function"),
                    }
                }
            }
            _ => {}
        }
    }
}

/// Writes a function's signature; methods of imported classes have a first argument `this`.
fn signature(rust: &Signature, options: &BTreeMap<String, String>, class: &str) -> String {
    let name = options.get("js_name").cloned();
    let name = name.unwrap_or_else(|| rust.ident.to_string());
    let parameters = rust.inputs.iter().filter_map(|input| {
        let FnArg::Typed(input) = input else {
            return None;
        };
        let Pat::Ident(name) = &*input.pat else {
            panic!("a parameter is a name");
        };
        let (name, options) = (name.ident.to_string(), bindgen(&input.attrs));
        let options = options.unwrap_or_default();
        let named = options.get("unchecked_param_type");
        let optional = options.get("unchecked_optional_param_type");
        let (rust, is_optional) = match argument_of(&input.ty, "Option") {
            Some(inner) => (inner, true),
            None => (&*input.ty, optional.is_some()),
        };
        let text = named.or(optional).cloned();
        let text = text.unwrap_or_else(|| typescript(rust, class));
        let mark = if is_optional { "?" } else { "" };
        (name != "this").then(|| format!("{name}{mark}: {text}"))
    });
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    let returned = match (&rust.output, options.get("unchecked_return_type")) {
        (_, Some(named)) => named.clone(),
        (ReturnType::Default, None) => "void".to_owned(),
        (ReturnType::Type(_, rust), None) => typescript(rust, class),
    };
    if options.contains_key("getter") {
        return format!("readonly {name}: {returned}");
    }
    match rust.asyncness {
        Some(_) => format!("{name}({parameters}): Promise<{returned}>"),
        None => format!("{name}({parameters}): {returned}"),
    }
}

/// Returns the type that wasm-bindgen gives a Rust type.
fn typescript(rust: &Type, class: &str) -> String {
    if let Some(inner) = argument_of(rust, "Result") {
        return typescript(inner, class);
    }
    let array = |element: &Type| match name(element).as_str() {
        "u8" => "Uint8Array",
        "u32" => "Uint32Array",
        "f32" => "Float32Array",
        "f64" => "Float64Array",
        other => panic!("an array of {other}"),
    };
    if let Some(element) = argument_of(rust, "Vec") {
        return array(element).to_owned();
    }
    match rust {
        Type::Reference(reference) => typescript(&reference.elem, class),
        Type::Slice(slice) => array(&slice.elem).to_owned(),
        Type::Tuple(tuple) if tuple.elems.is_empty() => "void".to_owned(),
        _ => match name(rust).as_str() {
            "bool" => "boolean".to_owned(),
            "String" | "str" => "string".to_owned(),
            "f32" | "f64" | "u32" | "usize" => "number".to_owned(),
            "JsValue" | "Function" => panic!("{class}: an attribute must name the type"),
            "Self" => name_of(class),
            other => name_of(other),
        },
    }
}

fn name_of(rust: &str) -> String {
    let listed = NAMES.iter().find(|(from, _)| *from == rust);
    listed.map_or_else(|| format!("Wasm{rust}"), |(_, to)| (*to).to_owned())
}

fn name(rust: &Type) -> String {
    let Type::Path(path) = rust else {
        panic!("a type of another kind");
    };
    path.path.segments.last().unwrap().ident.to_string()
}

/// Returns T for `wrapper<T, ..>`.
fn argument_of<'a>(rust: &'a Type, wrapper: &str) -> Option<&'a Type> {
    let Type::Path(path) = rust else {
        return None;
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(inner) if last.ident == wrapper => Some(inner),
        _ => None,
    }
}

/// Returns the options of `#[wasm_bindgen(..)]`, if it is there.
fn bindgen(attrs: &[Attribute]) -> Option<BTreeMap<String, String>> {
    let found = attrs
        .iter()
        .filter(|attr| attr.path().is_ident("wasm_bindgen"));
    let mut options = None;
    for attr in found {
        let options = options.get_or_insert_with(BTreeMap::new);
        if let Meta::List(_) = attr.meta {
            attr.parse_nested_meta(|option| {
                let name = option.path.get_ident().unwrap().to_string();
                let value = match option.value() {
                    Ok(value) if value.peek(LitStr) => value.parse::<LitStr>()?.value(),
                    Ok(value) => value.parse::<syn::Ident>()?.to_string(),
                    Err(_) => String::new(),
                };
                options.insert(name, value);
                Ok(())
            })
            .unwrap();
        }
    }
    options
}

fn docs(attrs: &[Attribute], indent: &str) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(text) => match &text.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<_> = lines.collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    comment(&lines, indent)
}
