/** Text completions from the core's steps, whole and in chunks. */
import type { Completion } from "../api/openai.js";
import type { TokenDelta } from "../core/wasm-contract.js";
import type { Answer, Chunks, Head } from "./chunks.js";
import { toTextLogprobs } from "./logprobs.js";

/** The answers to one request: their head, the texts before them ("" unless echoed), and whether they carry ids. */
export interface TextAnswers {
  head: Head;
  echoes: readonly string[];
  withIds: boolean;
}

type Tokens = Pick<TokenDelta, "ids" | "logprobs">;

function choiceOf(
  { head, withIds }: TextAnswers,
  index: number,
  text: string,
  finish_reason: TokenDelta["finish_reason"],
  { ids, logprobs }: Tokens = { ids: [], logprobs: [] },
  offset = 0,
): Completion {
  const choice = { index, text, finish_reason, logprobs: toTextLogprobs(logprobs, offset) };
  return { ...head, object: "text_completion", choices: [{ ...choice, ...(withIds ? { token_ids: ids } : {}) }] };
}

export function textCompletion(
  request: TextAnswers,
  answers: readonly Answer[],
  used: Pick<Completion, "usage" | "timings">,
): Completion {
  const choices = answers.flatMap((answer, index) => {
    const echo = request.echoes[index] ?? "";
    return choiceOf(request, index, echo + answer.text, answer.finish_reason ?? "stop", answer, echo.length).choices;
  });
  return { ...request.head, object: "text_completion", choices, ...used };
}

export function textChunks(request: TextAnswers): Chunks<Completion> {
  const { head, echoes, withIds } = request;
  const offsets = echoes.map((echo) => echo.length);
  return {
    begin: (index) => {
      const echo = echoes[index] ?? "";
      return echo === "" ? undefined : choiceOf(request, index, echo, null);
    },
    step: (step, index) => {
      const { text, ids, logprobs } = step;
      const offset = offsets[index] ?? 0;
      offsets[index] = offset + text.length;
      const isEmpty = text === "" && logprobs.length === 0 && !(withIds && ids.length > 0);
      return isEmpty ? undefined : choiceOf(request, index, text, null, step, offset);
    },
    end: (finish_reason, index) => choiceOf(request, index, "", finish_reason),
    usage: (usage) => ({ ...head, object: "text_completion", choices: [], usage }),
  };
}
