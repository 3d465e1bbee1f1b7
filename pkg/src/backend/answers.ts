/** Runs requests through the queue and collects their answers, whole or as chunks. */
import { Answer, type Chunks } from "../answer/chunks.js";
import { Stopwatch } from "../answer/timings.js";
import type { ChatCompletionStreamOptions, CompletionUsage } from "../api/openai.js";
import type { Timings } from "../api/serving.js";
import { toHearthError } from "../core/errors.js";
import type { AnswerRequest } from "../core/protocol.js";
import type { TokenDelta } from "../core/wasm-contract.js";
import { ChunkQueue } from "./chunk-queue.js";
import type { RequestQueue } from "./queue.js";

export async function whole(
  queue: RequestQueue,
  requests: AnswerRequest[],
  signal: AbortSignal,
): Promise<{ answers: Answer[]; used: { usage: CompletionUsage; timings: Timings } }> {
  const answers = requests.map(() => new Answer());
  const watch = new Stopwatch();
  const usage = await queue.all(requests, signal, watch, (delta, index) => answers[index]?.add(delta));
  return { answers, used: { usage, timings: watch.timings() } };
}

export function streamed<Chunk extends { usage?: CompletionUsage | null; timings?: Timings }>(
  queue: RequestQueue,
  requests: AnswerRequest[],
  { include_usage, continuous_usage_stats }: ChatCompletionStreamOptions,
  signal: AbortSignal,
  chunks: Chunks<Chunk>,
): AsyncIterable<Chunk> {
  const found = new ChunkQueue<Chunk>();
  const push = (chunk: Chunk | undefined, delta?: TokenDelta): void => {
    if (chunk === undefined) return;
    if (continuous_usage_stats && delta !== undefined) found.push({ ...chunk, usage: delta.usage });
    else found.push(include_usage ? { ...chunk, usage: null } : chunk);
  };
  const watch = new Stopwatch();
  for (const index of requests.keys()) push(chunks.begin(index));
  const onDelta = (delta: TokenDelta, index: number): void => {
    if (delta.phase !== "decode" && chunks.progress !== undefined) found.push(chunks.progress(delta, index));
    push(chunks.step(delta, index), delta);
    if (delta.finish_reason === null) return;
    const isLast = !include_usage && index === requests.length - 1;
    push({ ...chunks.end(delta.finish_reason, index), ...(isLast ? { timings: watch.timings() } : {}) }, delta);
  };
  void queue.all(requests, signal, watch, onDelta).then(
    (usage) => {
      if (include_usage) found.push({ ...chunks.usage(usage), timings: watch.timings() });
      found.close();
    },
    (error: unknown) => {
      found.fail(toHearthError(error));
    },
  );
  return found;
}
