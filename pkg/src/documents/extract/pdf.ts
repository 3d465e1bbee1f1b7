/** PDF, by pdf.js, which is loaded only then. Nothing of the file is run, and nothing is fetched but its cmaps. */
import { HearthError } from "../../core/errors.js";
import type { Block, Extracted } from "../blocks.js";
import { withoutRunningHeads } from "../clean.js";
import { damaged, step, tooLarge } from "../limits.js";
import type { ExtractOptions } from "./index.js";
import { linesOf, type PageLine, type TextItem } from "./pdf-lines.js";
import { blocksOfPages } from "./pdf-blocks.js";

/** The part of pdf.js that is used. */
interface PdfJs {
  getDocument(options: Record<string, unknown>): PdfTask;
  GlobalWorkerOptions: { workerSrc: string; workerPort: unknown };
}
interface PdfTask {
  promise: Promise<PdfFile>;
  destroy(): Promise<void>;
}
interface PdfFile {
  numPages: number;
  getPage(number: number): Promise<PdfPage>;
  getPageLabels(): Promise<string[] | null>;
}
interface PdfPage {
  getTextContent(): Promise<{ items: (TextItem | { type: string })[] }>;
  cleanup(): void;
}

/** Characters on a page below which it is taken for a picture. */
const FEWEST = 20;

export async function extractPdf(bytes: Uint8Array, name: string, options: ExtractOptions): Promise<Extracted> {
  const { limits, signal, password, onProgress } = options;
  const pdfjs = await load(name, options.pdfjs);
  const cMaps = options.cMapUrl === undefined ? {} : { cMapUrl: options.cMapUrl, cMapPacked: true };
  // pdf.js hands the bytes to its worker, and they are gone here: it gets a copy.
  const fixed = {
    data: bytes.slice(),
    isEvalSupported: false,
    disableFontFace: true,
    useWasm: false,
    useSystemFonts: false,
  };
  let task: PdfTask | undefined;
  const wait = <T>(work: Promise<T>): Promise<T> => step(name, limits.stallMs, signal, work);
  try {
    task = pdfjs.getDocument({ ...fixed, ...cMaps, enableXfa: false, verbosity: 0, password });
    const file = await wait(task.promise);
    if (file.numPages > limits.pages) throw tooLarge(name, "pages", limits.pages, file.numPages);
    const labels = await wait(file.getPageLabels().catch(() => null));
    const pages: { label: string; lines: PageLine[] }[] = [];
    let [characters, empty] = [0, 0];
    for (let number = 1; number <= file.numPages; number++) {
      const page = await wait(file.getPage(number));
      const { items } = await wait(page.getTextContent());
      page.cleanup();
      const lines = linesOf(items.filter((item): item is TextItem => "str" in item));
      const length = lines.reduce((sum, { text }) => sum + text.replace(/\s/g, "").length, 0);
      characters += length;
      if (length < FEWEST) empty++;
      if (characters > limits.characters) throw tooLarge(name, "characters", limits.characters, "more");
      pages.push({ label: labels?.[number - 1] ?? String(number), lines });
      onProgress?.({ phase: "reading", page: number, pages: file.numPages });
    }
    const isPictures = characters < FEWEST * file.numPages;
    const blocks: Block[] = isPictures ? [] : blocksOfPages(withoutRunningHeads(pages));
    // Without cmaps, texts in these scripts are as if they were not there.
    const perhaps = options.cMapUrl === undefined ? " One in Chinese, Japanese or Korean may need `cMapUrl`." : "";
    const remarks = isPictures
      ? [`The pages have no text: they are pictures.${perhaps}`]
      : empty > 0
        ? [`${String(empty)} of ${String(file.numPages)} pages have no text.${perhaps}`]
        : [];
    return { blocks, pages: file.numPages, remarks, isPictures };
  } catch (error) {
    throw asError(name, error, password !== undefined);
  } finally {
    void task?.destroy().catch(() => undefined);
  }
}

function asError(name: string, error: unknown, hasPassword: boolean): HearthError {
  if (error instanceof HearthError) return error;
  if (error instanceof Error && error.name === "PasswordException") {
    const why = hasPassword ? "the password is not its" : "it needs a password";
    return new HearthError("document_encrypted", `${name} is encrypted: ${why}`, { cause: error });
  }
  return damaged(name, "it is not a whole PDF", error);
}

async function load(name: string, own: (() => Promise<unknown>) | undefined): Promise<PdfJs> {
  try {
    if (own !== undefined) return (await own()) as PdfJs;
    // The build for older browsers runs in all that have WebGPU, and in Node.
    const pdfjs = (await import("pdfjs-dist/legacy/build/pdf.mjs")) as unknown as PdfJs;
    const { workerSrc, workerPort } = pdfjs.GlobalWorkerOptions;
    // A module that defines `globalThis.pdfjsWorker`, which pdf.js then uses without an address of its worker.
    if (workerPort === null && (workerSrc === "" || isNode())) await import("pdfjs-dist/legacy/build/pdf.worker.mjs");
    return pdfjs;
  } catch (cause) {
    throw new HearthError(
      "extractor_missing",
      `${name} is a PDF, and pdfjs-dist, which reads it, is not installed or does not load`,
      {
        hint: "Install it: npm install pdfjs-dist@5.6.205",
        cause,
      },
    );
  }
}

function isNode(): boolean {
  return "process" in globalThis && !("window" in globalThis);
}
