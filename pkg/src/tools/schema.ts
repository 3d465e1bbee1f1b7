/**
 * Embeds JSON schemas in another one. The meaning of a reference depends on its location (`#` is the root, `$id` starts
 * a new one), so each referenced schema becomes a definition of the outer schema, once, and references are rewritten to
 * name it. Nothing is expanded: the output is as large as the input, and references may be circular.
 */
import { invalid } from "../core/errors.js";

/**
 * Keywords by what they hold: one schema, a list of schemas, or schemas by name. All other values are data and stay
 * unchanged.
 */
const KEYWORDS = {
  one: "additionalItems additionalProperties contains contentSchema else if items not propertyNames then unevaluatedItems unevaluatedProperties",
  list: "allOf anyOf items oneOf prefixItems",
  names: "$defs definitions dependencies dependentSchemas patternProperties properties",
};
const HOLDS = Object.fromEntries(
  Object.entries(KEYWORDS).map(([kind, keys]) => [kind, new Set(keys.split(" "))]),
) as Record<keyof typeof KEYWORDS, Set<string>>;
/** Keywords that are obsolete once all references are rewritten. */
const USED_UP = new Set(["$id", "$anchor", "$defs", "definitions"]);

const MOST_LEVELS = 100;
const MOST_VALUES = 50_000;
/** Base address of a schema without `$id`. */
const BASE = "https://schema.invalid/";

type Schema = Record<string, unknown>;

export class Definitions {
  /** The outer schema's `$defs`. */
  readonly all: Schema = {};
  #count = 0;

  /** Returns the schema to embed in the outer one; `field` is its path in the request. */
  add(schema: unknown, field: string): unknown {
    const places = new Places(schema, field);
    const names = new Map<unknown, string>();
    const waiting: unknown[] = [];
    const refer = (target: unknown): string => {
      let name = names.get(target);
      if (name === undefined) {
        name = `d${String(this.#count++)}`;
        names.set(target, name);
        waiting.push(target);
      }
      return `#/$defs/${name}`;
    };
    const targets = new Set(places.targets());
    const write = (value: unknown): unknown =>
      isObject(value) && targets.has(value) ? { $ref: refer(value) } : body(value);
    const body = (value: unknown): unknown => {
      if (!isObject(value)) return value;
      const kept = Object.entries(value).filter(([key]) => !USED_UP.has(key));
      return Object.fromEntries(
        kept.map(([key, inner]) => [
          key,
          key === "$ref" && typeof inner === "string" ? refer(places.target(value)) : mapped(key, inner, write),
        ]),
      );
    };
    const found = write(schema);
    for (const target of waiting) this.all[names.get(target) ?? ""] = body(target);
    return found;
  }
}

/** Returns an equivalent schema with only references that the core can follow. */
export function standalone(schema: Schema, field: string): unknown {
  const definitions = new Definitions();
  const found = definitions.add(schema, field) as Schema;
  return Object.keys(definitions.all).length === 0 ? schema : { ...found, $defs: definitions.all };
}

/** Replaces the reference at the root of a schema from `Definitions` with its target. */
export function dereferenced(schema: unknown, { all }: Definitions): Schema {
  let found = isObject(schema) ? schema : {};
  const seen = new Set<string>();
  for (;;) {
    const { $ref, ...others } = found;
    if (typeof $ref !== "string" || seen.has($ref)) return found;
    seen.add($ref);
    const target = all[$ref.slice("#/$defs/".length)];
    found = { ...(isObject(target) ? target : {}), ...others };
  }
}

/** Returns the types that a schema allows, as far as it names them; empty if anything is allowed. */
export function typesOf(schema: unknown, definitions: Definitions, seen = new Set<unknown>()): Set<unknown> {
  if (seen.has(schema)) return new Set();
  seen.add(schema);
  const { type, anyOf, oneOf, allOf, enum: values, const: value } = dereferenced(schema, definitions);
  const within = [anyOf, oneOf, allOf].flat().flatMap((one) => [...typesOf(one, definitions, seen)]);
  const data = [values, value].flat().filter((one) => one !== undefined);
  return new Set(
    [type, within]
      .flat()
      .concat(data.map(typeOf))
      .filter((one) => one !== undefined),
  );
}

