/**
 * A provider for the AI SDK (`ai` 7, and 6 with `specification: "v3"`), over an engine or any other backend.
 *
 * ```ts
 * import { streamText } from "ai";
 * import { createHearth } from "hearth-llm/ai-sdk";
 *
 * const hearth = createHearth(engine);
 * const { textStream } = streamText({ model: hearth(), prompt: "Name three rivers." });
 * ```
 *
 * With an engine, no request leaves the page. The module imports nothing of the SDK.
 */
import type { EmbeddingCreateParams } from "../api/openai.js";
import type { RerankParams } from "../api/ranking.js";
import { choose, type EngineChoice, type Served } from "../api/served.js";
import { HearthError } from "../core/errors.js";
import { asCallError, toContent, toFinish, toMetadata, toPartStream, toProviderMetadata, toUsage } from "./answer.js";
import { defined, toParams } from "./prompt.js";
import type { EmbeddingModel, LanguageModel, RerankingModel, Specification, Warning } from "./spec.js";

export type { EngineChoice, Served };
export type * from "./spec.js";

export interface HearthProviderOptions<Version extends Specification = Specification> {
  /** Version of the SDK's specification. Default `"v4"`, that of `ai` 7; `"v3"` is that of `ai` 6. */
  specification?: Version;
}

/** Makes models for the AI SDK. Names choose among engines where `createHearth` received a function. */
export interface HearthProvider<Version extends Specification> {
  (modelId?: string): LanguageModel<Version>;
  readonly specificationVersion: Version;
  languageModel(modelId?: string): LanguageModel<Version>;
  embeddingModel(modelId?: string): EmbeddingModel<Version>;
  rerankingModel(modelId?: string): RerankingModel<Version>;
  /** Throws `invalid_request`: no model here makes images. */
  imageModel(modelId: string): never;
}

/**
 * Returns a provider over an engine, a remote model, a router or a backend, or over those that a function chooses by
 * the model's name.
 */
export function createHearth(engine: EngineChoice): HearthProvider<"v4">;
export function createHearth<Version extends Specification>(
  engine: EngineChoice,
  options: HearthProviderOptions<Version>,
): HearthProvider<Version>;
export function createHearth(
  engine: EngineChoice,
  { specification = "v4" }: HearthProviderOptions = {},
): HearthProvider<Specification> {
  if (!["v3", "v4"].includes(specification)) {
    throw new HearthError("invalid_request", `specification must be "v3" or "v4", found "${specification}"`);
  }
  const named = (modelId = typeof engine === "function" ? "" : engine.model.name): Common => ({
    specificationVersion: specification,
    provider: "hearth",
    modelId,
  });
  const serve = <T>(modelId: string, work: (api: Served) => Promise<T>): Promise<T> =>
    choose(engine, modelId)
      .then(work)
      .catch((error: unknown) => {
        throw asCallError(error);
      });
  const languageModel = (modelId?: string): LanguageModel<Specification> => toLanguageModel(named(modelId), serve);
  return Object.assign((modelId?: string) => languageModel(modelId), {
    specificationVersion: specification,
    languageModel,
    embeddingModel: (modelId?: string) => toEmbeddingModel(named(modelId), serve),
    rerankingModel: (modelId?: string) => toRerankingModel(named(modelId), serve),
    imageModel: (modelId: string): never => {
      throw new HearthError("invalid_request", `no model makes images, and so there is no "${modelId}"`);
    },
  });
}

type Common = Pick<LanguageModel<Specification>, "specificationVersion" | "provider" | "modelId">;
type Serve = <T>(modelId: string, work: (api: Served) => Promise<T>) => Promise<T>;

function toLanguageModel(common: Common, serve: Serve): LanguageModel<Specification> {
  const { modelId } = common;
  return {
    ...common,
    supportedUrls: { "image/*": [/^https:\/\//i] },
    doGenerate: (options) =>
      serve(modelId, async ({ chat }) => {
        const { params, warnings } = toParams(options, modelId);
        const answer = await chat.completions.create(params, signalOf(options));
        return {
          content: toContent(answer),
          finishReason: toFinish(answer.choices[0]?.finish_reason),
          usage: toUsage(answer),
          ...toProviderMetadata(answer),
          request: { body: params },
          response: toMetadata(answer),
          warnings,
        };
      }),
    doStream: (options) =>
      serve(modelId, async ({ chat }) => {
        const { params, warnings } = toParams(options, modelId);
        const streaming = { ...params, stream: true as const, stream_options: { include_usage: true } };
        const chunks = await chat.completions.create(streaming, signalOf(options));
        return {
          stream: toPartStream(chunks, warnings, options.includeRawChunks === true),
          request: { body: streaming },
        };
      }),
  };
}

function toEmbeddingModel(common: Common, serve: Serve): EmbeddingModel<Specification> {
  return {
    ...common,
    maxEmbeddingsPerCall: undefined,
    // One engine computes one text at a time.
    supportsParallelCalls: false,
    doEmbed: ({ values, dimensions, providerOptions, ...options }) =>
      serve(common.modelId, async ({ embeddings }) => {
        const params: EmbeddingCreateParams = {
          ...providerOptions?.hearth,
          model: common.modelId,
          input: values,
          encoding_format: "float",
          ...defined({ dimensions }),
        };
        const { data, usage } = await embeddings.create(params, signalOf(options));
        const found = [...data].sort((a, b) => a.index - b.index).map(({ embedding }) => embedding as number[]);
        return { embeddings: found, usage: { tokens: usage.prompt_tokens }, warnings: [] };
      }),
  };
}

function toRerankingModel(common: Common, serve: Serve): RerankingModel<Specification> {
  return {
    ...common,
    doRerank: ({ documents, query, topN, providerOptions, ...options }) =>
      serve(common.modelId, async (api) => {
        const warnings: Warning[] = [];
        if (documents.type === "object") {
          const details = "objects are ranked by their JSON";
          warnings.push({ type: "compatibility", feature: "object documents", details });
        }
        const texts = documents.values.map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
        const params: RerankParams = {
          ...providerOptions?.hearth,
          model: common.modelId,
          query,
          documents: texts,
          ...defined({ top_n: topN }),
        };
        const { results, model } = await api.rerank(params, signalOf(options));
        const ranking = results.map(({ index, relevance_score }) => ({ index, relevanceScore: relevance_score }));
        return { ranking, warnings, response: { modelId: model } };
      }),
  };
}

function signalOf({ abortSignal }: { abortSignal?: AbortSignal }): { signal?: AbortSignal } {
  return abortSignal === undefined ? {} : { signal: abortSignal };
}
