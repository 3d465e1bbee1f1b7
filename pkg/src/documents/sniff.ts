/** Type of a file, told by its bytes; its name only decides between kinds of text. */
import { HearthError } from "../core/errors.js";
import { decode, type Decoded } from "./encoding.js";
import { languageOf } from "./extract/languages.js";
import { damaged } from "./limits.js";
import type { DocumentType } from "./types.js";
import { entriesOf, isZip } from "./zip.js";

export interface Sniffed {
  type: DocumentType;
  /** Present for the kinds of text. */
  decoded?: Decoded;
}

/** Beginnings of files that are known and not read, in Latin-1. */
const REFUSED: [start: string, what: string][] = [
  ["\x89PNG", "a picture (PNG)"],
  ["\xff\xd8\xff", "a picture (JPEG)"],
  ["GIF8", "a picture (GIF)"],
  ["II*\0", "a picture (TIFF)"],
  ["MM\0*", "a picture (TIFF)"],
  ["{\\rtf", "a file in Rich Text Format"],
  ["GGUF", "a model (GGUF)"],
  ["\x1f\x8b", "compressed (gzip)"],
  ["Rar!", "an archive (RAR)"],
  ["7z\xbc\xaf", "an archive (7z)"],
  ["\x7fELF", "a program"],
  ["MZ\x90", "a program"],
];
const OLE = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
/** Files in zip archives by which other formats are known. */
const ARCHIVES: [entry: RegExp, what: string][] = [
  [/^xl\//, "a workbook (XLSX)"],
  [/^ppt\//, "a presentation (PPTX)"],
  [/^META-INF\/container\.xml$/, "a book (EPUB)"],
  [/^content\.xml$/, "an OpenDocument file"],
];

export function sniff(bytes: Uint8Array, name: string): Sniffed {
  const head = latin1(bytes.subarray(0, 1024));
  if (head.includes("%PDF-")) return { type: "pdf" };
  if (isZip(bytes)) {
    const entries = entriesOf(bytes, name).map((entry) => entry.name);
    if (entries.includes("word/document.xml")) return { type: "docx" };
    throw unknown(name, ARCHIVES.find(([file]) => entries.some((entry) => file.test(entry)))?.[1] ?? "a zip archive");
  }
  if (head.startsWith(OLE)) {
    // Word keeps a document with a password in a container of the older format.
    if (contains(bytes, utf16("EncryptedPackage"))) {
      throw new HearthError("document_encrypted", `${name} is protected by a password`, {
        hint: "Save it without a password: only a PDF's password can be given here.",
      });
    }
    throw unknown(name, "a file of Office before 2007");
  }
  const refused = REFUSED.find(([start]) => head.startsWith(start));
  if (refused !== undefined) throw unknown(name, refused[1]);
  const decoded = decode(bytes);
  if (decoded.text.includes("\0")) throw unknown(name, "neither text nor a known format");
  if (decoded.text.trim() === "") throw damaged(name, "it is empty");
  return { type: textType(decoded.text, name), decoded };
}

function unknown(name: string, what: string): HearthError {
  return new HearthError("document_type", `${name} is ${what}: expected PDF, DOCX, HTML, Markdown, text or code`);
}

const MARKDOWN_NAME = /\.(md|markdown|mdx|mkd)$/i;
const HTML_START = /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]{0,2000}?-->\s*)*<(?:!doctype\s+html|html|head|body)[\s>]/i;

function textType(text: string, name: string): DocumentType {
  if (HTML_START.test(text.slice(0, 4096))) return "html";
  if (MARKDOWN_NAME.test(name)) return "markdown";
  if (languageOf(name) !== undefined) return "code";
  if (/\.x?html?$/i.test(name) && /<\/?(p|div|h[1-6]|ul|table|span)[\s>]/i.test(text)) return "html";
  const hasName = /\.(txt|text|log|csv|tsv)$/i.test(name);
  const isMarked = /^(#{1,6} \S|```|\|.*\|$)/m.test(text.slice(0, 20_000)) && /^#{1,6} \S/m.test(text);
  return !hasName && isMarked ? "markdown" : "text";
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function utf16(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length * 2 }, (_, i) => (i % 2 === 0 ? text.charCodeAt(i / 2) : 0));
}

function contains(bytes: Uint8Array, wanted: Uint8Array): boolean {
  const last = bytes.length - wanted.length;
  for (let at = bytes.indexOf(wanted[0] ?? 0); at !== -1 && at <= last; at = bytes.indexOf(wanted[0] ?? 0, at + 1)) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}
