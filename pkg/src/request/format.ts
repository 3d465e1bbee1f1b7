/** Formats of an answer: `response_format` and `structured_outputs`. */
import { invalid } from "../core/errors.js";
import type { ChatCompletionCreateParams } from "../api/openai.js";
import { standalone } from "../tools/schema.js";
import type { AnswerFormat } from "../core/wasm-contract.js";

type FormatParams = Pick<ChatCompletionCreateParams, "response_format" | "structured_outputs">;

/** Returns the requested format; undefined for none. */
export function toFormat({ response_format, structured_outputs }: FormatParams): AnswerFormat | undefined {
  const asked = [fromResponseFormat(response_format), fromStructured(structured_outputs)].filter(
    (format) => format !== undefined,
  );
  if (asked.length > 1) throw invalid("structured_outputs", "absent beside response_format", structured_outputs);
  return asked[0];
}

function fromResponseFormat(format: FormatParams["response_format"]): AnswerFormat | undefined {
  if (format === undefined || format === null) return undefined;
  if (typeof format !== "object") throw invalid("response_format", "an object", format);
  // Other APIs put the schema next to the type, sometimes as a string; it is honoured in either place.
  const { schema: beside } = format as { schema?: unknown };
  switch (format.type) {
    case "text":
      if (beside !== undefined) throw invalid("response_format.type", "json_schema where a schema is given", "text");
      return undefined;
    case "json_object":
      if (beside === undefined || beside === null) return { json_schema: { type: "object" } };
      return { json_schema: schemaOf("response_format.schema", beside) };
    case "json_schema": {
      const within = (format.json_schema as typeof format.json_schema | undefined)?.schema;
      if (within !== undefined && beside !== undefined) {
        throw invalid("response_format.schema", "absent beside response_format.json_schema.schema", beside);
      }
      return { json_schema: schemaOf("response_format.json_schema.schema", within ?? beside) };
    }
    default:
      throw invalid("response_format.type", "text, json_object or json_schema", (format as { type?: unknown }).type);
  }
}

function fromStructured(wanted: FormatParams["structured_outputs"]): AnswerFormat | undefined {
  if (wanted === undefined || wanted === null) return undefined;
  const kinds = (["json", "regex", "choice", "grammar"] as const).filter(
    (kind) => (wanted[kind] ?? undefined) !== undefined,
  );
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    throw invalid("structured_outputs", "one of json, regex, choice and grammar", kinds);
  }
  const field = `structured_outputs.${kind}`;
  const value: unknown = wanted[kind];
  if (kind === "json") return { json_schema: schemaOf(field, value) };
  if (kind === "choice") {
    const isList = Array.isArray(value) && value.length > 0 && value.every((text) => typeof text === "string" && text);
    if (!isList) throw invalid(field, "a list of texts, none empty", value);
    return { choice: value as string[] };
  }
  if (typeof value !== "string" || value === "") throw invalid(field, "a text", value);
  return kind === "regex" ? { regex: value } : { grammar: value };
}

function schemaOf(field: string, given: unknown): unknown {
  const schema = typeof given === "string" ? parsed(field, given) : given;
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    throw invalid(field, "a JSON schema", schema);
  }
  return standalone(schema as Record<string, unknown>, field);
}

function parsed(field: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid(field, "JSON", text);
  }
}
