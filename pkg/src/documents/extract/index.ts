/** Files to blocks, each by the extractor of its type. */
import type { Extracted } from "../blocks.js";
import type { Ingest } from "../ingest.js";
import type { Limits } from "../limits.js";
import type { Sniffed } from "../sniff.js";
import type { AddProgress } from "../types.js";
import { extractCode } from "./code.js";
import { extractHtml, type ParseHtml } from "./html.js";
import { extractMarkdown } from "./markdown.js";
import { extractText } from "./text.js";

/** Parts of extractors that take the place of what the package finds by itself. */
export interface Extractors {
  /**
   * Loads pdf.js, for instance one whose worker the page has chosen. Default: `pdfjs-dist`, on the page's own thread.
   */
  pdfjs?: () => Promise<unknown>;
  /** Loads mammoth. Default: `mammoth`. */
  mammoth?: () => Promise<unknown>;
  /** Parses HTML where there is no DOMParser. */
  parseHtml?: ParseHtml;
  /** Reads files elsewhere: that of a `ReadingWorker` (`hearth-llm/documents/worker`) does so in a worker. */
  read?: Ingest;
  /** Folder of pdf.js's `cmaps`, on the page's own origin, for PDFs of Chinese, Japanese and Korean. */
  cMapUrl?: string;
}

export interface ExtractOptions extends Extractors {
  limits: Limits;
  signal?: AbortSignal | undefined;
  password?: string | undefined;
  onProgress?: ((progress: AddProgress) => void) | undefined;
}

export async function extract(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
  { type, decoded }: Sniffed,
  options: ExtractOptions,
): Promise<Extracted> {
  const { limits, signal } = options;
  // Loaded with the first file of their type, as the libraries that they need are.
  if (type === "pdf") {
    const { extractPdf } = await import("./pdf.js");
    return extractPdf(bytes, name, options);
  }
  if (type === "docx") {
    const { extractDocx } = await import("./docx.js");
    return extractDocx(bytes, name, { limits, signal, load: options.mammoth });
  }
  const { text = "", guessed } = decoded ?? {};
  const found =
    type === "html"
      ? extractHtml(text, name, options.parseHtml)
      : type === "markdown"
        ? extractMarkdown(text)
        : type === "code"
          ? extractCode(text)
          : extractText(text);
  const remark = `The text's encoding is unknown; it was read as ${guessed ?? ""}.`;
  return guessed === undefined ? found : { ...found, remarks: [...found.remarks, remark] };
}
