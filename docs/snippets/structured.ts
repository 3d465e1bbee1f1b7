/** Answers that keep to a format. */
import type { Engine } from "hearth-llm";

export async function describe(engine: Engine): Promise<unknown> {
  // #region schema
  const schema = {
    type: "object",
    properties: { name: { type: "string", maxLength: 40 }, age: { type: "integer", minimum: 0, maximum: 130 } },
    required: ["name", "age"],
    additionalProperties: false,
  };
  const { choices } = await engine.chat.completions.create({
    messages: [{ role: "user", content: "Describe Tom, who is five." }],
    response_format: { type: "json_schema", json_schema: { name: "child", schema } },
  });
  const child: unknown = JSON.parse(choices[0]?.message.content ?? "null");
  // #endregion schema
  return child;
}

export async function classify(engine: Engine, text: string): Promise<string> {
  // #region choice
  const { choices } = await engine.chat.completions.create({
    messages: [{ role: "user", content: `Is this friendly? ${text}` }],
    structured_outputs: { choice: ["yes", "no", "unclear"] },
  });
  const label = choices[0]?.message.content ?? "";
  // #endregion choice
  return label;
}
