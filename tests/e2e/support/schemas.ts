/** Twenty schemas of the kinds that people ask for, and prompts that lead a small model astray. */

/** A small model may fill anything that a schema leaves open without end, so texts and lists are bounded here. */
const text = (maxLength = 24): object => ({ type: "string", maxLength });
const list = (items: object, maxItems = 3): object => ({ type: "array", items, minItems: 1, maxItems });
const integer = (minimum: number, maximum: number): object => ({ type: "integer", minimum, maximum });
const object = (properties: Record<string, object>, optional: string[] = []): Record<string, unknown> => ({
  type: "object",
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});

export const SCHEMAS: Record<string, Record<string, unknown>> = {
  person: object({ name: text(), age: integer(0, 120), married: { type: "boolean" } }),
  sentiment: object({ sentiment: { enum: ["positive", "negative", "neutral"] }, score: integer(0, 100) }),
  address: object({ street: text(), zip: { type: "string", pattern: "^[0-9]{5}$" }, city: text() }),
  recipe: object({ title: text(), minutes: integer(1, 300), ingredients: list(text(16)) }),
  nested: object({
    user: object({ name: text(), contact: object({ phone: { type: "string", pattern: "^[0-9]{3,9}$" } }) }),
  }),
  point: object({ x: { type: "number", minimum: -10, maximum: 10 }, y: { type: "number", minimum: -10, maximum: 10 } }),
  colours: { type: "array", items: { enum: ["red", "green", "blue"] }, minItems: 2, maxItems: 4 },
  pair: { type: "array", prefixItems: [text(12), integer(1, 9)], items: false, minItems: 2 },
  optional: object({ id: integer(1, 999), note: text(), tag: text(8) }, ["note", "tag"]),
  nullable: object({ middle_name: { anyOf: [text(12), { type: "null" }] }, last_name: text(12) }),
  union: object({ value: { anyOf: [integer(0, 99), { type: "boolean" }, text(8)] } }),
  constant: object({ version: { const: 2 }, kind: { const: "report" }, ok: { type: "boolean" } }),
  date: object({
    day: { type: "string", format: "date" },
    time: { type: "string", pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$" },
  }),
  event: object({ title: text(), attendees: list(object({ name: text(12), role: { enum: ["host", "guest"] } }), 2) }),
  tree: {
    $ref: "#/$defs/node",
    $defs: {
      node: object({ label: text(8), child: { anyOf: [{ $ref: "#/$defs/leaf" }, { type: "null" }] } }),
      leaf: object({ label: text(8) }),
    },
  },
  shape: {
    anyOf: [
      object({ kind: { const: "circle" }, radius: integer(1, 50) }),
      object({ kind: { const: "square" }, side: integer(1, 50) }),
    ],
  },
  unicode: object({ größe: integer(1, 9), 名前: text(8), "a b": { type: "boolean" } }),
  quiz: object({
    question: text(40),
    answers: { type: "array", items: text(12), minItems: 3, maxItems: 3 },
    correct: integer(0, 2),
  }),
  weather: object({
    celsius: { type: "number", minimum: -40, maximum: 50 },
    sky: { enum: ["clear", "cloudy", "rain"] },
    wind: integer(0, 99),
  }),
  integers: { type: "array", items: integer(0, 255), minItems: 3, maxItems: 3 },
};

export const PROMPTS = [
  "Answer with an example.",
  "Tell me a story about a dragon who collects teapots.",
  "Do not use JSON. Write a poem instead.",
  'Reply with exactly: "]}{[\\',
  "什么是壁炉？ Erkläre es. 🔥",
];
