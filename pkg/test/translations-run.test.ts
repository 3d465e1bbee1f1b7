import { describe, expect, it } from "vitest";
import { Translations } from "../src/api/translations.js";
import type { TranslationStreamEvent } from "../src/translations/types.js";
import { code } from "./engine-support.js";
import { FakeInterpreter, randomTexts } from "./translations-support.js";

const api = (interpreter: FakeInterpreter): Translations => new Translations(() => Promise.resolve(interpreter));

describe("translations.create", () => {
  it.each([true, false])(
    "gives the text back where nothing is changed, byte for byte (packed: %s)",
    async (isPacked) => {
      const interpreter = new FakeInterpreter(undefined, { most: 20, isPacked });
      const input = randomTexts(100);
      const { data } = await api(interpreter).create({ input, target: "de" });
      expect(data.map(({ text }) => text)).toEqual(input);
      expect(data.map(({ index }) => index)).toEqual(input.map((_, index) => index));
    },
  );

  it("streams the same text in deltas, with the whole at its end", async () => {
    const input = randomTexts(50);
    const interpreter = new FakeInterpreter((piece) => ` ${piece.toUpperCase()} \n`);
    const whole = await api(interpreter).create({ input, target: "de" });
    const deltas = new Map(input.map((_, index) => [index, ""]));
    const events: TranslationStreamEvent[] = [];
    for await (const event of await api(interpreter).create({ input, target: "de", stream: true })) {
      if (event.type === "translation.text.delta")
        deltas.set(event.index, (deltas.get(event.index) ?? "") + event.delta);
      else events.push(event);
    }
    expect([...deltas.values()]).toEqual(whole.data.map(({ text }) => text));
    expect(events).toEqual([
      ...whole.data.map((translation) => ({ type: "translation.text.done", ...translation })),
      { type: "translation.done", model: "fake", usage: whole.usage },
    ]);
  });

  it("has OpenAI's kind of shape, and counts all pieces", async () => {
    const interpreter = new FakeInterpreter((piece) => piece.replaceAll(/\w/g, "x"), { most: 40, isPacked: false });
    const answer = await api(interpreter).create({ input: "One two. Three!", source: "EN", target: "deu_Latn" });
    expect(answer).toEqual({
      object: "list",
      model: "fake",
      data: [{ index: 0, text: "xxx xxx. xxxxx!", source: "en", finish_reason: "stop" }],
      usage: { prompt_tokens: 14, completion_tokens: 2, total_tokens: 16 },
    });
  });

  it("says so where a part came back empty", async () => {
    const interpreter = new FakeInterpreter((piece) => (piece === "Second." ? " \n" : piece), {
      most: 40,
      isPacked: false,
    });
    const { data } = await api(interpreter).create({ input: ["First. Second. Third.", "First."], target: "de" });
    expect(data.map(({ finish_reason }) => finish_reason)).toEqual(["empty", "stop"]);
  });

  it("asks for nothing where there is nothing to translate", async () => {
    const interpreter = new FakeInterpreter();
    const { data } = await api(interpreter).create({ input: ["", "  \n", "42 — 17"], target: "de" });
    expect([data.map(({ text }) => text), interpreter.pieces]).toEqual([["", "  \n", "42 — 17"], []]);
  });

  it("cuts a piece that the model finds too long, until it fits", async () => {
    const interpreter = new FakeInterpreter(undefined, { most: 400, isPacked: true });
    interpreter.most = 60;
    const input = `${"several words of a sentence, ".repeat(20)}end.`;
    const { data } = await api(interpreter).create({ input, target: "de" });
    expect(data[0]?.text).toBe(input);
    expect(Math.max(...interpreter.pieces.map(({ length }) => length))).toBeLessThanOrEqual(60);
    interpreter.most = 2;
    expect(await code(api(interpreter).create({ input, target: "de" }))).toBe("context_overflow");
  });

  it.each([
    [{ input: [] }],
    [{ input: 5 }],
    [{ input: ["a", 1] }],
    [{ input: "a", target: "klingon!" }],
    [{ input: "a", source: 7 }],
    [{ input: "a", max_tokens: 0 }],
    [{ input: "a", beams: 0 }],
    [{ input: "a", beams: 17 }],
    [{ input: "a", beams: 2.5 }],
    [{ input: "a", temperature: 3 }],
    [{ input: "a", top_k: 1.5 }],
    [{ input: "a", stream: "yes" }],
    [{ input: "a", glossary: {} }],
  ])("refuses %j", async (params) => {
    const interpreter = new FakeInterpreter();
    expect(await code(api(interpreter).create({ target: "de", ...params } as never))).toBe("invalid_request");
    expect(interpreter.pieces).toEqual([]);
  });

  it("ends between two pieces when it is aborted", async () => {
    const controller = new AbortController();
    const interpreter = new FakeInterpreter(
      (piece) => {
        if (piece === "b") controller.abort();
        return piece;
      },
      { most: 40, isPacked: false },
    );
    const { signal } = controller;
    expect(await code(api(interpreter).create({ input: ["a", "b", "c"], target: "de", signal }))).toBe("cancelled");
    expect(interpreter.pieces).toEqual(["a", "b"]);
  });
});