/** Returns JSON Schema's name of a value's type. */
export function typeOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns a keyword's value with each schema in it replaced. */
function mapped(key: string, value: unknown, change: (schema: unknown) => unknown): unknown {
  if (Array.isArray(value)) return HOLDS.list.has(key) ? value.map(change) : value;
  if (HOLDS.one.has(key)) return change(value);
  if (!HOLDS.names.has(key) || !isObject(value)) return value;
  // The values of `dependencies` may also be lists of names.
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, Array.isArray(one) ? one : change(one)]));
}

/** Index of all schemas within a schema by address. */
class Places {
  readonly #field: string;
  readonly #byAddress = new Map<string, unknown>();
  readonly #bases = new Map<unknown, string>();
  readonly #targets = new Map<unknown, unknown>();
  #count = 0;

  constructor(schema: unknown, field: string) {
    this.#field = field;
    this.#byAddress.set(BASE, schema);
    this.#visit(schema, BASE, 0);
    // References may lead to places that no keyword does, where there may be more references.
    for (const [value, base] of this.#bases) this.#follow(value as Schema, base);
  }

  /** Returns the target of the reference in this schema. */
  target(schema: Schema): unknown {
    return this.#targets.get(schema);
  }

  targets(): Iterable<unknown> {
    return this.#targets.values();
  }

  #visit(value: unknown, outer: string, level: number): void {
    this.#count += 1;
    if (level > MOST_LEVELS) throw invalid(this.#field, `nested at most ${String(MOST_LEVELS)} levels deep`, "more");
    if (this.#count > MOST_VALUES) throw invalid(this.#field, `made of at most ${String(MOST_VALUES)} schemas`, "more");
    if (!isObject(value)) return;
    let base = outer;
    if (typeof value.$id === "string") {
      const [address, anchor] = this.#resolve(value.$id, outer);
      // Before 2019, anchors were written like this.
      if (anchor !== "") this.#byAddress.set(`${address}#${anchor}`, value);
      else this.#byAddress.set((base = address), value);
    }
    if (typeof value.$anchor === "string") this.#byAddress.set(`${base}#${value.$anchor}`, value);
    this.#bases.set(value, base);
    for (const [key, inner] of Object.entries(value)) {
      mapped(key, inner, (schema) => {
        this.#visit(schema, base, level + 1);
        return schema;
      });
    }
  }

  #follow(schema: Schema, base: string): void {
    const { $ref } = schema;
    if (typeof $ref !== "string") return;
    const [address, fragment] = this.#resolve($ref, base);
    const root = this.#byAddress.get(address);
    const isPointer = fragment === "" || fragment.startsWith("/");
    const target = isPointer ? at(root, fragment) : this.#byAddress.get(`${address}#${fragment}`);
    if (!isObject(target) && typeof target !== "boolean") {
      throw invalid(this.#field, "a schema whose references lead to a schema within it", $ref);
    }
    this.#targets.set(schema, target);
    if (isObject(target) && !this.#bases.has(target)) this.#visit(target, address, 0);
  }

  /** Splits a resolved address into the part before the fragment, and the fragment. */
  #resolve(reference: string, base: string): [string, string] {
    try {
      const url = new URL(reference, base);
      const fragment = decodeURIComponent(url.hash.slice(1));
      url.hash = "";
      return [url.href, fragment];
    } catch {
      throw invalid(this.#field, "a schema whose references are addresses", reference);
    }
  }
}

/** Follows a JSON pointer. */
function at(root: unknown, pointer: string): unknown {
  let value = root;
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    value =
      typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Schema)[key] : undefined;
  }
  return value;
}
