/** Adapters of an engine: how they come to the core, how requests choose them, and what becomes of them. */
import { describe, expect, it } from "vitest";
import { createFetch } from "../src/openai-fetch.js";
import { ask, code, create, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";

useFakeCore();

const GGUF = new Blob(["GGUF of an adapter"]);
const PEFT = [new File(["{}"], "adapter_config.json"), new File(["tensors"], "adapter_model.safetensors")];

describe("adapters", () => {
  it("are added, listed and removed while the model stays", async () => {
    const engine = await create({ adapters: [{ name: "first", source: GGUF, scale: 0.5 }] });
    expect(await engine.adapters.add({ name: "second", source: PEFT })).toMatchObject({
      name: "second",
      scale: 1,
      bytes: 7,
      rank: 2,
    });
    expect(await engine.adapters.list()).toMatchObject([
      { name: "first", scale: 0.5, rank: 0, bytes: 18 },
      { name: "second" },
    ]);
    expect(await engine.adapters.remove("first")).toBe(true);
    expect(await engine.adapters.remove("first")).toBe(false);
    expect((await engine.adapters.list()).map(({ name }) => name)).toEqual(["second"]);
  });

  it("are chosen by each request", async () => {
    const engine = await create({ adapters: [{ name: "sql", source: GGUF }] });
    await engine.chat.completions.create({ ...ask("hi"), adapters: [{ name: "sql", scale: 0.25 }] });
    expect(fake.request?.adapters).toEqual([{ name: "sql", scale: 0.25 }]);
    await engine.completions.create({ prompt: "hi", adapters: [{ name: "sql" }] });
    expect(fake.request?.adapters).toEqual([{ name: "sql" }]);
    await engine.chat.completions.create(ask("hi"));
    expect(fake.request?.adapters).toBeUndefined();
  });

  it("that are not there, or not well described, are refused", async () => {
    const engine = await create();
    const asking = (adapters: unknown): Promise<unknown> =>
      engine.chat.completions.create({ ...ask("hi"), adapters: adapters as [] });
    expect(await code(asking([{ name: "none" }]))).toBe("invalid_request");
    for (const adapters of [
      {},
      "sql",
      [null],
      [{}],
      [{ name: "" }],
      [{ name: "a", scale: "1" }],
      [{ name: "a", id: 0 }],
    ]) {
      await expect(asking(adapters)).rejects.toThrow(/adapters/);
    }
    for (const adapter of [
      { name: "", source: GGUF },
      { name: "a", source: GGUF, scale: NaN },
    ]) {
      expect(await code(engine.adapters.add(adapter))).toBe("invalid_request");
    }
    expect(await code(engine.adapters.add({ name: "a", source: new Blob(["bad"]) }))).toBe("bad_file");
    expect(await code(engine.adapters.add({ name: "a", source: PEFT.slice(0, 1) }))).toBe("io_error");
    expect(await engine.adapters.list()).toEqual([]);
    // A wrong adapter ends the creation of an engine.
    expect(await code(create({ adapters: [{ name: "a", source: new Blob(["bad"]) }] }))).toBe("bad_file");
  });

  it("are there again after the device was lost", async () => {
    const engine = await create({ adapters: [{ name: "first", source: GGUF }] });
    await engine.adapters.add({ name: "second", source: PEFT });
    await engine.adapters.remove("first");
    await engine.loseDevice();
    expect((await engine.adapters.list()).map(({ name }) => name)).toEqual(["second"]);
    await engine.chat.completions.create({ ...ask("hi"), adapters: [{ name: "second" }] });
  });

  it("are models to OpenAI's client", async () => {
    const engine = await create({ adapters: [{ name: "sql", source: GGUF }] });
    const fetch = createFetch(engine);
    const models = (await (await fetch("https://hearth.invalid/v1/models")).json()) as { data: { id: string }[] };
    expect(models.data.map(({ id }) => id)).toEqual([engine.model.name, "sql"]);
    const post = (model: string): Promise<Response> =>
      fetch("https://hearth.invalid/v1/chat/completions", {
        method: "POST",
        body: JSON.stringify({ ...ask("hi"), model }),
      });
    expect((await post("sql")).status).toBe(200);
    expect(fake.request?.adapters).toEqual([{ name: "sql" }]);
    expect((await post(engine.model.name)).status).toBe(200);
    expect(fake.request?.adapters).toBeUndefined();
  });
});
