/** The user's own documents: read, found by words and meaning, and quoted in answers. Nothing leaves the device. */
export { Library } from "./library.js";
export type { AddOptions, LibraryModels, LibraryOptions, SearchOptions } from "./library.js";
export { ask, AnswerStream, type AnswerMessage, type AskParams } from "./ask.js";
export { MemoryStore, type DocumentStore, type StoredDocument } from "./store.js";
export type { Mark } from "./blocks.js";
export type { FileCitation } from "./citations.js";
export type { ExtractOptions, Extractors } from "./extract/index.js";
export type { ParseHtml } from "./extract/html.js";
export type { MarkupNode } from "./extract/markup.js";
export type { DocumentSource, Ingest, SourceBytes } from "./ingest.js";
export type { Limits } from "./limits.js";
export type { Prefixes } from "./prefixes.js";
export type { Source } from "./prompt.js";
export type { SearchMode } from "./ranking.js";
export type { LibraryTool } from "./tool.js";
export type {
  AddProgress,
  DocumentInfo,
  DocumentState,
  DocumentType,
  LibraryNotice,
  LibraryStats,
  MeaningState,
  Model,
  Passage,
  PassageInContext,
  PassageScores,
} from "./types.js";
export type { Entry, Scored, Words } from "./words.js";
export type { VectorSegment } from "./vectors.js";
