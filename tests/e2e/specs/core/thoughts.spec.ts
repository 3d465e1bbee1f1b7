/**
 * Thoughts and tool calls as a template spells them, from the core to the message: a tiny model with its template
 * replaced.
 */
import { BASE_URL, IS_FAKE, TINY } from "../../support/env.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

/** Templates padded to the length of the model's own, so that nothing else in its file moves. */
const TURNS = "{%for m in messages%}<|im_start|>{{m.role}}\n{{m.content}}<|im_end|>\n{%endfor%}<|im_start|>assistant\n";
const TEMPLATES = {
  thinking: `${TURNS}<think>\n{#</think>`,
  brackets: `${TURNS}{#[THINK][/THINK]`,
  hermes: `${TURNS}{#tools <tool_call>`,
  xml: `${TURNS}{#tools <tool_call><function=a><parameter=b>`,
  llama: `${TURNS}{#tools "parameters":`,
};

test("thoughts and calls of a core with other templates", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("chromium");
  await chat.open();
  const found = await chat.tab.evaluate(
    async ({ url, model, templates }) => {
      const { Engine } = (await import(url)) as typeof import("hearth-llm");
      const file = new Uint8Array(await (await fetch(model)).arrayBuffer());
      const latin = new TextDecoder("latin1").decode(file);
      const key = "tokenizer.chat_template";
      // After the key: four bytes of type, eight of length.
      const at = latin.indexOf(key) + key.length + 12;
      const length = new DataView(file.buffer).getUint32(at - 8, true);
      const said: Record<string, unknown> = {};
      for (const [name, template] of Object.entries(templates)) {
        file.set(new TextEncoder().encode(`${template.padEnd(length - 2)}#}`), at);
        const engine = await Engine.create({ model: new Blob([file]), device: "cpu", threads: 1 });
        const ask = async (params: object): Promise<unknown> => {
          const messages = [{ role: "user" as const, content: "Hi" }];
          const { choices } = await engine.chat.completions.create({ messages, temperature: 0, ...params });
          const { content, reasoning_content: reasoning, tool_calls: calls } = choices[0]?.message ?? {};
          return { content, reasoning, calls: calls?.map((call) => call.function) };
        };
        const open = name === "brackets" ? "[THINK]" : "<think>";
        const close = open.replace(/^./, "$&/");
        const quoted = (text: string): string => text.replace(/[[\]]/g, "\\$&");
        const parameters = {
          type: "object",
          properties: { city: { enum: ["Paris"] } },
          required: ["city"],
          additionalProperties: false,
        };
        said[name] = {
          style: engine.model.tool_style,
          marks: engine.model.thought_marks,
          free: await ask({ max_tokens: 6 }),
          thoughts: await ask({
            structured_outputs: { regex: `${quoted(open)}hm${quoted(close)}yes` },
            max_tokens: 60,
          }),
          // Without a style the tools are told in the prompt, which is longer than this model's context.
          call:
            engine.model.tool_style !== null &&
            (await ask({
              tools: [{ type: "function", function: { name: "weather", parameters } }],
              tool_choice: "required",
              parallel_tool_calls: false,
              max_tokens: 120,
            })),
        };
        engine.dispose();
      }
      return said;
    },
    { url: `${BASE_URL}pkg/dist/index.js`, model: TINY, templates: TEMPLATES },
  );
  const call = { calls: [{ name: "weather", arguments: expect.stringMatching(/^\{"city": ?"Paris"\}$/) as unknown }] };
  const text = expect.stringMatching(/./) as unknown;
  const thoughts = { reasoning: "hm", content: "yes" };
  const marks = { open: "<think>", close: "</think>" };
  expect(found).toMatchObject({
    thinking: { style: null, marks, free: { reasoning: text, content: "" }, thoughts },
    brackets: { style: null, marks: { open: "[THINK]", close: "[/THINK]" }, free: { content: text }, thoughts },
    hermes: { style: "hermes", marks: null, free: { content: text }, thoughts, call },
    xml: { style: "xml", marks: null, thoughts, call },
    llama: { style: "llama", marks: null, thoughts, call },
  });
});
