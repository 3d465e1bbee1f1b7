/** Pictures as inputs of embeddings: models that compare them with texts. */
import { beforeEach, describe, expect, it } from "vitest";
import type { EmbeddingInputPart, PictureInput } from "../src/index.js";
import { code, create, useFakeCore } from "./engine-support.js";
import { stubCanvas } from "./fake-canvas.js";
import { VISION } from "./fake-objects.js";
import { fakePictures } from "./fake-pictures.js";
import { fake } from "./fake-wasm.js";

const blob = (content = "FAKE:png:3x2"): Blob => new Blob([content], { type: "image/png" });
const picture = (url: PictureInput): EmbeddingInputPart => ({ type: "image_url", image_url: { url } });

useFakeCore();
beforeEach(() => {
  stubCanvas();
  fake.vision = VISION;
  fake.similarity = { scale: 100, bias: 0, function: "softmax" };
});

describe("engine.embeddings.create with pictures", () => {
  it("embeds one, and several among texts, in their order", async () => {
    const engine = await create();
    const one = await engine.embeddings.create({ input: picture(blob()) });
    expect([one.data.map(({ embedding }) => embedding), one.usage.prompt_tokens]).toEqual([[[100, 1]], 9]);
    const { data } = await engine.embeddings.create({
      input: ["abc", picture(blob("FAKE:png:5x4")), { type: "text", text: "a" }, picture(blob())],
    });
    expect(data.map(({ index, embedding }) => [index, embedding])).toEqual([
      [0, [3, 1]],
      [1, [101, 1]],
      [2, [1, 1]],
      [3, [100, 1]],
    ]);
    // One that is known is not prepared again.
    expect(fakePictures.prepared).toMatchObject([{ width: 3 }, { width: 5 }]);
  });

  it("says what makes probabilities of their cosines", async () => {
    const engine = await create();
    expect(engine.model.similarity).toEqual({ scale: 100, bias: 0, function: "softmax" });
  });

  it("refuses pictures for other models, by name, and what is neither text nor picture", async () => {
    const engine = await create();
    for (const input of [
      [picture(blob()), [1, 2]],
      [{ type: "input_audio" }],
      [{ type: "image_url" }],
      [picture("file:///a.png")],
      [picture(blob()), 5],
    ]) {
      expect(await code(engine.embeddings.create({ input } as never))).toBe("invalid_request");
    }
    fake.similarity = null;
    const chat = await create();
    const failed = chat.embeddings.create({ input: picture(blob()) });
    await expect(failed).rejects.toThrow("makes no embeddings of pictures");
  });
});
