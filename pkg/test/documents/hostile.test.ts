import { describe, expect, it, vi } from "vitest";
import { Library, type Limits } from "../../src/documents/index.js";
import { code } from "../engine-support.js";
import { extractors, fixture } from "./support.js";

const open = (limits: Partial<Limits> = {}): Promise<Library> => Library.open({ extractors, limits });

async function errorOf(promise: Promise<unknown>): Promise<{ code: string; message: string; hint: string }> {
  return (await promise.catch((error: unknown) => error)) as { code: string; message: string; hint: string };
}

/** Returns the bytes of a zip archive whose entries are packed already. */
function zip(
  entries: { name: string; packed: Uint8Array; unpacked: number; method?: number; flags?: number }[],
): Uint8Array<ArrayBuffer> {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, packed, unpacked, method = 8, flags = 0 } of entries) {
    const local = Buffer.alloc(30 + name.length);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(packed.length, 18);
    local.writeUInt32LE(unpacked, 22);
    local.writeUInt16LE(name.length, 26);
    local.write(name, 30);
    const entry = Buffer.alloc(46 + name.length);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(flags, 8);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(unpacked, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    entry.write(name, 46);
    parts.push(local, Buffer.from(packed));
    directory.push(entry);
    at += local.length + packed.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  return Uint8Array.from(Buffer.concat([...parts, central, end]));
}

async function deflated(bytes: number): Promise<Uint8Array> {
  const packed = new Blob([new Uint8Array(bytes)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

describe("Library.add", () => {
  it("refuses what it does not read, and says what it is", async () => {
    const library = await open();
    const entry = { packed: new Uint8Array(1), unpacked: 1, method: 0 };
    const cases: [string | Uint8Array<ArrayBuffer>, string][] = [
      ["\u0089PNG\r\n", "a picture (PNG)"],
      ["{\\rtf1 hello}", "Rich Text"],
      ["a\0b", "neither text nor a known format"],
      [Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1), "Office before 2007"],
      [zip([{ name: "xl/workbook.xml", ...entry }]), "a workbook"],
      [zip([{ name: "a.txt", ...entry }]), "a zip archive"],
    ];
    for (const [bytes, what] of cases) {
      const blob = new Blob([typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes]);
      const error = await errorOf(library.add(blob));
      expect(error).toMatchObject({ code: "document_type" });
      expect(error.message).toContain(what);
    }
    expect(library.list()).toEqual([]);
    expect(await code(library.add({ name: "a" } as never))).toBe("invalid_request");
  });

  it("names a file that is damaged or empty", async () => {
    const library = await open();
    const docx = new Uint8Array(await fixture("bees.docx").arrayBuffer());
    const broken = docx.slice();
    // Both the archive's data and its directory stay in place; what is packed is not what it was.
    broken.fill(0x55, 300, 400);
    const files = [
      fixture("cut.pdf"),
      new Blob([docx.slice(0, 5000)]),
      new Blob([broken]),
      new Blob([zip([{ name: "word/document.xml", packed: new Uint8Array(3), unpacked: 3, method: 0 }])]),
      new Blob([]),
      { name: "a.txt", text: " \n" },
      { name: "a.html", text: "<!doctype html><script>1</script>" },
    ];
    for (const file of files) expect((await errorOf(library.add(file))).code).toBe("document_damaged");
    expect(library.list()).toEqual([]);
  });

  it("asks for the password of an encrypted file", async () => {
    const library = await open();
    const file = fixture("encrypted.pdf");
    const error = await errorOf(library.add(file));
    expect(error).toMatchObject({
      code: "document_encrypted",
      message: expect.stringContaining("needs a password") as string,
    });
    expect((await errorOf(library.add(file, { password: "wrong" }))).message).toContain("not its");
    expect((await library.add(file, { password: "stones" })).pages).toBe(4);
    const locked = zip([{ name: "word/document.xml", packed: new Uint8Array(3), unpacked: 3, method: 0, flags: 1 }]);
    expect(await code(library.add(new Blob([locked])))).toBe("document_encrypted");
    const name = Buffer.from("EncryptedPackage", "utf16le");
    const office = Buffer.concat([Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1), name]);
    expect(await code(library.add(new Blob([office])))).toBe("document_encrypted");
  });

  it("stops at the limits, whatever an archive says of itself", async () => {
    const small = await open({ bytes: 3000, characters: 500, pages: 3 });
    for (const file of [
      fixture("guide.pdf"),
      { name: "a", text: "x".repeat(3001) },
      { name: "a", text: "long. ".repeat(200) },
    ]) {
      expect((await errorOf(small.add(file))).code).toBe("document_too_large");
    }
    expect(await code((await open({ pages: 3 })).add(fixture("guide.pdf")))).toBe("document_too_large");
    // 16 MiB that claim to be 10 bytes.
    const bomb = zip([{ name: "word/document.xml", packed: await deflated(16 << 20), unpacked: 10 }]);
    expect(bomb.length).toBeLessThan(20_000);
    expect(await code((await open()).add(new Blob([bomb])))).toBe("document_too_large");
    const most = await open({ unpacked: 1 << 20, ratio: 1e9 });
    expect(await code(most.add(new Blob([bomb])))).toBe("document_too_large");
  });

  it("gives up a file that stops, and reads the next", async () => {
    const never = new Promise<never>(() => undefined);
    const pdfjs = { getDocument: () => ({ promise: never, destroy: () => Promise.resolve() }) };
    const library = await Library.open({
      extractors: { pdfjs: () => Promise.resolve(pdfjs) },
      limits: { stallMs: 20 },
    });
    const stopped = errorOf(library.add(fixture("guide.pdf")));
    const next = library.add({ name: "a.txt", text: "The next one." });
    expect((await stopped).code).toBe("document_stalled");
    expect((await next).state).toBe("words");
  });

  it("says what to install", async () => {
    const missing = (): Promise<never> => Promise.reject(new Error("Cannot find module"));
    const library = await Library.open({ extractors: { pdfjs: missing, mammoth: missing } });
    for (const [file, hint] of [
      [fixture("guide.pdf"), "npm install pdfjs-dist@"],
      [fixture("bees.docx"), "npm install mammoth@"],
      [{ name: "a.html", text: "<!doctype html><p>x" }, "parseHtml"],
    ] as const) {
      const error = await errorOf(library.add(file));
      expect(error).toMatchObject({ code: "extractor_missing" });
      expect(error.hint).toContain(hint);
    }
  });

  it("keeps a scan, and says that nothing is found in it", async () => {
    const library = await open();
    const info = await library.add(fixture("scanned.pdf"));
    expect(info).toMatchObject({ state: "pictures", passages: 0, pages: 2 });
    expect(info.remarks[0]).toContain("pictures");
  });

  it("says when the encoding was a guess", async () => {
    const library = await open();
    const { remarks } = await library.add(new File([Uint8Array.of(0x67, 0x72, 0xfc, 0x6e)], "a.txt"));
    expect(remarks).toEqual([expect.stringContaining("windows-1252")]);
  });

  it("is stopped by its signal and by the library's end", async () => {
    const library = await open();
    expect(await code(library.add(fixture("guide.pdf"), { signal: AbortSignal.abort() }))).toBe("cancelled");
    const running = library.add(fixture("guide.pdf"));
    await library.close();
    expect(["cancelled", "disposed"]).toContain(await code(running));
    expect(await code(library.add({ name: "a", text: "b" }))).toBe("disposed");
    expect(await code(library.search("b"))).toBe("disposed");
  });

  it("makes no request, whatever a file refers to", async () => {
    const fetched = vi.spyOn(globalThis, "fetch");
    const library = await open();
    for (const name of ["guide.pdf", "bees.docx", "columns.pdf"]) await library.add(fixture(name));
    await library.add({
      name: "a.html",
      text: '<!doctype html><p>text<img src="http://x.invalid/a"><link rel=stylesheet href="http://x.invalid/b"><iframe src="http://x.invalid/c"></iframe><script src="http://x.invalid/d"></script>',
    });
    await library.search("text");
    expect(fetched).not.toHaveBeenCalled();
    fetched.mockRestore();
  });
});
