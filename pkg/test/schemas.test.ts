/**
 * Tests that a schema keeps its meaning wherever it is embedded: as an answer's format, and as a tool's parameters in a
 * larger schema.
 */
import { describe, expect, it } from "vitest";
import { HearthError } from "../src/core/errors.js";
import { toFormat } from "../src/request/format.js";
import { STYLES } from "../src/answer/styles/index.js";
import { Definitions } from "../src/tools/schema.js";

type Schema = Record<string, unknown>;

function moved(schema: unknown): { schema: unknown; all: Schema } {
  const definitions = new Definitions();
  return { schema: definitions.add(schema, "parameters"), all: definitions.all };
}

const text = { type: "string" };
const of = (properties: Schema, more: Schema = {}): Schema => ({ type: "object", properties, ...more });
const d0 = { $ref: "#/$defs/d0" };

describe("references keep their meaning", () => {
  it.each<[string, Schema, unknown, Schema]>([
    ["a definition", of({ x: { $ref: "#/$defs/s" } }, { $defs: { s: text, unused: {} } }), of({ x: d0 }), { d0: text }],
    [
      "of older drafts",
      of({ x: { $ref: "#/definitions/s" } }, { definitions: { s: text } }),
      of({ x: d0 }),
      { d0: text },
    ],
    ["the root", of({ x: { items: { $ref: "#" } } }), d0, { d0: of({ x: { items: d0 } }) }],
    ["the root by an empty pointer", of({ x: { items: { $ref: "" } } }), d0, { d0: of({ x: { items: d0 } }) }],
    ["a property", of({ x: text, y: { $ref: "#/properties/x" } }), of({ x: d0, y: d0 }), { d0: text }],
    [
      "an item of a list",
      of({ x: { anyOf: [text, { $ref: "#/properties/x/anyOf/0" }] } }),
      of({ x: { anyOf: [d0, d0] } }),
      { d0: text },
    ],
    ["an anchor", of({ x: { $ref: "#s" } }, { $defs: { s: { ...text, $anchor: "s" } } }), of({ x: d0 }), { d0: text }],
    [
      "an anchor of older drafts",
      of({ x: { $ref: "#s" } }, { $defs: { s: { ...text, $id: "#s" } } }),
      of({ x: d0 }),
      { d0: text },
    ],
    [
      "escaped names",
      of({ x: { $ref: "#/$defs/a~1b~0c%25d%20e" } }, { $defs: { "a/b~c%d e": text } }),
      of({ x: d0 }),
      { d0: text },
    ],
    [
      "an absolute id",
      of({ x: { $ref: "https://a.b/s" } }, { $defs: { s: { ...text, $id: "https://a.b/s" } } }),
      of({ x: d0 }),
      { d0: text },
    ],
    [
      "a relative id",
      of(
        { x: { $ref: "s.json" }, y: { $ref: "/t/s.json#/$defs/n" } },
        {
          $id: "https://a.b/t/root.json",
          $defs: { s: { items: { $ref: "#/$defs/n" }, $id: "s.json", $defs: { n: text } } },
        },
      ),
      of({ x: d0, y: { $ref: "#/$defs/d1" } }),
      { d0: { items: { $ref: "#/$defs/d1" } }, d1: text },
    ],
    [
      "its own name",
      of({ x: { $ref: "urn:a:b#/properties/y" }, y: text }, { $id: "urn:a:b" }),
      of({ x: d0, y: d0 }),
      { d0: text },
    ],
    [
      "where no keyword leads",
      of({ x: { $ref: "#/components/s" } }, { components: { s: { not: { $ref: "#/components/t" } }, t: true } }),
      of({ x: d0 }, { components: { s: { not: { $ref: "#/components/t" } }, t: true } }),
      { d0: { not: { $ref: "#/$defs/d1" } }, d1: true },
    ],
    [
      "beside keywords",
      of({ x: { $ref: "#/$defs/s", maxLength: 3 } }, { $defs: { s: text } }),
      of({ x: { ...d0, maxLength: 3 } }),
      { d0: text },
    ],
    [
      "a circle",
      of({ x: { $ref: "#/$defs/a" } }, { $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } }),
      of({ x: d0 }),
      { d0: { $ref: "#/$defs/d1" }, d1: d0 },
    ],
  ])("%s", (_name, schema, expected, all) => {
    expect(moved(schema)).toEqual({ schema: expected, all });
  });
});

