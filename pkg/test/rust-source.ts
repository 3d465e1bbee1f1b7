/**
 * Parser for the parts of the Rust sources that cross to JavaScript: serde's types and wasm-bindgen's classes, as
 * formatted by rustfmt.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

export interface RustField {
  /** Name as serialised by serde. */
  name: string;
  type: string;
}

export type RustType =
  /** A struct. `isGiven`: produced by the core; structs that it consumes may omit fields. */
  | { kind: "struct"; fields: RustField[]; flattened: string[]; isGiven: boolean }
  /** An enum whose variants have no data: their serialised names. */
  | { kind: "names"; names: string[] }
  /** An enum whose variants have data: an object with one of these fields. */
  | { kind: "variants"; variants: (RustField & { fields?: RustField[] })[] };

export const rust = (path: string): string => readFileSync(join(root, path), "utf8").replace(/^( *)\/\/.*$/gm, "$1");

/** Parses a type that derives Serialize or Deserialize. */
export function rustType(path: string, name: string): RustType {
  const item = new RegExp(`((?:^#\\[.*\\]\\n)+)^(?:pub )?(struct|enum) ${name} \\{\\n([\\s\\S]*?)^\\}`, "m");
  const [, attributes = "", kind = "", body = ""] = item.exec(rust(path)) ?? [];
  if (!/derive\(.*(S|Des)erialize/.test(attributes)) throw new Error(`${path} has no serde type ${name}`);
  const renamed = renaming(/rename_all = "(\w+)"/.exec(attributes)?.[1]);
  const isGiven = !attributes.includes("Deserialize");
  if (kind === "struct") return { kind, isGiven, ...structOf(body, renamed) };
  const variants = [...body.matchAll(/^ {4}(\w+)(?:\((.*)\)| \{\n([\s\S]*?)^ {4}\})?,$/gm)].map(
    ([, variant = "", type, fields]) => ({ name: renamed(variant), type, fields }),
  );
  if (variants.every(({ type, fields }) => type === undefined && fields === undefined)) {
    return { kind: "names", names: variants.map((variant) => variant.name) };
  }
  return {
    kind: "variants",
    variants: variants.map((variant) => ({
      name: variant.name,
      type: variant.type ?? "",
      ...(variant.fields === undefined ? {} : { fields: structOf(variant.fields, (same) => same).fields }),
    })),
  };
}

function structOf(body: string, renamed: (name: string) => string): { fields: RustField[]; flattened: string[] } {
  const found = { fields: [] as RustField[], flattened: [] as string[] };
  for (const [, attributes = "", field = "", type = ""] of body.matchAll(
    /((?:^ +#\[.*\]\n)*)(?:^ *\n)*^ +(?:pub(?:\(\w+\))? )?(\w+): (.+),$/gm,
  )) {
    const serde = [...attributes.matchAll(/serde\((.*)\)/g)].map((match) => match[1]).join(", ");
    if (/\bskip\b/.test(serde)) continue;
    if (/\bflatten\b/.test(serde)) found.flattened.push(type);
    else found.fields.push({ name: /rename = "(\w+)"/.exec(serde)?.[1] ?? renamed(field), type });
  }
  return found;
}

function renaming(style: string | undefined): (name: string) => string {
  switch (style) {
    case undefined:
      return (name) => name;
    case "lowercase":
      return (name) => name.toLowerCase();
    case "snake_case":
      return (name) => name.replace(/(?<=.)([A-Z])/g, "_$1").toLowerCase();
    case "camelCase":
      return (name) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    default:
      throw new Error(`rename_all = "${style}" is not known here`);
  }
}

/**
 * Returns the JavaScript names of the methods of a class exported by wasm-bindgen, or required of one of our classes.
 */
export function rustMethods(path: string, name: string): string[] {
  const source = rust(path);
  const blocks = [
    ...source.matchAll(new RegExp(`^#\\[wasm_bindgen.*\\]\\nimpl ${name} \\{\\n([\\s\\S]*?)^\\}`, "gm")),
    ...source.matchAll(/^extern "C" \{\n([\s\S]*?)^\}/gm),
  ].map(([, body = ""]) => body);
  return blocks.flatMap((body) =>
    [...body.matchAll(/((?:^ +#\[.*\]\n)*)^ +(?:pub (?:async )?)?fn (\w+)\(\s*([^)]*)/gm)]
      .filter(([whole, attributes = "", , parameters = ""]) => {
        const isOurs = attributes.includes("wasm_bindgen(method") && parameters.includes(`this: &${name}`);
        return isOurs || (/^ +pub /m.test(whole) && !attributes.includes("wasm_bindgen(constructor"));
      })
      .map(([, attributes = "", method = ""]) => /js_name = (\w+)/.exec(attributes)?.[1] ?? method),
  );
}
