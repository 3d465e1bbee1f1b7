/** Brings the answers of servers, whole and in chunks, into the one shape that callers know. */
import { ReasoningSplit } from "../answer/reasoning.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionChunkToolCall,
  Completion,
  CompletionLogprobs,
  CompletionUsage,
  FinishReason,
  TopLogprob,
} from "../api/openai.js";
import type { ServedBy, Timings } from "../api/serving.js";
import { HearthError } from "../core/errors.js";

type Fields = Record<string, unknown>;
type ChatChoice = ChatCompletion["choices"][number];
type ChunkChoice = ChatCompletionChunk["choices"][number];
type TextChoice = Completion["choices"][number];

/** Facts about a request that decide how its answer is read. */
export interface Expected {
  servedBy: ServedBy;
  /** Whether thoughts stay in the text. */
  keepsThoughts: boolean;
  /** Text that the server repeats before the new text, in whole answers. */
  prefix: string;
  /** Whether the answer must consist of calls. */
  mustCall: boolean;
}

export function toChat(found: unknown, expected: Expected): ChatCompletion {
  const head = headOf(found, "chatcmpl", expected);
  const choices = choicesOf(found).map((choice, at) => {
    const reader = new ChoiceReader(expected);
    const message = object(choice.message);
    const { content = "", reasoning_content } = reader.texts(message, true, expected.prefix);
    const calls = reader.calls(message.tool_calls);
    const reason = reader.end(choice.finish_reason) ?? "stop";
    const read: ChatChoice = {
      index: indexOf(choice, at),
      message: { role: "assistant", content: calls.length > 0 && content === "" ? null : content, refusal: null },
      finish_reason: reason,
      logprobs: chatLogprobs(choice.logprobs),
      ...idsOf(choice),
    };
    if (reasoning_content !== undefined) read.message.reasoning_content = reasoning_content;
    if (calls.length > 0) {
      read.message.tool_calls = calls.map(({ id = "", function: { name = "", arguments: given } }) => {
        return { id, type: "function", function: { name, arguments: given } };
      });
    }
    return read;
  });
  const usage = usageOf(object(found).usage) ?? toUsage({});
  return { ...head, object: "chat.completion", choices, usage, ...timingsOf(found) };
}

export function toText(found: unknown, expected: Expected): Completion {
  const choices = choicesOf(found).map((choice, at) =>
    textChoice(choice, at, 0, endOf(choice.finish_reason) ?? "stop"),
  );
  const usage = usageOf(object(found).usage);
  const head = headOf(found, "cmpl", expected);
  return {
    ...head,
    object: "text_completion",
    choices,
    ...(usage === undefined ? {} : { usage }),
    ...timingsOf(found),
  };
}

/** Reads the chunks of one streamed chat. */
export class ChatReader {
  readonly #readers = new Map<number, ChoiceReader>();
  readonly #expected: Expected;

  constructor(expected: Expected) {
    this.#expected = expected;
  }

