/** Tests of whether a server still sends the same file, and of the parts of an address that do not identify it. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { shown, withoutSecrets } from "../src/source/address.js";
import { HttpSource, isOther } from "../src/source/http.js";

const BODY = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("isOther", () => {
  const of = (etag: string | null, modified: string | null = null): Parameters<typeof isOther>[0] => ({
    etag,
    modified,
  });
  it.each([
    ['"abc"', 'W/"abc"'],
    ['W/"abc"', '"abc"'],
    ['"abc-gzip"', '"abc"'],
    ['"abc;gzip"', 'W/"abc"'],
    ['"abc--br"', '"abc"'],
    ["abc", '"abc"'],
    ['"abc"', null],
  ])("knows %s and %s for the same", (a, b) => {
    expect(isOther(of(a), of(b))).toBe(false);
  });

  it.each([
    [of('"abc"'), of('"abd"')],
    [of('W/"abc"'), of('"ab"')],
    [of(null, "Mon"), of(null, "Tue")],
  ])("knows %j and %j for others", (a, b) => {
    expect(isOther(a, b)).toBe(true);
  });
});

/** Consecutive responses: an ETag, a date and the number of bytes after which the connection breaks, or a status. */
type Answer = { etag?: string; modified?: string; cut?: number } | number;

async function download(
  answers: Answer[],
  url = "https://cdn.example/m.gguf?X-Amz-Signature=s3cret",
): Promise<Uint8Array> {
  let asked = 0;
  vi.stubGlobal("fetch", (_: string, { headers }: RequestInit) => {
    const answer = answers[asked++] ?? {};
    if (typeof answer === "number") return Promise.resolve(new Response("", { status: answer }));
    const range = /bytes=(\d+)-(\d*)/.exec(new Headers(headers).get("Range") ?? "");
    const [from, last] = [Number(range?.[1] ?? 0), range?.[2]];
    const to = last ? Math.min(Number(last) + 1, 1000) : 1000;
    const found: Record<string, string> = { "Content-Length": String(to - from) };
    if (answer.etag !== undefined) found.ETag = answer.etag;
    if (answer.modified !== undefined) found["Last-Modified"] = answer.modified;
    if (range !== null) found["Content-Range"] = `bytes ${String(from)}-${String(to - 1)}/1000`;
    let isSent = false;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (!isSent) controller.enqueue(BODY.slice(from, Math.min(to, from + (answer.cut ?? 1000))));
        else if (answer.cut !== undefined) controller.error(new TypeError("network"));
        else controller.close();
        isSent = true;
      },
    });
    return Promise.resolve(new Response(body, { status: range === null ? 200 : 206, headers: found }));
  });
  const parts: Uint8Array[] = [];
  for await (const chunk of new HttpSource(url, new AbortController().signal, { retries: 3 }).chunks())
    parts.push(chunk);
  return new Uint8Array(Buffer.concat(parts));
}

describe("a download", () => {
  it.each<[string, Answer[]]>([
    ["an ETag that gets weak", [{ etag: '"a"', cut: 100 }, { etag: 'W/"a"' }]],
    [
      "another node, with the same date",
      [
        { etag: '"a"', modified: "Mon", cut: 100 },
        { etag: '"b"', modified: "Mon" },
      ],
    ],
    ["a signature that expires", [{ cut: 100 }, 403, {}]],
    ["a signature that expires twice", [{ cut: 100 }, 403, { cut: 100 }, 401, {}]],
    ["a break and then a signature that expires", [{ cut: 100 }, 503, 400, {}]],
  ])("goes on after %s", async (_, answers) => {
    expect(await download(answers)).toEqual(BODY);
  });

  it.each<[string, Answer[], object]>([
    ["a refusal at first", [403], { code: "download_http", status: 403 }],
    ["a refusal that stays", [{ cut: 100 }, 403, 403, {}], { code: "download_http", status: 403 }],
    [
      "another file",
      [
        { etag: '"a"', modified: "Mon", cut: 100 },
        { etag: '"b"', modified: "Tue" },
      ],
      { code: "download_changed" },
    ],
  ])("ends after %s, and names no secret", async (_, answers, expected) => {
    const error = await download(answers).catch((reason: unknown) => reason);
    expect(error).toMatchObject(expected);
    expect((error as Error).message).toContain("https://cdn.example/m.gguf");
    expect((error as Error).message).not.toContain("s3cret");
  });
});

describe("an address", () => {
  it.each([
    [
      "https://s3.example/m.gguf?X-Amz-Signature=a&X-Amz-Expires=9&x-id=GetObject",
      "https://s3.example/m.gguf?x-id=GetObject",
    ],
    ["https://x.blob.core.windows.net/c/m.gguf?sv=1&se=2&sr=b&sp=r&sig=a", "https://x.blob.core.windows.net/c/m.gguf"],
    ["https://cdn.example/m?Expires=1&Signature=a&Key-Pair-Id=K&file=m", "https://cdn.example/m?file=m"],
    ["https://a.example/m.gguf?token=a", "https://a.example/m.gguf"],
    ["https://a.example/get?sp=7&expires=never&key=m.gguf#x", "https://a.example/get?sp=7&expires=never&key=m.gguf"],
    ["https://a.example/m.gguf?download=true", "https://a.example/m.gguf?download=true"],
  ])("without what only opens it: %s", (url, expected) => {
    expect(withoutSecrets(url)).toBe(expected);
  });

  it("is shown without its query", () => {
    expect(shown("https://a.example/m.gguf?a=1#b")).toBe("https://a.example/m.gguf");
    expect(shown("https://a.example/m.gguf")).toBe("https://a.example/m.gguf");
  });
});
