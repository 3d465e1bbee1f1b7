/** The visitor's documents: added, kept, removed, and asked. Loaded on demand. */
import { batch, computed, signal } from "@preact/signals";
import { HearthError } from "hearth-llm";
import {
  ask,
  Library,
  type AnswerStream,
  type DocumentInfo,
  type LibraryNotice,
  type MeaningState,
} from "hearth-llm/documents";
import { ReadingWorker, WorkerWords } from "hearth-llm/documents/worker";
import { CMAPS } from "../lib/cmaps.js";
import type { Citation, SourcesPart } from "../store/sources.js";
import { openPlain, type OpenAnswer } from "./answering.js";
import { dropEmbedder, embedder, fetchEmbedder, restoreEmbedder } from "./embedder.js";
import { change, settings } from "./settings.js";
import { protect } from "./storage.js";

/** A line of the list: a document, or a file on its way to become one. */
export type Entry =
  | { key: string; name: string; bytes: number; state: "reading"; file: File; page?: number; pages?: number }
  | { key: string; name: string; bytes: number; state: "failed"; file: File; error: unknown }
  | { key: string; name: string; bytes: number; state: "ready"; info: DocumentInfo };

/** Documents in the order in which they were added, then the files that are no documents yet, or will be none. */
export const entries = signal<readonly Entry[]>([]);
/** Why the documents are lost when the page is closed; undefined if they are kept. */
export const notKept = signal<LibraryNotice | undefined>(undefined);
/** Progress of the vectors by which documents are found by meaning. */
export const meaning = signal<MeaningState>({ state: "off", done: 0, total: 0, rate: 0 });
/** Whether a file is being read. */
export const isReading = computed(() => entries.value.some(({ state }) => state === "reading"));

let opening: Promise<Library> | undefined;
/** Ends the reading of a file, by its key. */
const reading = new Map<string, AbortController>();

/** Opens the library once; after a failure it is tried again. */
export function opened(): Promise<Library> {
  return (opening ??= open().catch((error: unknown) => {
    opening = undefined;
    throw error;
  }));
}

async function open(): Promise<Library> {
  const worker = new ReadingWorker();
  const hasEmbedder = await restoreEmbedder();
  const library = await Library.open({
    ...(hasEmbedder ? { embedder } : {}),
    words: new WorkerWords(),
    extractors: { read: worker.read, cMapUrl: new URL(CMAPS, document.baseURI).href },
    onNotice: (notice) => {
      if (notice.code === "not_kept") notKept.value = notice;
    },
  });
  follow(library);
  return library;
}

/** Time between two looks at the progress of the vectors. */
const LOOK_MS = 500;
let looking: ReturnType<typeof setTimeout> | undefined;

/** Shows the documents and, as long as vectors are made, their progress. */
function follow(library: Library): void {
  clearTimeout(looking);
  show(library);
  if (meaning.peek().state !== "indexing") return;
  looking = setTimeout(() => {
    follow(library);
  }, LOOK_MS);
}

/** Finds documents by meaning as well, for which the embedder is fetched if it is not here; or by words alone. */
export async function findByMeaning(isWanted: boolean): Promise<void> {
  if (!isWanted) dropEmbedder();
  else if (!(await fetchEmbedder())) return;
  const library = await opened();
  await library.use(isWanted ? { embedder } : {});
  follow(library);
}

/** Reads files one after another; each is a line of the list from the beginning. */
export async function add(files: readonly File[], password?: string): Promise<void> {
  const added = files.map((file) => ({ key: crypto.randomUUID(), file }));
  entries.value = [
    ...entries.value,
    ...added.map(({ key, file }): Entry => ({ key, name: file.name, bytes: file.size, state: "reading", file })),
  ];
  // Asked for as with models: a browser short of room clears other sites first.
  void protect();
  for (const { key } of added) reading.set(key, new AbortController());
  for (const { key, file } of added) await read(key, file, password);
}

