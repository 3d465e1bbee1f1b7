import { afterEach, expect, it, vi } from "vitest";
import * as cache from "../src/cache/index.js";
import { CachedSource, Parts } from "../src/cache/source.js";
import { sourceName } from "../src/source/given.js";
import { findModel } from "../src/source/model.js";
import { Opfs } from "./opfs.js";
import { FaultyServer } from "./server.js";

const BODY = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) % 253);

afterEach(() => {
  vi.unstubAllGlobals();
});

it("a kept file is given without asking the server, and none that is kept in part", async () => {
  new Opfs().install();
  const server = new FaultyServer(BODY);
  const url = await server.listen();
  try {
    const chunks = (): AsyncGenerator<Uint8Array> => {
      const context = {
        mode: "default" as const,
        notify: () => undefined,
        beside: () => undefined,
        parts: new Parts(),
        sizes: { piece: 1 << 14, record: 1 << 14 },
      };
      const file = { url, key: url, isOptional: false };
      return new CachedSource(file, new AbortController().signal, {}, context).chunks();
    };
    expect(await cache.file(url)).toBeUndefined();
    const begun = chunks();
    await begun.next();
    expect(await cache.file(url)).toBeUndefined();
    await begun.return(undefined);
    for await (const chunk of chunks()) expect(chunk.length).toBeGreaterThan(0);
    const asked = server.requests.length;
    const kept = await cache.file(url);
    expect(Buffer.from((await kept?.arrayBuffer()) ?? new ArrayBuffer()).equals(BODY)).toBe(true);
    expect(await cache.file(`${url}?other`)).toBeUndefined();
    expect(server.requests).toHaveLength(asked);
  } finally {
    server.close();
  }
});

it("files that are given together keep the folder of the pooling, whose text has the name of the model's", async () => {
  const file = (name: string): File => new File([`{"from":"${name}"}`], name);
  for (const pooling of ["1_Pooling/config.json", "1_Pooling:config.json"]) {
    const files = [file("config.json"), file(pooling), file("model.safetensors"), file("tokenizer.json")];
    const found = await findModel({ kind: "files", files }, new AbortController().signal, {});
    const texts = found.kind === "several" ? [...found.texts] : [];
    expect(texts.map(([name, text]) => `${name} ${text}`).sort()).toEqual([
      `1_Pooling/config.json {"from":"${pooling}"}`,
      'config.json {"from":"config.json"}',
      'tokenizer.json {"from":"tokenizer.json"}',
    ]);
  }
});

it("a source's name is its address without secrets, or its file's", () => {
  expect(sourceName("intfloat/e5-small-v2")).toBe("intfloat/e5-small-v2");
  expect(sourceName("https://me:pw@a.test/bge.gguf?token=1")).toBe("https://a.test/bge.gguf");
  expect(sourceName(new File([], "bge.gguf"))).toBe("bge.gguf");
  expect(sourceName([new File([], "bge.gguf")])).toBe("bge.gguf");
  expect([sourceName(new Blob()), sourceName(new ReadableStream())]).toEqual([undefined, undefined]);
});
