/**
 * Style of Gemma 4: `<|tool_call>call:NAME{key:<|"|>text<|"|>,other:[1,true]}<tool_call|>`.
 * https://ai.google.dev/gemma/docs/core/prompt-formatting-gemma4
 */
import { bounded, inOrder, json, propertiesOf, withDefinitions, type Schema } from "../../tools/call-format.js";
import { CallParser, type CallSyntax } from "../../tools/call-parser.js";
import { GEMMA } from "../../tools/dialects.js";
import { LiteralReader } from "../../tools/literals.js";
import { Definitions, dereferenced, typesOf } from "../../tools/schema.js";
import type { Style } from "./style.js";

const SYNTAX: CallSyntax = {
  mark: /<\|tool_call>/g,
  marks: ["<|tool_call>"],
  begin(text) {
    const [head, name] = /^call:\s{0,8}([\w.-]{1,64})\s{0,8}(?=\{)/.exec(text) ?? [];
    if (head !== undefined && name !== undefined) {
      return { reader: new LiteralReader(name, GEMMA, ":"), length: head.length };
    }
    return "call:".startsWith(text) || /^call:\s{0,8}[\w.-]{0,64}\s{0,8}$/.test(text) ? "maybe" : "none";
  },
};

export const gemma4: Style = {
  parser: (schemas) => new CallParser(SYNTAX, schemas),
  format(tools, parallel) {
    const grammar = new ValueGrammar();
    const calls = tools.map(({ function: { name } }, index) => {
      const definitions = new Definitions();
      const args = grammar.members(propertiesOf(tools, index, definitions), definitions);
      return `"call:${name}{" ${args} "}"`;
    });
    const call = `call: <|tool_call> (${calls.join(" | ")}) <tool_call|>`;
    return bounded([`start: call${parallel ? "+" : ""}`, call, ...grammar.rules, ...TERMINALS].join("\n"));
  },
};

/** Text without the beginning of a mark, in pieces that end before what may be one: the lexer does not go back. */
const TEXT = "(CHUNK | LESS)*";
const TERMINALS = ["CHUNK: /[^<]+/", "LESS: /<+[^|<]/"];

/**
 * Rules for values in Gemma's notation. They keep to types, listed values, required properties and nesting; ranges hold
 * for numbers. Lengths and patterns of texts have no rules.
 */
class ValueGrammar {
  readonly rules: string[] = [];
  readonly #names = new Map<unknown, string>();
  #count = 0;

  /** Returns an expression for properties in the schema's order. */
  members(properties: ReturnType<typeof propertiesOf>, definitions: Definitions): string {
    const members = properties.map(({ key, schema, isRequired }) => ({
      rule: `${JSON.stringify(`${key}:`)} ${this.#value(schema, definitions)}`,
      isRequired,
    }));
    return inOrder(this.rules, this.#name(), members, '","');
  }

  /** Returns the name of the rule for values of a schema. */
  #value(schema: unknown, definitions: Definitions): string {
    const found = dereferenced(schema, definitions);
    // A definition may contain itself.
    const { $ref } = (schema ?? {}) as { $ref?: unknown };
    const key = typeof $ref === "string" ? definitions.all[$ref.slice("#/$defs/".length)] : undefined;
    const known = key === undefined ? undefined : this.#names.get(key);
    if (known !== undefined) return known;
    const name = this.#name();
    if (key !== undefined) this.#names.set(key, name);
    const rule = this.#alternatives(found, definitions).join(" | ");
    this.rules.push(`${name}: ${rule}`);
    return name;
  }

  #alternatives(schema: Schema, definitions: Definitions): string[] {
    const { enum: values, const: value, anyOf, oneOf } = schema;
    const known = [values, value].flat().filter((one) => one !== undefined);
    if (known.length > 0) return known.map(written);
    const others = [anyOf, oneOf].flat().filter((one) => one !== undefined);
    if (others.length > 0) return others.map((one) => this.#value(one, definitions));
    const types = [...typesOf(schema, definitions)];
    if (types.length === 0) return [this.#anything()];
    return types.map((type) => this.#ofType(type, schema, definitions));
  }

  #ofType(type: unknown, schema: Schema, definitions: Definitions): string {
    switch (type) {
      case "string":
        return string(TEXT);
      case "array": {
        const item = schema.items === undefined ? this.#anything() : this.#value(schema.items, definitions);
        const { minItems = 0 } = schema as { minItems?: number };
        return `"[" (${item} ("," ${item})*)${minItems > 0 ? "" : "?"} "]"`;
      }
      case "object": {
        const { properties = {}, required = [] } = schema as { properties?: object; required?: unknown[] };
        const members = Object.entries(properties as Schema).map(([key, one]) => {
          return { key, schema: one, isRequired: required.includes(key) };
        });
        if (members.length === 0) return this.#anyObject();
        return `"{" ${this.members(members, definitions)} "}"`;
      }
      default: {
        const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
        const limits = { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf };
        return json(withDefinitions({ type, ...limits }, new Definitions()));
      }
    }
  }

  #anyObject(): string {
    const member = `/[^{}\\[\\]<>:,"\\s]+/ ":" ${this.#anything()}`;
    return `"{" (${member} ("," ${member})*)? "}"`;
  }

  #anything(): string {
    const known = this.#names.get("anything");
    if (known !== undefined) return known;
    const name = this.#name();
    this.#names.set("anything", name);
    const plain = json({ type: ["number", "boolean", "null"] });
    const list = `"[" (${name} ("," ${name})*)? "]"`;
    this.rules.push(`${name}: ${plain} | ${string(TEXT)} | ${list} | ${this.#anyObject()}`);
    return name;
  }

  #name(): string {
    return `v${String(this.#count++)}`;
  }
}

function string(text: string): string {
  return `<|"|> ${text} <|"|>`;
}

/** Returns a listed value in Gemma's notation. */
function written(value: unknown): string {
  if (typeof value === "string") return string(JSON.stringify(value));
  if (typeof value !== "object" || value === null) return JSON.stringify(String(value));
  const entries = Object.entries(value).map(([key, one]) =>
    Array.isArray(value) ? written(one) : `${JSON.stringify(`${key}:`)} ${written(one)}`,
  );
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return [`"${open}"`, entries.join(' "," '), `"${close}"`].filter((part) => part !== "").join(" ");
}