  /** Number of answers that have ended. */
  get ended(): number {
    return [...this.#readers.values()].filter(({ hasEnded }) => hasEnded).length;
  }

  read(found: Fields): ChatCompletionChunk {
    const choices = choicesOf(found).flatMap((choice, at) => this.#choice(choice, indexOf(choice, at)));
    return { ...headOf(found, "chatcmpl", this.#expected), object: "chat.completion.chunk", choices };
  }

  /** Returns text that was held back as the possible beginning of a mark, when a stream ends without saying so. */
  rest(): ChatCompletionChunk | undefined {
    const choices = [...this.#readers].flatMap(([index, reader]): ChunkChoice[] => {
      const delta = reader.hasEnded ? {} : reader.texts({}, true, "");
      return Object.keys(delta).length === 0 ? [] : [{ index, delta, finish_reason: null, logprobs: null }];
    });
    if (choices.length === 0) return undefined;
    return { ...headOf({}, "chatcmpl", this.#expected), object: "chat.completion.chunk", choices };
  }

  #choice(choice: Fields, index: number): ChunkChoice[] {
    const reader = this.#readers.get(index) ?? new ChoiceReader(this.#expected);
    this.#readers.set(index, reader);
    const delta = object(choice.delta);
    const reason = endOf(choice.finish_reason);
    const read: ChunkChoice["delta"] = {};
    if (reader.isFirst) {
      read.role = "assistant";
      read.content = "";
    }
    reader.isFirst = false;
    Object.assign(read, reader.texts(delta, reason !== null, ""));
    const calls = reader.calls(delta.tool_calls);
    if (calls.length > 0) read.tool_calls = calls;
    const logprobs = chatLogprobs(choice.logprobs);
    const ids = idsOf(choice);
    const finish_reason = reader.end(choice.finish_reason);
    const isEmpty = Object.keys(read).length === 0 && finish_reason === null && logprobs === null;
    if (isEmpty && ids.token_ids === undefined) return [];
    return [{ index, delta: read, finish_reason, logprobs, ...ids }];
  }
}

/** Reads the chunks of one streamed text. */
export class TextReader {
  readonly #lengths = new Map<number, number>();
  readonly #ended = new Set<number>();
  readonly #expected: Expected;

  constructor(expected: Expected) {
    this.#expected = expected;
  }

  get ended(): number {
    return this.#ended.size;
  }

  rest(): undefined {
    // Texts are given as they come.
  }

  read(found: Fields): Completion {
    const choices = choicesOf(found).map((choice, at) => {
      const index = indexOf(choice, at);
      const offset = this.#lengths.get(index) ?? 0;
      const reason = endOf(choice.finish_reason);
      if (reason !== null) this.#ended.add(index);
      const read = textChoice(choice, at, offset, reason);
      this.#lengths.set(index, offset + read.text.length);
      return read;
    });
    return { ...headOf(found, "cmpl", this.#expected), object: "text_completion", choices };
  }
}

/** Reads one answer's thoughts, text and calls. */
class ChoiceReader {
  isFirst = true;
  hasEnded = false;
  readonly #expected: Expected;
  #split: ReasoningSplit | undefined;
  /** Ids of the calls so far, for servers that give every call the same index, or none. */
  readonly #ids: string[] = [];

  constructor(expected: Expected) {
    this.#expected = expected;
    if (!expected.keepsThoughts) this.#split = new ReasoningSplit();
  }

  texts(from: Fields, isLast: boolean, prefix: string): { content?: string; reasoning_content?: string } {
    const read: { content?: string; reasoning_content?: string } = {};
    let reasoning = text(from.reasoning_content) || text(from.reasoning);
    let content = contentOf(from);
    // The server splits thoughts itself, so a mark in the text is the model's own.
    if (reasoning !== "") this.#split = undefined;
    if (prefix !== "" && content.startsWith(prefix)) content = content.slice(prefix.length);
    else if (this.#split !== undefined) {
      const parts = this.#split.feed(content, isLast);
      reasoning = parts.reasoning;
      content = parts.content;
    }
    if (reasoning !== "") read.reasoning_content = reasoning;
    if (content !== "") read.content = content;
    return read;
  }

  calls(found: unknown): ChatCompletionChunkToolCall[] {
    if (!Array.isArray(found)) return [];
    return found.map((call: unknown) => {
      const { id, index: told, function: named } = object(call);
      const { name, arguments: given } = object(named);
      const isNew = typeof id === "string" && id !== "" ? !this.#ids.includes(id) : text(name) !== "";
      const read: ChatCompletionChunkToolCall = { index: 0, function: { arguments: argumentsOf(given) } };
      if (isNew) {
        read.id = text(id) || `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
        read.type = "function";
        read.function.name = text(name);
        this.#ids.push(read.id);
      }
      const known = typeof id === "string" ? this.#ids.indexOf(id) : -1;
      const last = Math.max(0, this.#ids.length - 1);
      const atMost = typeof told === "number" && Number.isInteger(told) ? Math.min(Math.max(0, told), last) : last;
      read.index = isNew ? last : known >= 0 ? known : atMost;
      return read;
    });
  }

  end(reason: unknown): FinishReason | null {
    const found = endOf(reason);
    if (found === null) return null;
    this.hasEnded = true;
    if (this.#ids.length > 0) return found === "stop" ? "tool_calls" : found;
    if (this.#expected.mustCall && found !== "length") {
      throw new HearthError("remote_error", "the server answered without the call that tool_choice requires", {
        hint: "This server does not enforce tool_choice for this model: ask again, or use another model.",
      });
    }
    return found;
  }
}

function headOf(found: unknown, kind: string, { servedBy }: Expected): Omit<Completion, "choices" | "object"> {
  const { id, created, model } = object(found);
  return {
    id: text(id) || `${kind}-${crypto.randomUUID()}`,
    created: typeof created === "number" ? created : Math.floor(Date.now() / 1000),
    model: text(model) || servedBy.model,
    served_by: servedBy,
  };
}

function choicesOf(found: unknown): Fields[] {
  const { choices } = object(found);
  if (!Array.isArray(choices)) throw new HearthError("remote_error", "the server's answer has no choices");
  return choices.map(object);
}

function indexOf({ index }: Fields, at: number): number {
  return typeof index === "number" && Number.isInteger(index) && index >= 0 ? index : at;
}

function textChoice(choice: Fields, at: number, offset: number, finish_reason: FinishReason | null): TextChoice {
  const logprobs = textLogprobs(choice.logprobs, offset);
  const reason = finish_reason === "tool_calls" ? "stop" : finish_reason;
  return { index: indexOf(choice, at), text: text(choice.text), finish_reason: reason, logprobs, ...idsOf(choice) };
}

const ENDS: Record<string, FinishReason> = {
  stop: "stop",
  eos: "stop",
  length: "length",
  tool_calls: "tool_calls",
  function_call: "tool_calls",
};

/** Reads why an answer ended; servers leave it out, or null, before. */
function endOf(reason: unknown): FinishReason | null {
  if (reason === undefined || reason === null || reason === "") return null;
  const found = typeof reason === "string" && Object.hasOwn(ENDS, reason) ? ENDS[reason] : undefined;
  if (found !== undefined) return found;
  throw new HearthError("remote_error", `the server ended the answer: ${JSON.stringify(reason).slice(0, 40)}`);
}

/** Reads the tokens used, with the details that most servers lack; undefined if there are none. */
export function usageOf(found: unknown): CompletionUsage | undefined {
  return typeof found === "object" && found !== null ? toUsage(found as Fields) : undefined;
}

function toUsage(found: Fields): CompletionUsage {
  const { prompt_tokens, completion_tokens, prompt_tokens_details, completion_tokens_details } = found;
  const details = object(completion_tokens_details);
  const [prompt, completion] = [count(prompt_tokens), count(completion_tokens)];
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: count(object(prompt_tokens_details).cached_tokens) },
    completion_tokens_details: {
      accepted_prediction_tokens: count(details.accepted_prediction_tokens),
      rejected_prediction_tokens: count(details.rejected_prediction_tokens),
    },
  };
}

/** Returns the usage so far that llama.cpp's timings hold. */
export function usageSoFar(timings: Timings): CompletionUsage {
  const { cache_n, prompt_n, predicted_n } = timings;
  const prompt_tokens_details = { cached_tokens: cache_n };
  return toUsage({ prompt_tokens: cache_n + prompt_n, completion_tokens: predicted_n, prompt_tokens_details });
}

export function timingsOf(found: unknown): { timings?: Timings } {
  const { timings } = object(found);
  return typeof object(timings).predicted_n === "number" ? { timings: timings as Timings } : {};
}

function chatLogprobs(found: unknown): ChatChoice["logprobs"] {
  const { content } = object(found);
  return Array.isArray(content)
    ? { content: content as NonNullable<ChatChoice["logprobs"]>["content"], refusal: null }
    : null;
}

/** Reads log-probabilities of texts: OpenAI's parallel lists, or llama.cpp's, which are those of chats. */
function textLogprobs(found: unknown, offset: number): CompletionLogprobs | null {
  const { content, tokens } = object(found);
  if (Array.isArray(tokens)) return found as CompletionLogprobs;
  if (!Array.isArray(content)) return null;
  const all = content as (TopLogprob & { top_logprobs?: TopLogprob[] })[];
  let at = offset;
  return {
    tokens: all.map(({ token }) => token),
    token_logprobs: all.map(({ logprob }) => logprob),
    top_logprobs: all.map(({ top_logprobs = [] }) =>
      Object.fromEntries(top_logprobs.map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: all.map(({ token }) => (at += token.length) - token.length),
  };
}

function idsOf({ token_ids }: Fields): { token_ids?: number[] } {
  return Array.isArray(token_ids) ? { token_ids: token_ids as number[] } : {};
}

function argumentsOf(given: unknown): string {
  if (typeof given === "string") return given;
  return given === undefined || given === null ? "" : JSON.stringify(given);
}

/** Returns a message's text, which may be in parts, or its refusal. */
function contentOf({ content, refusal }: Fields): string {
  if (!Array.isArray(content)) return text(content) || text(refusal);
  return content.map((part: unknown) => text(object(part).text)).join("");
}

const object = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {});
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const count = (value: unknown): number => (typeof value === "number" && value >= 0 ? value : 0);
