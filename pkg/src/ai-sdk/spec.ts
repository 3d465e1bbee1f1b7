/**
 * The part of the AI SDK's provider specification that is served here: version 4 (`ai` 7), and version 3 (`ai` 6),
 * whose shapes are the same as far as they are used. The types are written out, so that the package needs none of the
 * SDK's; the tests assign them to those of `@ai-sdk/provider`.
 */

export type Json = null | string | number | boolean | Json[] | { [key: string]: Json | undefined };

/** Versions of the specification: `"v4"` is that of `ai` 7, `"v3"` that of `ai` 6. */
export type Specification = "v3" | "v4";

/** Fields by provider; those of `hearth` are passed on with the request, under the names of OpenAI's API. */
export type ProviderOptions = Record<string, Record<string, unknown> | undefined>;

/** A setting without effect, or with less than it promises. */
export interface Warning {
  type: "unsupported" | "compatibility";
  feature: string;
  details?: string;
}

/** A part of a message. Which of the fields it has depends on its type. */
export interface PromptPart {
  type: string;
  text?: string;
  toolCallId?: string;
  toolName?: string;
  input?: unknown;
  output?: ToolOutput;
  /** Type of a file, and its bytes or address: bare in version 3, with their kind in version 4. */
  mediaType?: string;
  data?: unknown;
  providerOptions?: ProviderOptions;
}

export interface ToolOutput {
  type: string;
  value?: unknown;
  reason?: string;
}

export interface PromptMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string | readonly PromptPart[];
}

export interface CallTool {
  type: "function" | "provider";
  name: string;
  description?: string;
  inputSchema?: unknown;
  inputExamples?: readonly unknown[];
  strict?: boolean;
  id?: string;
}

export interface CallOptions {
  prompt: readonly PromptMessage[];
  maxOutputTokens?: number;
  temperature?: number;
  stopSequences?: string[];
  topP?: number;
  topK?: number;
  presencePenalty?: number;
  frequencyPenalty?: number;
  responseFormat?: { type: "text" } | { type: "json"; schema?: unknown; name?: string; description?: string };
  seed?: number;
  tools?: readonly CallTool[];
  toolChoice?: { type: "auto" | "none" | "required" } | { type: "tool"; toolName: string };
  includeRawChunks?: boolean;
  abortSignal?: AbortSignal;
  /** Efforts of reasoning (version 4). */
  reasoning?: string;
  providerOptions?: ProviderOptions;
}

/** Tokens of a call; undefined where the server does not report them. */
export interface CallUsage {
  inputTokens: {
    total: number | undefined;
    noCache: number | undefined;
    cacheRead: number | undefined;
    cacheWrite: number | undefined;
  };
  outputTokens: { total: number | undefined; text: number | undefined; reasoning: number | undefined };
}

export interface CallFinish {
  unified: "stop" | "length" | "tool-calls" | "error" | "other";
  raw: string | undefined;
}

export interface ToolCall {
  type: "tool-call";
  toolCallId: string;
  toolName: string;
  /** JSON as the model wrote it. */
  input: string;
}

export type CallContent = { type: "text"; text: string } | { type: "reasoning"; text: string } | ToolCall;

/** Facts about an answer beyond the specification: `timings` and `served_by`, under `hearth`. */
export type CallMetadata = Record<string, Record<string, Json>>;

export interface ResponseMetadata {
  id: string;
  timestamp: Date;
  modelId: string;
}

export interface CallResult {
  content: CallContent[];
  finishReason: CallFinish;
  usage: CallUsage;
  providerMetadata?: CallMetadata;
  request: { body: unknown };
  response: ResponseMetadata;
  warnings: Warning[];
}

export type StreamPart =
  | { type: "stream-start"; warnings: Warning[] }
  | ({ type: "response-metadata" } & ResponseMetadata)
  | { type: "text-start" | "text-end" | "reasoning-start" | "reasoning-end" | "tool-input-end"; id: string }
  | { type: "text-delta" | "reasoning-delta" | "tool-input-delta"; id: string; delta: string }
  | { type: "tool-input-start"; id: string; toolName: string }
  | ToolCall
  | { type: "finish"; usage: CallUsage; finishReason: CallFinish; providerMetadata?: CallMetadata }
  | { type: "error"; error: unknown }
  | { type: "raw"; rawValue: unknown };

export interface StreamResult {
  stream: ReadableStream<StreamPart>;
  request: { body: unknown };
}

export interface LanguageModel<Version extends Specification> {
  readonly specificationVersion: Version;
  readonly provider: string;
  readonly modelId: string;
  /** Addresses that the model fetches itself: pictures. */
  readonly supportedUrls: Record<string, RegExp[]>;
  doGenerate(options: CallOptions): Promise<CallResult>;
  doStream(options: CallOptions): Promise<StreamResult>;
}

export interface EmbeddingModel<Version extends Specification> {
  readonly specificationVersion: Version;
  readonly provider: string;
  readonly modelId: string;
  /** Undefined: as many as the caller has. */
  readonly maxEmbeddingsPerCall: undefined;
  readonly supportsParallelCalls: boolean;
  doEmbed(options: {
    values: string[];
    /** Shortens the embeddings (version 4). */
    dimensions?: number;
    abortSignal?: AbortSignal;
    providerOptions?: ProviderOptions;
  }): Promise<{ embeddings: number[][]; usage: { tokens: number }; warnings: Warning[] }>;
}

export interface RerankingModel<Version extends Specification> {
  readonly specificationVersion: Version;
  readonly provider: string;
  readonly modelId: string;
  doRerank(options: {
    documents: { type: "text"; values: string[] } | { type: "object"; values: object[] };
    query: string;
    topN?: number;
    abortSignal?: AbortSignal;
    providerOptions?: ProviderOptions;
  }): Promise<{
    ranking: { index: number; relevanceScore: number }[];
    warnings: Warning[];
    response: { modelId: string };
  }>;
}
