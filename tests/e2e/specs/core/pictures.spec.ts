/**
 * Files of pictures as they come: turned, with alpha, animated, of other depths and colours, huge, and none at all. A browser decodes
 * them, so that a browser must show it: a picture with the same pixels has the same key, and the tower does not look at it again.
 */
import { readFileSync } from "node:fs";
import { crc32, deflateSync } from "node:zlib";
import { BASE_URL, goldenFile, IS_FAKE } from "../../support/env.js";
import { FULL } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

type Hearth = typeof import("hearth-llm");

interface Shown {
  width: number;
  height: number;
  /** Base64, as the files are. */
  rgb: string;
  files: Record<string, string>;
}

interface Golden {
  pictures: Shown[];
  errors: { name: string; file: string; code: string }[];
}

/** Returns a white PNG of one bit a pixel, whose file is a thousandth of its pixels. */
function white(width: number, height: number): string {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const around = [Buffer.alloc(4), Buffer.alloc(4)] as const;
    around[0].writeUInt32BE(data.length);
    around[1].writeUInt32BE(crc32(body));
    return Buffer.concat([around[0], body, around[1]]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(1, 8);
  // A filter's byte before each row.
  const row = Buffer.alloc(1 + Math.ceil(width / 8), 0xff).fill(0, 0, 1);
  const rows = Buffer.concat(Array.from({ length: height }, () => row));
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  const chunks = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([signature, ...chunks]).toString("base64");
}

const MODEL = "/tests/goldens/data/vision/vision_smolvlm/gguf/";

for (const browser of ["chromium", "firefox"] as const) {
  test(`pictures are seen as they are meant, and other files refused by name · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const golden = JSON.parse(readFileSync(goldenFile("pictures/picture_files.json"), "utf8")) as Golden;
    const { tab } = await launch(browser);
    await tab.goto(BASE_URL);
    const found = await tab.evaluate(
      async ({ entry, model, mmproj, pictures, errors, huge }) => {
        const { Engine } = (await import(entry)) as Hearth;
        const engine = await Engine.create({ model, mmproj, device: "cpu", contextSize: 256, drafts: "off" });
        type Url = Blob | ImageData | ImageBitmap | OffscreenCanvas | HTMLCanvasElement | string;
        /** Shows a picture; returns how many frames the tower has looked at for it, or the code of the error. */
        const looked = async (url: Url): Promise<number | string> => {
          const before = (await engine.stats()).frames;
          try {
            await engine.chat.completions.create({
              messages: [{ role: "user", content: [{ type: "image_url", image_url: { url, detail: "low" } }] }],
              max_tokens: 1,
            });
          } catch (error) {
            return (error as { code?: string }).code ?? String(error);
          }
          return (await engine.stats()).frames - before;
        };
        const bytesOf = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
        const drawn = ({ width, height, rgb }: (typeof pictures)[number]): ImageData => {
          const image = new ImageData(width, height);
          const bytes = bytesOf(rgb);
          for (let i = 0; i < width * height; i++) image.data.set([...bytes.subarray(3 * i, 3 * i + 3), 255], 4 * i);
          return image;
        };
        const seen: Record<string, number | string> = {};
        for (const [i, picture] of pictures.entries()) {
          seen[`pixels ${String(i)}`] = await looked(drawn(picture));
          for (const [name, file] of Object.entries(picture.files))
            seen[name] = await looked(new Blob([bytesOf(file)]));
        }
        // The second picture in each other form.
        const [, colours] = pictures;
        const png = colours?.files["colours.png"];
        if (colours === undefined || png === undefined) throw new Error("there is no such picture");
        const image = drawn(colours);
        const url = URL.createObjectURL(new Blob([bytesOf(png)]));
        const offscreen = new OffscreenCanvas(colours.width, colours.height);
        offscreen.getContext("2d")?.putImageData(image, 0, 0);
        const canvas = Object.assign(document.createElement("canvas"), {
          width: colours.width,
          height: colours.height,
        });
        canvas.getContext("2d")?.putImageData(image, 0, 0);
        seen["address of a Blob"] = await looked(url);
        seen["data address"] = await looked(`data:image/png;base64,${png}`);
        seen.ImageBitmap = await looked(await createImageBitmap(image));
        seen.OffscreenCanvas = await looked(offscreen);
        seen.canvas = await looked(canvas);
        const refused: Record<string, number | string> = {};
        for (const { name, file } of errors) refused[name] = await looked(new Blob([bytesOf(file)]));
        const large: (number | string)[] = [];
        for (const file of huge) large.push(await looked(new Blob([bytesOf(file)])));
        engine.dispose();
        return { seen, refused, large };
      },
      {
        entry: `${BASE_URL}pkg/dist/index.js`,
        model: new URL(`${MODEL}model.gguf`, BASE_URL).href,
        mmproj: new URL(`${MODEL}mmproj.gguf`, BASE_URL).href,
        ...golden,
        // 20 million pixels, and more than are read at once.
        huge: [white(5000, 4000), ...(FULL ? [white(10_000, 10_000)] : [])],
      },
    );
    const forms = ["address of a Blob", "data address", "ImageBitmap", "OffscreenCanvas", "canvas"];
    const same = [...golden.pictures.flatMap(({ files }) => Object.keys(files)), ...forms].map((name) => [name, 0]);
    const first = golden.pictures.map((_, i) => [`pixels ${String(i)}`, 1]);
    expect(found.seen).toEqual(Object.fromEntries([...first, ...same]));
    expect(found.refused).toEqual(Object.fromEntries(golden.errors.map(({ name, code }) => [name, code])));
    // White is white, however large: the tower looks at it once.
    expect(found.large).toEqual(FULL ? [1, 0] : [1]);
  });
}