describe("names and data are no keywords", () => {
  it.each<Schema>([
    of({ term: text, definitions: { type: "array", items: text } }, { required: ["definitions"] }),
    of({ $defs: text, $ref: text, $id: text, $anchor: text }),
    of({ x: { const: { $ref: "#/none", $id: "#", $defs: {} } } }),
    of({ x: { enum: [{ definitions: 1 }], default: { $ref: "#" }, examples: [{ $ref: "#/x" }] } }),
    of(
      {},
      {
        patternProperties: { $ref: text },
        dependentSchemas: { definitions: text },
        dependencies: { x: ["definitions"] },
      },
    ),
  ])("%j stays as it is", (schema) => {
    expect(moved(schema)).toEqual({ schema, all: {} });
  });
});

describe("what has no end is refused", () => {
  const deep = Array.from({ length: 200 }).reduce<Schema>((items) => ({ items }), text);
  const endless: Schema = {};
  endless.items = endless;
  const wide = { anyOf: Array.from({ length: 60_000 }, () => text) };
  const doubling = Array.from({ length: 40 }).reduce<Schema>((half) => ({ anyOf: [half, half] }), text);
  // A function for each, since otherwise the test's title would be endless as well.
  it.each<[string, () => Schema, string]>([
    ["a reference to nothing", () => ({ $ref: "#/$defs/none" }), "#/$defs/none"],
    ["a reference to elsewhere", () => ({ $ref: "https://example.com/s" }), "https://example.com/s"],
    ["a reference to data", () => ({ $ref: "#/title", title: "x" }), "#/title"],
    ["no address", () => ({ $ref: "http://[" }), "http://["],
    ["depth", () => deep, "levels deep"],
    ["an endless object", () => endless, "levels deep"],
    ["too many", () => wide, "50000 schemas"],
    ["too many of one", () => doubling, "50000 schemas"],
  ])("%s", (_name, schema, found) => {
    expect(() => moved(schema())).toThrow(HearthError);
    expect(() => moved(schema())).toThrow(found);
  });
});

describe("formats", () => {
  const diamond = (levels: number): Schema => {
    const pair = (i: number): Schema =>
      of({ a: { $ref: `#/$defs/d${String(i)}` }, b: { $ref: `#/$defs/d${String(i)}` } });
    const $defs = Object.fromEntries(
      Array.from({ length: levels }, (_, i) => [`d${String(i)}`, i === 0 ? {} : pair(i - 1)]),
    );
    return { ...pair(levels - 1), $defs };
  };
  const tool = (parameters: Schema, name = "f") => ({ type: "function" as const, function: { name, parameters } });

  it.each(Object.entries(STYLES))("of %s are as large as their schemas", (_name, style) => {
    const size = (levels: number): number => JSON.stringify(style.format([tool(diamond(levels))], true)).length;
    expect(size(80)).toBeLessThan(5 * size(20));
  });

  it("are the same for an answer", () => {
    const schema = of({ x: { $ref: "#s", maxLength: 3 } }, { $defs: { s: { ...text, $anchor: "s" } } });
    const json_schema = { name: "x", schema };
    const expected = { ...of({ x: { ...d0, maxLength: 3 } }), $defs: { d0: text } };
    expect(toFormat({ response_format: { type: "json_schema", json_schema } })).toEqual({ json_schema: expected });
    expect(STYLES.llama.format([tool(schema)], true)).toEqual({
      json_schema: {
        type: "object",
        properties: { name: { const: "f" }, parameters: of({ x: { ...d0, maxLength: 3 } }) },
        required: ["name", "parameters"],
        additionalProperties: false,
        $defs: { d0: text },
      },
    });
  });

  it("keep the definitions of two tools apart", () => {
    const one = of({ x: { $ref: "#/$defs/s" } }, { $defs: { s: text } });
    const two = of({ x: { $ref: "#/$defs/s" } }, { $defs: { s: { type: "null" } } });
    const format = STYLES.llama.format([tool(one, "f"), tool(two, "g")], true);
    expect(format).toMatchObject({ json_schema: { $defs: { d0: text, d1: { type: "null" } } } });
  });
});
