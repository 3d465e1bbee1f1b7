/**
 * Compares `src/core/wasm-contract.ts` with the Rust types that it describes: wasm-bindgen types all structured values
 * as `any`, so nothing else notices a field with a different name.
 */
import { join } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";
import { rust, rustMethods, rustType, type RustField } from "./rust-source.js";

/** Files of the Rust types that cross the boundary, and of the types they contain. */
const FILES: Record<string, string> = {
  AllStats: "crate/src/web/mod.rs",
  Arithmetic: "crate/src/ops/projection/gemv.rs",
  Budget: "modelfile/src/budget.rs",
  CompletionTokensDetails: "crate/src/engine/request.rs",
  DeviceInfo: "crate/src/device/info.rs",
  Drafts: "crate/src/engine/drafting.rs",
  Format: "grammar/src/format.rs",
  InspectorOptions: "crate/src/web/inspector.rs",
  KvType: "modelfile/src/kv_type.rs",
  Limits: "modelfile/src/budget.rs",
  LoaderOptions: "crate/src/web/mod.rs",
  Logprob: "crate/src/engine/logprobs.rs",
  Memory: "modelfile/src/budget.rs",
  Message: "modelfile/src/text/template/mod.rs",
  ModelConfig: "modelfile/src/config.rs",
  ModelInfo: "crate/src/engine/mod.rs",
  OpenOptions: "crate/src/web/mod.rs",
  Pooling: "modelfile/src/families/spec.rs",
  Progress: "crate/src/load.rs",
  PromptTokensDetails: "crate/src/engine/request.rs",
  QuantUse: "modelfile/src/budget.rs",
  Quantize: "modelfile/src/quant/quantize.rs",
  Report: "modelfile/src/budget.rs",
  Request: "crate/src/engine/request.rs",
  Runs: "modelfile/src/budget.rs",
  Stats: "crate/src/engine/mod.rs",
  Step: "crate/src/engine/request.rs",
  ThoughtMarks: "modelfile/src/text/template/style.rs",
  Token: "modelfile/src/budget.rs",
  TokenLogprobs: "crate/src/engine/logprobs.rs",
  ToolStyle: "modelfile/src/text/template/style.rs",
  Usage: "crate/src/engine/request.rs",
  Verdict: "modelfile/src/budget.rs",
};

/** Types that need no description, or whose contents are opaque to JavaScript. */
const LEAVES = new Set(["Json", "Measured", "String", "Value"]);

const program = ts.createProgram([join(import.meta.dirname, "../src/core/wasm-contract.ts")], {
  lib: ["lib.es2022.d.ts"],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  strict: true,
  types: [],
});
const checker = program.getTypeChecker();

function contractType(name: string): ts.Type {
  for (const file of program.getSourceFiles().filter(({ fileName }) => fileName.endsWith("/wasm-contract.ts"))) {
    for (const statement of file.statements) {
      const isType = ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
      if (isType && statement.name.text === name) return checker.getTypeAtLocation(statement.name);
    }
  }
  throw new Error(`the contract has no type ${name}`);
}

/** Returns the properties of an object type, or of all members of a union. */
function properties(type: ts.Type): Map<string, ts.Type> {
  const parts = type.isUnion() ? type.types : [type];
  return new Map(
    parts.flatMap((part) => checker.getPropertiesOfType(part).map((one) => [one.name, checker.getTypeOfSymbol(one)])),
  );
}

/** Returns T for `Option<Vec<T>>`. For a map, T is the last type parameter: its values. */
function inner(type: string): string {
  const wrapped = /^(?:Option|Vec|Box|Map|(?:std::collections::)?BTreeMap)<(?:[^<>]+, )?(.+)>$/.exec(type)?.[1];
  return wrapped === undefined ? type : inner(wrapped);
}

/** Returns T for `T[] | null` or `Record<string, T>`. */
function element(type: ts.Type): ts.Type {
  const some = checker.getNonNullableType(type);
  const next = checker.isArrayType(some) ? checker.getIndexTypeOfType(some, ts.IndexKind.Number) : undefined;
  const held = checker.getPropertiesOfType(some).length === 0 ? some.getStringIndexType() : undefined;
  const within = next ?? (some.isUnion() ? undefined : held);
  return within === undefined ? some : element(within);
}

const isNullable = (type: ts.Type): boolean =>
  type.isUnion() && type.types.some(({ flags }) => (flags & ts.TypeFlags.Null) !== 0);

