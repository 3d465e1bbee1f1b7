import { describe, expect, it } from "vitest";
import { kindOf } from "../src/lib/file-kind.js";
import { toJson, toMarkdown } from "../src/store/exchange.js";
import { message } from "./messages.js";

const latin = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(text, (c) => c.charCodeAt(0));

function safetensors(header: string, length = header.length): Uint8Array<ArrayBuffer> {
  const bytes = latin(`........${header}`);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  return bytes;
}

const conversation = { id: "c", title: "A", created: 1, updated: 2, leaf: "a", system: "" };
const bundle = { conversation, messages: [message("a", null, 1, "Hi")], files: [] };
const exported = await toJson([bundle]);
/** Conversations as another tool may write them again: the field that tells them comes last. */
const sorted = JSON.stringify({ conversations: ["x".repeat(100_000)], format: "hearth-conversations", version: 2 });
// A character of three bytes lies across the border of what is read.
const long = `ab${"火".repeat(30_000)}`;

describe("a file is recognised by its content", () => {
  it.each<[string, string, BlobPart]>([
    ["model", "GGUF", "GGUF\x03\0\0\0"],
    ["model", "safetensors", safetensors('{"a":{}}')],
    ["conversations", "exported as JSON", exported],
    ["conversations", "exported as JSON, long and in another order", sorted],
    ["conversations", "exported as Markdown", toMarkdown(bundle)],
    ["conversations", "exported as Markdown, with Windows' line ends", toMarkdown(bundle).replaceAll("\n", "\r\n")],
    ["text", "a configuration", '{"architectures":["LlamaForCausalLM"]}'],
    ["text", "Markdown", "# Notes\n\nA `<!-- hearth:user -->` in a line."],
    ["text", "long, in Chinese", long],
    ["text", "a page of HTML", "<!doctype html>"],
    ["image", "PNG", latin("\x89PNG\r\n\x1a\n\0\0")],
    ["image", "JPEG", latin("\xff\xd8\xff\xe0\0\x10JFIF")],
    ["image", "GIF", "GIF89a\x01\0"],
    ["image", "WebP", latin("RIFF\x10\0\0\0WEBPVP8 ")],
    ["image", "AVIF", latin("\0\0\0\x20ftypavif\0\0\0\0")],
    ["audio", "WAV", latin("RIFF\x10\0\0\0WAVEfmt ")],
    ["audio", "MP3 with tags", "ID3\x04\0"],
    ["audio", "MP3 without tags", latin("\xff\xfb\x90\x64")],
    ["audio", "Ogg", "OggS\0\x02"],
    ["audio", "FLAC", "fLaC\0\0"],
    ["audio", "M4A", latin("\0\0\0\x20ftypM4A \0\0\0\0")],
    ["audio", "an audio book", latin("\0\0\0\x20ftypM4B \0\0\0\0")],
    ["audio", "a phone's recording", latin("\0\0\0\x1cftypmp42\0\0\0\0")],
    ["audio", "an old phone's", latin("\0\0\0\x1cftyp3gp4\0\0\0\0")],
    ["audio", "WebM", latin("\x1aE\xdf\xa3\x9f")],
    ["unknown", "empty", ""],
    ["document", "a PDF", latin("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")],
    ["document", "a zip archive, as DOCX is", latin("PK\x03\x04\x14\0\x06\0")],
    ["unknown", "another RIFF", latin("RIFF\x10\0\0\0AVI LIST")],
    ["unknown", "a length that the file does not have", safetensors('{"a":{}}', 9_000)],
    ["unknown", "zeros", new Uint8Array(100)],
  ])("%s: %s", async (kind, _, content) => {
    // Its name and type say nothing.
    expect(await kindOf(new File([content], "file.png", { type: "image/png" }))).toBe(kind);
  });

  it("unknown: a folder, which cannot be read", async () => {
    const folder = new File([], "folder");
    folder.slice = () => ({ arrayBuffer: () => Promise.reject(new Error("a folder")) }) as never;
    expect(await kindOf(folder)).toBe("unknown");
  });
});
