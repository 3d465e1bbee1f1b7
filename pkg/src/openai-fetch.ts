/**
 * A `fetch` that serves OpenAI's API from an engine or any other backend, for OpenAI's client and any other client of its protocol.
 *
 * ```ts
 * import OpenAI from "openai";
 * import { createFetch } from "hearth-llm/openai";
 *
 * const client = new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch: createFetch(engine),
 *                             dangerouslyAllowBrowser: true });
 * ```
 *
 * No request leaves the page. Routes: `POST chat/completions`, `completions`, `responses`, `embeddings`, `rerank`, `GET models`, and with
 * a transcriber of `hearth-llm/audio` `POST audio/transcriptions` and `audio/translations`.
 */
import type { ChatCompletionCreateParams, CompletionCreateParams, EmbeddingCreateParams } from "./api/openai.js";
import type { RerankParams } from "./api/ranking.js";
import { choose, type EngineChoice, type Served } from "./api/served.js";
import { answerForm, type AudioRoute } from "./audio/form.js";
import type { Transcriber } from "./audio/transcriber.js";
import { HearthError, toHearthError } from "./core/errors.js";
import { createResponse } from "./responses/index.js";

export type { EngineChoice, Served };

export interface FetchOptions {
  /** Transcriber that serves speech: `await Transcriber.create(…)` of `hearth-llm/audio`. */
  audio?: Pick<Transcriber, "audio" | "model">;
}

export function createFetch(engine: EngineChoice, { audio }: FetchOptions = {}): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    // Request creates its own signal, which some environments do not link to the caller's.
    const signal = init?.signal ?? request.signal;
    try {
      const route = /\/audio\/(transcriptions|translations)\/?$/.exec(new URL(request.url).pathname)?.[1];
      if (route === undefined) return await answer(engine, audio, request, signal);
      return await hear(audio, route as AudioRoute, request, signal);
    } catch (error) {
      const reason = toHearthError(error);
      if (reason.code === "cancelled") throw aborted();
      return refusal(reason);
    }
  };
}

async function hear(
  audio: FetchOptions["audio"],
  route: AudioRoute,
  request: Request,
  signal: AbortSignal,
): Promise<Response> {
  if (audio === undefined) {
    const hint = "Pass one: createFetch(engine, { audio: await Transcriber.create({ model }) }), of hearth-llm/audio.";
    return refusal(
      new HearthError("invalid_request", "no speech is served here, for there is no transcriber", { hint }),
      404,
    );
  }
  const result = await answerForm(audio, route, request, signal);
  if (typeof result === "string")
    return new Response(result, { headers: { "Content-Type": "text/plain; charset=utf-8" } });
  return respond(result, false);
}

async function answer(
  choice: EngineChoice,
  audio: FetchOptions["audio"],
  request: Request,
  signal: AbortSignal,
): Promise<Response> {
  const route = /\/(chat\/completions|completions|responses|embeddings|rerank|models)\/?$/.exec(
    new URL(request.url).pathname,
  )?.[1];
  if (route === undefined) throw new HearthError("invalid_request", `nothing is served at ${request.url}`);
  if (route === "models") {
    const { model, adapters } = await choose(choice, "");
    const names = [model.name, ...((await adapters?.list()) ?? []).map(({ name }) => name)];
    if (audio !== undefined) names.push(audio.model.name);
    return Response.json({
      object: "list",
      data: names.map((id) => ({ id, object: "model", created: 0, owned_by: "hearth" })),
    });
  }
  const body = (await request.json().catch((cause: unknown) => {
    throw new HearthError("invalid_request", "the request's body is not JSON", { cause });
  })) as { model?: unknown; stream?: unknown };
  const engine = await choose(choice, typeof body.model === "string" ? body.model : "");
  await nameAdapter(engine, body);
  switch (route) {
    case "embeddings":
      return Response.json(await engine.embeddings.create(body as EmbeddingCreateParams, { signal }));
    case "rerank":
      return Response.json(await engine.rerank(body as unknown as RerankParams, { signal }));
    case "responses":
      return respond(await createResponse(engine, body, { signal }), false);
    case "completions":
      return respond(await engine.completions.create(body as unknown as CompletionCreateParams, { signal }));
    default:
      return respond(await engine.chat.completions.create(body as unknown as ChatCompletionCreateParams, { signal }));
  }
}

/** Chooses the adapter whose name a request has as its model's, as vLLM does. */
async function nameAdapter({ adapters, model }: Served, body: { model?: unknown; adapters?: unknown }): Promise<void> {
  const { model: name } = body;
  if (adapters === undefined || typeof name !== "string" || name === model.name || body.adapters != null) return;
  if ((await adapters.list()).some((adapter) => adapter.name === name)) body.adapters = [{ name }];
}

/**
 * Responds with JSON, or with server-sent events for a stream. The events of responses have names instead of a mark at
 * their end.
 */
function respond(result: object | AsyncIterable<object>, isMarked = true): Response {
  if (!(Symbol.asyncIterator in result)) return Response.json(result);
  const iterator: AsyncIterator<object> = result[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const event = (data: string, { type }: { type?: string } = {}): Uint8Array =>
    encoder.encode(`${type === undefined ? "" : `event: ${type}\n`}data: ${data}\n\n`);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await iterator.next();
        if (next.done !== true) controller.enqueue(event(JSON.stringify(next.value), next.value));
        else if (isMarked) controller.enqueue(event("[DONE]"));
        if (next.done) controller.close();
      } catch (error) {
        controller.error(toHearthError(error).code === "cancelled" ? aborted() : error);
      }
    },
    async cancel() {
      await iterator.return?.();
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

/** Returns the error with which an aborted fetch rejects. */
function aborted(): DOMException {
  return new DOMException("the request was aborted", "AbortError");
}

const CALLERS_FAULT = new Set([
  "invalid_request",
  "context_overflow",
  "template_error",
  "grammar_error",
  "unsupported_by_server",
  "bad_audio",
  "audio_undecodable",
  "bad_picture",
  "picture_undecodable",
]);

/** Returns an error in OpenAI's format. Its client throws an exception chosen by the status. */
function refusal(reason: HearthError, callersStatus = 400): Response {
  const isCallers = CALLERS_FAULT.has(reason.code);
  const error = {
    message: reason.hint === "" ? reason.message : `${reason.message}. ${reason.hint}`,
    type: isCallers ? "invalid_request_error" : "server_error",
    code: reason.code,
    param: null,
  };
  // A retry would not help, but OpenAI's client retries after a 5xx unless this header forbids it.
  const headers = { "x-should-retry": "false" };
  return Response.json({ error }, { status: isCallers ? callersStatus : 500, headers });
}
