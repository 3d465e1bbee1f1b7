/** Conversion of OpenAI's answers, whole or streamed, to the AI SDK's. */
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionChunkToolCall } from "../api/openai.js";
import { toHearthError } from "../core/errors.js";
import type {
  CallContent,
  CallFinish,
  CallMetadata,
  CallUsage,
  ResponseMetadata,
  StreamPart,
  ToolCall,
  Warning,
} from "./spec.js";

type Answer = Pick<ChatCompletion, "timings" | "served_by"> & { usage?: ChatCompletion["usage"] | null };

/** Returns the parts of a whole answer, in the order in which the model makes them. */
export function toContent({ choices: [choice] }: ChatCompletion): CallContent[] {
  const content: CallContent[] = [];
  if (choice === undefined) return content;
  const { content: text, reasoning_content: thoughts, tool_calls: calls = [] } = choice.message;
  if (thoughts) content.push({ type: "reasoning", text: thoughts });
  if (text) content.push({ type: "text", text });
  for (const { id, function: call } of calls) content.push(toToolCall(id, call.name, call.arguments));
  return content;
}

const toToolCall = (toolCallId: string, toolName: string, input: string): ToolCall => ({
  type: "tool-call",
  toolCallId,
  toolName,
  input,
});

export function toMetadata({ id, created, model }: ChatCompletion | ChatCompletionChunk): ResponseMetadata {
  return { id, timestamp: new Date(created * 1000), modelId: model };
}

export function toFinish(reason: string | null | undefined): CallFinish {
  const raw = reason ?? undefined;
  if (raw === "tool_calls") return { unified: "tool-calls", raw };
  return { unified: raw === "stop" || raw === "length" ? raw : "other", raw };
}

/** Returns the tokens; servers other than an engine may report fewer details, or none. */
export function toUsage({ usage }: Answer): CallUsage {
  const input = usage?.prompt_tokens;
  const cached = (usage?.prompt_tokens_details as { cached_tokens?: number } | null | undefined)?.cached_tokens;
  const output = usage?.completion_tokens;
  const details = usage?.completion_tokens_details as { reasoning_tokens?: number } | null | undefined;
  const reasoning = details?.reasoning_tokens;
  const less = (all?: number, part?: number): number | undefined =>
    all === undefined || part === undefined ? undefined : all - part;
  return {
    inputTokens: { total: input, noCache: less(input, cached), cacheRead: cached, cacheWrite: undefined },
    outputTokens: { total: output, text: less(output, reasoning), reasoning },
  };
}

/** Returns where and how fast an answer was made. */
export function toProviderMetadata({ timings, served_by }: Answer): { providerMetadata?: CallMetadata } {
  if (timings === undefined && served_by === undefined) return {};
  const hearth = { ...(timings && { timings: { ...timings } }), ...(served_by && { served_by: { ...served_by } }) };
  return { providerMetadata: { hearth } };
}

interface OpenCall {
  id: string;
  name: string;
  input: string;
}

/** Converts chunks to parts: each block of text or thoughts and each call has a start, deltas and an end. */
export class PartWriter {
  #block: { kind: "text" | "reasoning"; id: string } | undefined;
  #blocks = 0;
  #isBegun = false;
  readonly #calls = new Map<number, OpenCall>();
  #reason: string | null = null;
  readonly #last: Answer = {};

  write(chunk: ChatCompletionChunk): StreamPart[] {
    const parts: StreamPart[] = this.#isBegun ? [] : [{ type: "response-metadata", ...toMetadata(chunk) }];
    this.#isBegun = true;
    const { usage, timings, served_by } = chunk;
    Object.assign(this.#last, usage && { usage }, timings && { timings }, served_by && { served_by });
    const [choice] = chunk.choices;
    if (choice === undefined) return parts;
    const { content, reasoning_content, tool_calls = [] } = choice.delta;
    if (reasoning_content) parts.push(...this.#text("reasoning", reasoning_content));
    if (content) parts.push(...this.#text("text", content));
    for (const piece of tool_calls) parts.push(...this.#call(piece));
    this.#reason = choice.finish_reason ?? this.#reason;
    return parts;
  }

  /** Returns the ends of what is open, and the last part. */
  finish(): StreamPart[] {
    return [...this.#endBlock(), ...this.#endCalls(), this.#end(toFinish(this.#reason))];
  }

  /** Returns the last parts of an answer that has failed. A call that is not whole is not made. */
  fail(error: unknown): StreamPart[] {
    return [...this.#endBlock(), { type: "error", error }, this.#end({ unified: "error", raw: undefined })];
  }

  #end(finishReason: CallFinish): StreamPart {
    return { type: "finish", usage: toUsage(this.#last), finishReason, ...toProviderMetadata(this.#last) };
  }

  #text(kind: "text" | "reasoning", delta: string): StreamPart[] {
    const parts: StreamPart[] = [];
    if (this.#block?.kind !== kind) {
      parts.push(...this.#endBlock(), ...this.#endCalls());
      this.#block = { kind, id: `${kind}-${String(this.#blocks++)}` };
      parts.push({ type: `${kind}-start`, id: this.#block.id });
    }
    parts.push({ type: `${kind}-delta`, id: this.#block.id, delta });
    return parts;
  }

  #call({ index, id, function: { name, arguments: delta } }: ChatCompletionChunkToolCall): StreamPart[] {
    const parts = this.#endBlock();
    let call = this.#calls.get(index);
    if (call === undefined) {
      parts.push(...this.#endCalls());
      call = { id: id ?? `call-${String(index)}`, name: name ?? "", input: "" };
      this.#calls.set(index, call);
      parts.push({ type: "tool-input-start", id: call.id, toolName: call.name });
    }
    if (delta === "") return parts;
    call.input += delta;
    parts.push({ type: "tool-input-delta", id: call.id, delta });
    return parts;
  }

  #endBlock(): StreamPart[] {
    const block = this.#block;
    this.#block = undefined;
    return block === undefined ? [] : [{ type: `${block.kind}-end`, id: block.id }];
  }

  #endCalls(): StreamPart[] {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    return calls.flatMap(({ id, name, input }) => [{ type: "tool-input-end", id }, toToolCall(id, name, input)]);
  }
}

/** Returns the stream of a call's parts. Cancelling it ends the answer. */
export function toPartStream(
  chunks: AsyncIterable<ChatCompletionChunk>,
  warnings: Warning[],
  isRaw: boolean,
): ReadableStream<StreamPart> {
  const iterator = chunks[Symbol.asyncIterator]();
  const writer = new PartWriter();
  return new ReadableStream<StreamPart>({
    start(controller) {
      controller.enqueue({ type: "stream-start", warnings });
    },
    async pull(controller) {
      // A chunk may have no parts, and a pull that enqueues nothing is not repeated.
      for (;;) {
        const next = await iterator.next().catch((error: unknown) => ({ error: asCallError(error) }));
        if ("error" in next && isAbort(next.error)) {
          controller.error(next.error);
          return;
        }
        const isOver = "error" in next || next.done === true;
        const parts = "error" in next ? writer.fail(next.error) : isOver ? writer.finish() : writer.write(next.value);
        if (isRaw && !("error" in next) && !isOver) parts.unshift({ type: "raw", rawValue: next.value });
        for (const part of parts) controller.enqueue(part);
        if (isOver) controller.close();
        if (parts.length > 0) return;
      }
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";

/** Returns the error that the SDK knows: an `AbortError` for what was stopped on purpose. */
export function asCallError(error: unknown): unknown {
  const reason = toHearthError(error);
  return reason.code === "cancelled" ? new DOMException(reason.message, "AbortError") : reason;
}
