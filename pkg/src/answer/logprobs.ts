/** Conversion of the core's log-probabilities to OpenAI's two shapes; null if none were requested. */
import type { ChatCompletionLogprobs, CompletionLogprobs, TopLogprob } from "../api/openai.js";
import type { Logprob, TokenDelta } from "../core/wasm-contract.js";

export function toLogprobs(tokens: TokenDelta["logprobs"]): ChatCompletionLogprobs | null {
  if (tokens.length === 0) return null;
  const content = tokens.map((token) => ({ ...toTop(token), top_logprobs: token.top.map(toTop) }));
  return { content, refusal: null };
}

/** Converts to the shape of text completions. `offset`: where the first token's text begins. */
export function toTextLogprobs(tokens: TokenDelta["logprobs"], offset: number): CompletionLogprobs | null {
  if (tokens.length === 0) return null;
  let at = offset;
  return {
    tokens: tokens.map(({ token }) => token),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ top }) => Object.fromEntries(top.map(({ token, logprob }) => [token, logprob]))),
    text_offset: tokens.map(({ token }) => (at += token.length) - token.length),
  };
}

function toTop({ token, bytes, logprob }: Logprob): TopLogprob {
  return { token, bytes, logprob };
}
