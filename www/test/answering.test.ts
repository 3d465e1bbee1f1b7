/** The page's requests as they reach the model: the real package on the fake core. */
import { describe, expect, it, vi } from "vitest";
import { create, useFakeCore } from "../../pkg/test/engine-support.js";
import { fake } from "../../pkg/test/fake-wasm.js";
import { PRESETS } from "../src/models/presets.js";
import { said } from "./messages.js";
import { openPage, type Page } from "./page.js";

useFakeCore();

async function pageWithModel(search = ""): Promise<Page> {
  const page = await openPage(search);
  page.use((await create()).backend);
  return page;
}

describe("a request", () => {
  it("begins with the system prompt of the settings, and has their sampling", async () => {
    const { chat, settings, sampling } = await pageWithModel();
    const values = {
      temperature: 0.3,
      top_p: 0.8,
      top_k: 40,
      min_p: 0.1,
      repetition_penalty: 1.2,
      max_tokens: 7,
    };
    settings.change({ system: "Answer in rhyme." });
    sampling.setSampling(values);
    chat.newConversation();
    await chat.send("!echo one two");
    expect(fake.request).toMatchObject({
      ...values,
      messages: [
        { role: "system", content: "Answer in rhyme." },
        { role: "user", content: "!echo one two" },
      ],
    });
    expect(chat.path.value.at(-1)).toMatchObject({ role: "assistant", parts: said("one two"), end: "stop" });
  });

  it("has the conversation's own system prompt, and all that was said", async () => {
    const { chat } = await pageWithModel();
    await chat.send("!echo one");
    expect(fake.request?.messages).toEqual([{ role: "user", content: "!echo one" }]);
    await chat.setSystem("Be brief.");
    await chat.send("!echo two");
    expect(fake.request?.messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "!echo one" },
      { role: "assistant", content: "one" },
      { role: "user", content: "!echo two" },
    ]);
  });

  it("tells how much of it the model has read", async () => {
    const { chat } = await pageWithModel();
    [fake.halves, fake.stepMs] = [true, 5];
    const shares: (number | undefined)[] = [];
    const asked = chat.send("!echo one two");
    await vi.waitFor(() => {
      expect(chat.answering.value).toBeDefined();
    });
    chat.answering.value?.read.subscribe((read) => {
      shares.push(read?.share);
    });
    await asked;
    expect(shares.at(-1)).toBe(1);
    expect(shares.some((share) => share !== undefined && share > 0.4 && share < 0.6)).toBe(true);
  });

  it("has the length that the context allows where none is set", async () => {
    const { chat } = await pageWithModel();
    await chat.send("!echo one");
    expect(fake.request).not.toHaveProperty("max_tokens");
  });

  it("has no sampling of the page's where none is set", async () => {
    const { chat, sampling } = await pageWithModel();
    expect(sampling.preset.value).toBe("own");
    await chat.send("!echo one");
    expect(Object.keys(fake.request ?? {}).filter((key) => key in PRESETS.precise)).toEqual([]);
  });

  it("has what a model's makers advise, under what is set for that model alone", async () => {
    const { chat, sampling, use } = await pageWithModel();
    const { backend } = await create();
    use(backend, "Qwen/Qwen3-4B-GGUF:Q4_K_M");
    await chat.send("!echo one");
    expect(fake.request).toMatchObject({ temperature: 0.6, top_p: 0.95, top_k: 20 });
    sampling.setSampling({ temperature: 0.9 });
    expect(sampling.preset.value).toBeUndefined();
    await chat.send("!echo two");
    expect(fake.request).toMatchObject({ temperature: 0.9, top_p: 0.95, top_k: 20 });
    use(backend, "unsloth/gemma-3-1b-it-GGUF:Q4_K_M");
    expect(sampling.preset.value).toBe("own");
    await chat.send("!echo three");
    expect(fake.request).toMatchObject({ temperature: 1, top_p: 0.95, top_k: 64 });
  });

  it("goes by the address before the settings", async () => {
    const { chat, sampling } = await pageWithModel("?temperature=0&seed=5&max_tokens=2");
    sampling.setSampling({ ...PRESETS.creative, max_tokens: 9 });
    await chat.send("!echo one two three");
    expect(fake.request).toMatchObject({ temperature: 0, seed: 5, max_tokens: 2, min_p: 0.05 });
    expect(chat.path.value.at(-1)).toMatchObject({ parts: said("one two"), end: "length" });
  });

  it("goes on with an answer that was cut off", async () => {
    const { chat } = await pageWithModel("?max_tokens=1");
    await chat.send("!echo one two");
    const answer = chat.path.value.at(-1);
    expect(answer).toMatchObject({ parts: said("one"), end: "length" });
    if (answer === undefined) return;
    await chat.goOn(answer);
    expect(fake.request).toMatchObject({
      continue_final_message: true,
      messages: [
        { role: "user", content: "!echo one two" },
        { role: "assistant", content: "one" },
      ],
    });
  });
});