async function read(key: string, file: File, password: string | undefined): Promise<void> {
  const { signal } = reading.get(key) ?? new AbortController();
  try {
    const library = await opened();
    await library.add(file, {
      ...(password === undefined ? {} : { password }),
      signal,
      onProgress: ({ page, pages }) => {
        if (page !== undefined && pages !== undefined) update(key, { page, pages });
      },
    });
    batch(() => {
      drop(key);
      follow(library);
      // A visitor who adds a document wants to ask it.
      change({ asksDocuments: true });
    });
  } catch (error) {
    if (error instanceof HearthError && error.code === "cancelled") drop(key);
    else update(key, { state: "failed", error });
  } finally {
    reading.delete(key);
  }
}

/** Tries a file that failed once more, with its password if it needs one. */
export async function retry(entry: Entry & { state: "failed" }, password?: string): Promise<void> {
  drop(entry.key);
  await add([entry.file], password);
}

/** Removes a document, ends the reading of a file, or forgets one that failed. */
export async function remove(entry: Entry): Promise<void> {
  reading.get(entry.key)?.abort();
  if (entry.state !== "ready") {
    drop(entry.key);
    return;
  }
  const library = await opened();
  await library.delete(entry.info.id);
  follow(library);
}

export async function removeAll(): Promise<void> {
  for (const entry of entries.peek()) await remove(entry);
}

function update(key: string, changes: object): void {
  entries.value = entries.value.map((entry) => (entry.key === key ? { ...entry, ...changes } : entry));
}

function drop(key: string): void {
  entries.value = entries.value.filter((entry) => entry.key !== key);
}

/** Shows the library's documents, and counts them for the next visit. */
function show(library: Library): void {
  // The database has them in another order.
  const documents = library.list().sort((a, b) => a.added - b.added);
  const ready = documents.map((info): Entry => {
    const { id, name, bytes } = info;
    return { key: id, name, bytes, state: "ready", info };
  });
  batch(() => {
    meaning.value = library.stats().meaning;
    entries.value = [...ready, ...entries.value.filter(({ state }) => state !== "ready")];
    if (settings.peek().documents !== documents.length) change({ documents: documents.length });
  });
}

/** Answers a question from the documents. */
export const openFromDocuments: OpenAnswer = async (backend, request, signal) => {
  const library = await opened();
  if (library.list().length === 0) return openPlain(backend, request, signal);
  const { stream_options, ...others } = request;
  // The answer's limit is kept free of passages; one of the whole context would leave no room for any.
  const { max_tokens } = request;
  const most = Math.floor((backend.model.n_ctx ?? Number.POSITIVE_INFINITY) / 2);
  const limit = typeof max_tokens === "number" ? { max_tokens: Math.min(max_tokens, most) } : {};
  const stream = await ask(backend, { ...others, ...limit, stream_options: stream_options ?? null, library, signal });
  const sources = partOf(stream);
  const cited = async (): Promise<SourcesPart> => {
    // The stream has ended, or was ended: what has come of the answer is read.
    const { annotations } = await stream.message();
    const citations = annotations.map(({ file_citation }): Citation => {
      const { number, page, start, end, supported } = file_citation;
      return { number, page, start, end, isSupported: supported };
    });
    return { ...sources, citations };
  };
  return { chunks: stream, sources, cited };
};

function partOf({ sources, messages }: AnswerStream): SourcesPart {
  const { content = "" } = messages.at(-1) ?? {};
  const prompt = Array.isArray(content) ? content.find((part) => part.type === "text")?.text : content;
  return {
    type: "sources",
    sources: sources.map(({ number, document, text, start, end, page, headings }) => {
      const { id, name } = document;
      return { title: name, quote: text, from: id, number, page, start, end, headings };
    }),
    ...(prompt === undefined || prompt === null ? {} : { prompt }),
  };
}
