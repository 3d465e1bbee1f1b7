/**
 * Tiny models that see answer as transformers does, from files of pictures to text: decoded by the browser, prepared by the module,
 * looked at and answered by the core. What differs by model is tested natively.
 */
import { readFileSync } from "node:fs";
import { BASE_URL, goldenFile, IS_FAKE, readGolden } from "../../support/env.js";
import { FULL } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test, type BrowserName } from "../../support/test.js";

type Hearth = typeof import("hearth-llm");

interface Part {
  type: "text" | "image";
  text?: string;
  image?: number;
}

interface Golden {
  gguf: [string, string];
  folder: string;
  pictures: { width: number; height: number; source_start: number; tiles_high: number; grids: number[][] }[];
  cases: { name: string; messages: { role: "user"; content: Part[] }[]; ids: number[]; greedy_ids: number[] }[];
}

const SETUPS: { browser: BrowserName; device: "webgpu" | "cpu"; kind: string; form: "pair" | "folder" }[] = [
  { browser: "chromium", device: "webgpu", kind: "smolvlm", form: "pair" },
  { browser: "firefox", device: "webgpu", kind: "qwen3_vl", form: "pair" },
  { browser: "chromium", device: "cpu", kind: "gemma3", form: "folder" },
  ...(FULL
    ? ([
        { browser: "firefox", device: "webgpu", kind: "smolvlm", form: "folder" },
        { browser: "chromium", device: "webgpu", kind: "qwen3_vl", form: "folder" },
        { browser: "firefox", device: "cpu", kind: "gemma3", form: "pair" },
        { browser: "chromium", device: "webgpu", kind: "qwen2_5_vl", form: "pair" },
        { browser: "firefox", device: "webgpu", kind: "mistral3", form: "folder" },
      ] as const)
    : []),
];

for (const { browser, device, kind, form } of SETUPS) {
  test(`${kind} sees · ${browser}, ${device}, ${form}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const golden = readGolden(`vision/vision_${kind}.json`) as Golden;
    const sources = readFileSync(goldenFile(`vision/vision_${kind}_sources.bin`));
    const { tab } = await launch(browser);
    await tab.goto(BASE_URL);
    const found = await tab.evaluate(
      async ({ entry, device, model, projector, pictures, details, cases }) => {
        const { Engine } = (await import(entry)) as Hearth;
        // (an opaque picture comes out of a PNG as it went in)
        const drawn = pictures.map(async ({ width, height, rgb }) => {
          const canvas = new OffscreenCanvas(width, height);
          const context = canvas.getContext("2d");
          const image = new ImageData(width, height);
          const bytes = Uint8Array.from(atob(rgb), (character) => character.charCodeAt(0));
          for (let i = 0; i < width * height; i++) {
            image.data.set(bytes.subarray(3 * i, 3 * i + 3), 4 * i);
            image.data[4 * i + 3] = 255;
          }
          context?.putImageData(image, 0, 0);
          return canvas.convertToBlob({ type: "image/png" });
        });
        const blobs = await Promise.all(drawn);
        const options = { model, device, kvType: "f32", contextSize: 256, drafts: "off" } as const;
        const engine = await Engine.create(projector === undefined ? options : { ...options, mmproj: projector });
        const answers = [];
        for (const { messages, greedy_ids } of cases) {
          const shown = messages.map(({ role, content }) => ({
            role,
            content: content.map((part) => {
              const { type, text, image } = part;
              if (type === "text") return { type, text: text ?? "" };
              const url = blobs[image ?? -1];
              if (url === undefined) throw new Error(`there is no picture ${String(image)}`);
              return { type: "image_url" as const, image_url: { url, detail: details[image ?? 0] ?? "auto" } };
            }),
          }));
          const { choices, usage } = await engine.chat.completions.create({
            messages: shown,
            temperature: 0,
            max_tokens: greedy_ids.length,
          });
          answers.push({
            text: choices[0]?.message.content,
            expected: await engine.detokenize(greedy_ids),
            tokens: usage.prompt_tokens,
          });
        }
        const { frames } = await engine.stats();
        engine.dispose();
        return { answers, frames };
      },
      {
        entry: `${BASE_URL}pkg/dist/index.js`,
        device,
        model: new URL(`/tests/goldens/data/vision/${form === "pair" ? golden.gguf[0] : `${golden.folder}/`}`, BASE_URL)
          .href,
        projector: form === "pair" ? new URL(`/tests/goldens/data/vision/${golden.gguf[1]}`, BASE_URL).href : undefined,
        pictures: golden.pictures.map(({ width, height, source_start }) => ({
          width,
          height,
          rgb: sources.subarray(source_start, source_start + 3 * width * height).toString("base64"),
        })),
        // SmolVLM's smallest picture was not cut.
        details: golden.pictures.map(({ tiles_high }): "low" | "auto" =>
          kind === "smolvlm" && tiles_high === 0 ? "low" : "auto",
        ),
        cases: golden.cases,
      },
    );
    for (const [i, { text, expected, tokens }] of found.answers.entries()) {
      expect(text).toBe(expected);
      expect(tokens).toBe(golden.cases[i]?.ids.length);
    }
    // Each picture was looked at once, whatever the conversations.
    const shown = new Set(
      golden.cases.flatMap(({ messages }) => messages.flatMap(({ content }) => content.map((part) => part.image))),
    );
    const frames = golden.pictures.filter((_, i) => shown.has(i)).map(({ grids }) => grids.length);
    expect(found.frames).toBe(frames.reduce((sum, n) => sum + n, 0));
  });
}
