/** The format of an answer that has to call tools, in each way that models write calls. */
import type { ChatCompletionTool } from "../openai.js";
import type { AnswerFormat, ToolStyle } from "../wasm-contract.js";

/** At least one call of one of these tools; one at most without `parallel`. */
export function callFormat(tools: ChatCompletionTool[], style: ToolStyle, parallel: boolean): AnswerFormat {
  switch (style) {
    case "hermes": {
      const more = parallel ? ' ("\\n" call)*' : "";
      return {
        grammar: `start: call${more}\ncall: "<tool_call>\\n" body "\\n</tool_call>"\nbody: ${json(tools, "arguments")}`,
      };
    }
    case "llama":
      return { json_schema: callSchema(tools, "parameters") };
    case "mistral": {
      const items = { type: "array", items: callSchema(tools, "arguments"), minItems: 1 };
      return {
        grammar: `start: <|[TOOL_CALLS]|> calls\ncalls: %json ${text(parallel ? items : { ...items, maxItems: 1 })}`,
      };
    }
    case "harmony": {
      const calls = tools.map(({ function: { name, parameters } }, i) => {
        const head = `"commentary to=functions.${name}"`;
        return `call${String(i)}: <|channel|> ${head} " " <|constrain|> "json" <|message|> %json ${text(parameters ?? OBJECT)}`;
      });
      return { grammar: [`start: ${calls.map((_, i) => `call${String(i)}`).join(" | ")}`, ...calls].join("\n") };
    }
  }
}

const OBJECT = { type: "object" };

function json(tools: ChatCompletionTool[], key: string): string {
  return `%json ${text(callSchema(tools, key))}`;
}

/** On one line, as models write it by themselves; see hearth-grammar's `Format`. */
function text(schema: object): string {
  const options = { whitespace_flexible: false, item_separator: ", ", key_separator: ": " };
  return JSON.stringify({ "x-guidance": options, ...schema });
}

function callSchema(tools: ChatCompletionTool[], key: string): object {
  const calls = tools.map(({ function: { name, parameters } }) => ({
    type: "object",
    properties: { name: { const: name }, [key]: inlined(parameters ?? OBJECT) },
    required: ["name", key],
    additionalProperties: false,
  }));
  return calls.length === 1 ? (calls[0] ?? {}) : { anyOf: calls };
}

/** A schema that stands within another one: references to its own root's definitions are replaced by these. */
function inlined(schema: Record<string, unknown>): unknown {
  const at = (path: string): unknown =>
    path
      .split("/")
      .slice(1)
      .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], schema);
  const walk = (value: unknown, seen: string[]): unknown => {
    if (Array.isArray(value)) return value.map((item) => walk(item, seen));
    if (typeof value !== "object" || value === null) return value;
    const { $ref } = value as { $ref?: unknown };
    // One that contains itself cannot be replaced: there, anything goes.
    if (typeof $ref === "string" && $ref.startsWith("#/"))
      return seen.includes($ref) ? true : walk(at($ref), [...seen, $ref]);
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== "$defs" && key !== "definitions")
        .map(([key, inner]) => [key, walk(inner, seen)]),
    );
  };
  return walk(schema, []);
}