/** Lists the differences between a Rust type and a type of the contract, each with its path. */
function differences(rustName: string, type: ts.Type, path: string): string[] {
  const file = FILES[rustName];
  if (file === undefined) {
    if (/^[A-Z]/.test(rustName) && !LEAVES.has(rustName)) throw new Error(`${path}: where is ${rustName}?`);
    return [];
  }
  const found = rustType(file, rustName);
  if (found.kind === "names") {
    const literals = (type.isUnion() ? type.types : [type]).map((one) => (one.isStringLiteral() ? one.value : "?"));
    return compareNames(found.names, literals, `${path}=`);
  }
  const fields: RustField[] = [];
  const more: string[] = [];
  const flatten = (name: string): void => {
    if (name.startsWith("Map<")) {
      if (type.getStringIndexType() === undefined) more.push(`${path}: more fields only in Rust`);
      return;
    }
    const part = rustType(FILES[name] ?? "", name);
    if (part.kind === "names") throw new Error(`${name} cannot be flattened`);
    if (part.kind === "struct") part.flattened.forEach(flatten);
    fields.push(...(part.kind === "struct" ? part.fields : part.variants));
  };
  if (found.kind === "struct") found.flattened.forEach(flatten);
  fields.push(...(found.kind === "struct" ? found.fields : found.variants));
  const ours = properties(type);
  // An open type may leave any of Rust's fields unnamed.
  const isOpen = type.getStringIndexType() !== undefined;
  const named = compareNames(
    fields.map(({ name }) => name),
    [...ours.keys()],
    `${path}.`,
  ).filter((text) => !isOpen || !text.endsWith("only in Rust"));
  const nested = fields.flatMap((field) => {
    const other = ours.get(field.name);
    if (other === undefined) return [];
    const at = `${path}.${field.name}`;
    if (found.kind === "struct" && found.isGiven && field.type.startsWith("Option<") !== isNullable(other)) {
      return `${at} may be null on one side only`;
    }
    const within = "fields" in field ? (field.fields as RustField[]) : undefined;
    if (within === undefined) return differences(inner(field.type), element(other), at);
    const names = [...properties(checker.getNonNullableType(other)).keys()];
    return compareNames(
      within.map(({ name }) => name),
      names,
      `${at}.`,
    );
  });
  return [...more, ...named, ...nested];
}

function compareNames(inRust: string[], inTypeScript: string[], path: string): string[] {
  return [
    ...inRust.filter((name) => !inTypeScript.includes(name)).map((name) => `${path}${name} only in Rust`),
    ...inTypeScript.filter((name) => !inRust.includes(name)).map((name) => `${path}${name} only in TypeScript`),
  ];
}

/** Fields of the configuration that JavaScript does not need. */
const UNNAMED = ["eps", "rope_theta", "rope_dim", "sliding_window"];

it.each<[string, string, string[]?]>([
  ["DeviceInfo", "DeviceInfo", ["readback_ms", "limits.maxComputeWorkgroupStorageSize"]],
  ["DeviceOptions", "OpenOptions"],
  ["ModelInfo", "ModelInfo", UNNAMED],
  ["LoaderProgress", "Progress"],
  ["LoaderOptions", "LoaderOptions"],
  ["GenerateRequest", "Request"],
  ["Step", "Step"],
  ["EngineStats", "AllStats"],
  ["InspectorOptions", "InspectorOptions"],
  ["ModelReport", "Report", UNNAMED.map((name) => `budget.config.${name}`)],
  ["AnswerFormat", "Format"],
])("%s has the fields of Rust's %s", (name, rustName, unnamed = []) => {
  const only = unnamed.map((path) => `${name}.${path} only in Rust`);
  expect(differences(rustName, contractType(name), name).sort()).toEqual(only.sort());
});

it.each<[string, string, string, string[]?]>([
  ["WasmDevice", "Device", "crate/src/web/mod.rs", ["open"]],
  ["WasmLoader", "Loader", "crate/src/web/mod.rs"],
  ["WasmEngine", "Engine", "crate/src/web/mod.rs", ["dispatchCost"]],
  ["WasmEmbedding", "Embedding", "crate/src/web/mod.rs"],
  ["WasmGeneration", "Generation", "crate/src/web/mod.rs"],
  ["WasmInspector", "Inspector", "crate/src/web/inspector.rs"],
  ["WasmFiles", "Files", "crate/src/web/inspector.rs"],
  ["WasmSha256", "Sha256", "crate/src/web/checksum.rs"],
  ["WasmTokens", "Vocabulary", "crate/src/web/constraint.rs"],
  ["WasmVocabulary", "JsVocabulary", "grammar/src/web.rs"],
  ["WasmGrammar", "JsGrammar", "grammar/src/web.rs"],
  ["WasmGrammar", "JsConstraint", "crate/src/web/constraint.rs"],
  ["WasmCpuPool", "JsCpuPool", "crate/src/web/cpu_pool.rs"],
])("%s has the methods of Rust's %s", (name, rustName, file, unnamed = []) => {
  // wasm-bindgen adds `free` itself.
  const ours = [...properties(contractType(name)).keys()].filter((method) => method !== "free");
  expect(rustMethods(file, rustName).sort()).toEqual([...ours, ...unnamed].sort());
});

it("the modules export what the contract names", () => {
  const exports = (...paths: string[]): string[] =>
    paths.flatMap((path) => [
      ...[...rust(path).matchAll(/^#\[wasm_bindgen\]\n(?:#\[derive.*\n)*pub (?:struct|fn) (\w+)/gm)].map(
        ([, name = ""]) => name,
      ),
      ...[...rust(path).matchAll(/^#\[wasm_bindgen\(js_name = (\w+)\)\]/gm)].map(([, name = ""]) => name),
    ]);
  const core = exports("crate/src/web/mod.rs", "crate/src/web/inspector.rs", "crate/src/web/checksum.rs");
  const named = (name: string): string[] =>
    // wasm-bindgen adds these itself.
    [...properties(contractType(name)).keys()].filter((one) => !["default", "__wbg_reset_state"].includes(one));
  expect(core).toEqual(expect.arrayContaining(named("HearthWasm")));
  expect(exports("grammar/src/web.rs")).toEqual(expect.arrayContaining(named("GrammarWasm")));
});
