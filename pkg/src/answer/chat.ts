/** Chat completions from the core's steps, whole and in chunks. */
import type { ChatCompletion, ChatCompletionChunk } from "../api/openai.js";
import type { ReadingPlan } from "../tools/parts.js";
import { AnswerReader, toChoice } from "./answer.js";
import type { Answer, Chunks, Head } from "./chunks.js";
import { toLogprobs } from "./logprobs.js";

/** The answers to one request: their head, how each is read, and whether its choices carry token ids. */
export interface ChatAnswers {
  head: Head;
  plan: ReadingPlan;
  withIds: boolean;
  withProgress?: boolean;
}

export function chatCompletion(
  { head, plan, withIds }: ChatAnswers,
  answers: readonly Answer[],
  used: Pick<ChatCompletion, "usage" | "timings">,
): ChatCompletion {
  const choices = answers.map((answer, index) => toChoice(answer, index, plan, withIds));
  return { ...head, object: "chat.completion", choices, ...used };
}

type ChatChunkChoice = ChatCompletionChunk["choices"][number];

/** Returns the builders of the chunks of `count` answers. */
export function chatChunks(
  { head, plan, withIds, withProgress = false }: ChatAnswers,
  count: number,
): Chunks<ChatCompletionChunk> {
  const chunkHead = { ...head, object: "chat.completion.chunk" as const };
  const chunk = (index: number, choice: Partial<ChatChunkChoice>): ChatCompletionChunk => ({
    ...chunkHead,
    choices: [{ index, delta: {}, finish_reason: null, logprobs: null, ...choice }],
  });
  const readers = Array.from({ length: count }, () => new AnswerReader(plan));
  return {
    begin: (index) => chunk(index, { delta: { role: "assistant", content: "" } }),
    step: (step, index) => {
      const delta = readers[index]?.read(step) ?? {};
      const logprobs = toLogprobs(step.logprobs);
      // A token may be only part of a character or a tag; then its id is known before its text.
      const isEmpty = Object.keys(delta).length === 0;
      if (isEmpty && logprobs === null && !(withIds && step.ids.length > 0)) return undefined;
      return chunk(index, {
        delta: isEmpty ? { content: "" } : delta,
        logprobs,
        ...(withIds ? { token_ids: step.ids } : {}),
      });
    },
    end: (reason, index) => chunk(index, { finish_reason: readers[index]?.finishReason(reason) ?? reason }),
    usage: (usage) => ({ ...chunkHead, choices: [], usage }),
    ...(withProgress && { progress: readingProgress(chunkHead) }),
  };
}

/** Returns the builder of chunks that tell how much of each answer's prompt has been read. */
function readingProgress(
  head: Omit<ChatCompletionChunk, "choices">,
): NonNullable<Chunks<ChatCompletionChunk>["progress"]> {
  const begun = new Map<number, number>();
  /** Answers before which the model looks at pictures. */
  const looking = new Set<number>();
  return ({ usage, prompt_read, phase, looked }, index) => {
    const now = performance.now();
    const from = begun.get(index) ?? now;
    begun.set(index, from);
    const { prompt_tokens: total, prompt_tokens_details } = usage;
    const progress = { total, cache: prompt_tokens_details.cached_tokens, processed: prompt_read };
    if (looked < 1) looking.add(index);
    return {
      ...head,
      choices: [],
      prompt_progress: {
        ...progress,
        time_ms: now - from,
        phase: phase === "picture" ? phase : "prefill",
        ...(looking.has(index) && { looked }),
      },
    };
  };
}
