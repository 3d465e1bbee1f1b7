/** The chunks of a streamed answer, whatever its server leaves out or adds. */
import type { ChatCompletionStreamOptions, CompletionUsage } from "../api/openai.js";
import type { Timings } from "../api/serving.js";
import { HearthError } from "../core/errors.js";
import { timingsOf, usageOf, usageSoFar } from "./answers.js";
import type { Connection, Received } from "./connection.js";
import { parsed, streamFailure } from "./failures.js";
import { eventsOf } from "./sse.js";

interface Chunk {
  choices: { finish_reason: string | null }[];
  usage?: CompletionUsage | null;
  timings?: Timings;
}

export interface ChunkReader<C extends Chunk> {
  /** Number of answers that have ended. */
  readonly ended: number;
  read(found: Record<string, unknown>): C;
  rest(): C | undefined;
}

export interface StreamRequest {
  /** Number of answers asked for. */
  count: number;
  options: ChatCompletionStreamOptions;
  /** Whether an answer that broke off can be continued. */
  canContinue: boolean;
  /** Signal of the caller. */
  signal: AbortSignal;
}

/**
 * Yields the chunks of an answer. Usage and timings come with the last chunk, as in an engine's streams, wherever the
 * server puts them.
 *
 * @throws HearthError `remote_interrupted` if the stream ends before the answer: what has come was yielded before.
 */
export async function* chunksOf<C extends Chunk>(
  connection: Connection,
  received: Received,
  reader: ChunkReader<C>,
  request: StreamRequest,
): AsyncGenerator<C> {
  const { include_usage: wantsUsage = false, continuous_usage_stats: wantsAll = false } = request.options;
  let usage: CompletionUsage | undefined;
  let last: Record<string, unknown> = {};
  let timings: Timings | undefined;
  let isDone = false;
  const { host } = connection;
  try {
    const { body } = received.response;
    if (body === null) throw new HearthError("remote_error", `${host} answered without a body`);
    try {
      for await (const { data, isCut } of eventsOf(body, received.touch)) {
        if (data === "[DONE]") {
          isDone = true;
          break;
        }
        const found = parsed(data);
        if (typeof found !== "object" || found === null) {
          // Half an event is the end of a broken connection.
          if (isCut) break;
          throw new HearthError("remote_error", `${host} sent an event that is not JSON: ${data.slice(0, 80)}`);
        }
        const failure = streamFailure(found, host);
        if (failure !== undefined) throw failure;
        last = found as Record<string, unknown>;
        timings = timingsOf(found).timings ?? timings;
        const used = usageOf(last.usage);
        usage = used ?? usage;
        const soFar = used ?? (wantsAll && timings !== undefined ? usageSoFar(timings) : undefined);
        const chunk = reader.read(last);
        if (chunk.choices.length === 0) continue;
        if (wantsAll && soFar !== undefined) chunk.usage = soFar;
        else if (wantsUsage) chunk.usage = null;
        const isEnd = chunk.choices.some(({ finish_reason }) => finish_reason !== null);
        if (isEnd && !wantsUsage && timings !== undefined) chunk.timings = timings;
        yield chunk;
      }
    } catch (error) {
      const rest = reader.rest();
      if (rest !== undefined) yield rest;
      throw connection.failure(error, received.signal, request.signal);
    }
    const rest = reader.rest();
    if (rest !== undefined) yield rest;
    if (!isDone && reader.ended < request.count) throw interrupted(host, request.canContinue);
    if (!wantsUsage || usage === undefined) return;
    const end = reader.read({ ...last, choices: [] });
    yield { ...end, usage, ...(timings === undefined ? {} : { timings }) };
  } finally {
    received.close();
  }
}

function interrupted(host: string, canContinue: boolean): HearthError {
  const hint = canContinue ? "Continue it with continue_final_message, or ask again." : "Ask again.";
  return new HearthError("remote_interrupted", `${host} ended the connection before the answer's end`, { hint });
}
