/** Conversion of the model's output into OpenAI's message: thoughts, text and tool calls. */
import { toLogprobs } from "./logprobs.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionMessageToolCall,
  FinishReason,
} from "../api/openai.js";
import type { Answer } from "./chunks.js";
import type { CallDelta, Parser, ReadingPlan } from "../tools/parts.js";
import type { TokenDelta } from "../core/wasm-contract.js";

type Delta = ChatCompletionChunk["choices"][number]["delta"];

/** Turns the steps of one streamed answer into OpenAI's deltas. */
export class AnswerReader {
  readonly #plan: ReadingPlan;
  #parser: Parser | undefined;
  #hasCalls = false;

  constructor(plan: ReadingPlan) {
    this.#plan = plan;
  }

  /** Returns the delta of a step, which has no fields if nothing can be shown yet. */
  read({ text, finish_reason, in_thoughts }: TokenDelta): Delta {
    this.#parser ??= this.#plan.parser(in_thoughts);
    const { reasoning, content, calls } = this.#parser.feed(text, finish_reason !== null);
    const delta: Delta = {};
    if (reasoning !== "") delta.reasoning_content = reasoning;
    if (content !== "") delta.content = content;
    if (calls.length > 0) {
      this.#hasCalls = true;
      delta.tool_calls = calls.map(({ index, name, arguments: args }) => ({
        index,
        ...(name === undefined ? {} : { id: callId(), type: "function" as const }),
        function: { ...(name === undefined ? {} : { name }), arguments: args },
      }));
    }
    return delta;
  }

  finishReason(reason: NonNullable<TokenDelta["finish_reason"]>): FinishReason {
    return finishReason(reason, this.#hasCalls);
  }
}

/** Converts a whole answer to a choice of a completion. */
export function toChoice(
  { text, ids, logprobs, finish_reason, inThoughts }: Answer,
  index: number,
  plan: ReadingPlan,
  withIds: boolean,
): ChatCompletion["choices"][number] {
  const { reasoning, content, calls } = plan.parser(inThoughts).feed(text, true);
  const tool_calls = joined(calls);
  const isCalling = tool_calls.length > 0;
  return {
    index,
    message: {
      role: "assistant",
      content: isCalling && content === "" ? null : content,
      refusal: null,
      ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
      ...(isCalling ? { tool_calls } : {}),
    },
    finish_reason: finishReason(finish_reason ?? "stop", isCalling),
    logprobs: toLogprobs(logprobs),
    ...(withIds ? { token_ids: ids } : {}),
  };
}

/** Reports `length` even if there are calls: truncation may have cut the last one. */
function finishReason(reason: NonNullable<TokenDelta["finish_reason"]>, hasCalls: boolean): FinishReason {
  return hasCalls && reason === "stop" ? "tool_calls" : reason;
}

function joined(pieces: CallDelta[]): ChatCompletionMessageToolCall[] {
  const calls: ChatCompletionMessageToolCall[] = [];
  for (const { index, name, arguments: args } of pieces) {
    const call = (calls[index] ??= { id: callId(), type: "function", function: { name: "", arguments: "" } });
    call.function.name += name ?? "";
    call.function.arguments += args;
  }
  return calls;
}

/** Returns nine random letters and digits, the form of id that Mistral's template accepts. */
function callId(): string {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => letters.charAt(byte % letters.length)).join(
    "",
  );
}
