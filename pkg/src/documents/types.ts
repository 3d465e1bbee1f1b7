/** Types of a library of documents that callers meet. */
import type { Backend } from "../backend/backend.js";
import type { HearthError } from "../core/errors.js";

/** A model for embeddings, ranking or answers: an engine, a remote model, a router, or any backend. */
export type Model = Backend | { readonly backend: Backend };

export type DocumentType = "pdf" | "docx" | "html" | "markdown" | "text" | "code";

/**
 * `pictures`: the pages have no text (a scan), so nothing is found in them. `words`: found by words, its vectors are not
 * all there. `ready`: found by words and by meaning.
 */
export type DocumentState = "pictures" | "words" | "ready";

export interface DocumentInfo {
  /** Derived from the file's bytes: the same bytes are the same document. */
  id: string;
  name: string;
  type: DocumentType;
  /** Length of the file. */
  bytes: number;
  /** Length of the text, in UTF-16 units as all offsets. */
  characters: number;
  /** Number of pages; null for formats without them. */
  pages: number | null;
  passages: number;
  /** Passages that have a vector of the present embedder. */
  embedded: number;
  state: DocumentState;
  /** Facts that a reader should know: a guessed encoding, pages without text. */
  remarks: string[];
  /** Milliseconds since 1970. */
  added: number;
}

/** Scores of a passage; null where that ranking did not see it. */
export interface PassageScores {
  /** BM25+. */
  words: number | null;
  /** Cosine. */
  meaning: number | null;
  rerank: number | null;
}

export interface Passage {
  id: string;
  document: { id: string; name: string; type: DocumentType };
  /** Part of the document's text from `start` to `end`. */
  text: string;
  start: number;
  end: number;
  /** Label of the page on which it begins. */
  page: string | null;
  /** Headings above it, the outermost first. */
  headings: string[];
  score: number;
  scores: PassageScores;
}

/** A passage with the texts around it in its section. */
export interface PassageInContext extends Omit<Passage, "score" | "scores"> {
  previous: { id: string; text: string } | null;
  next: { id: string; text: string } | null;
}

export interface AddProgress {
  phase: "reading" | "splitting";
  /** Pages read so far, for PDF. */
  page?: number;
  pages?: number;
}

/** Event that a user should know of, and that no call rejects with. */
export interface LibraryNotice {
  /**
   * `not_kept`: no room, or no IndexedDB; the library lives until the page closes. `embedder_lost`: indexing is paused.
   * `words_only`: a search went without meaning. `reranker_failed`: a search went without the reranker.
   */
  code: "not_kept" | "embedder_lost" | "words_only" | "reranker_failed";
  message: string;
  hint: string;
}

/** Progress of the vectors. */
export interface MeaningState {
  /** `off`: there is no embedder. `paused`: it failed; see `reason` and `Library.use`. */
  state: "off" | "indexing" | "ready" | "paused";
  done: number;
  total: number;
  /** Passages a second in the last call; 0 before the first. */
  rate: number;
  reason?: HearthError;
}

export interface LibraryStats {
  documents: number;
  passages: number;
  characters: number;
  /** Bytes of the vectors in memory. */
  vectorBytes: number;
  meaning: MeaningState;
  /** Whether the library outlives the page. */
  kept: boolean;
}

/** Returns the backend of a model in any of its forms. */
export function backendOf(model: Model): Backend {
  return "backend" in model ? model.backend : model;
}
