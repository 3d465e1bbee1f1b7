/** OpenAI's Responses API over chats: the stateless part of it, whole and streamed. */
import type { ChatCompletion, ChatCompletionChunk, RequestOptions } from "../api/openai.js";
import type { Served } from "../api/served.js";
import { invalid } from "../core/errors.js";
import { ResponseWriter, type ResponseEvent } from "./answer.js";
import { toChat } from "./request.js";

/** Answers a request with a response, or with its events if it asks for a stream. */
export async function createResponse(
  { chat, model }: Served,
  body: Record<string, unknown>,
  options: RequestOptions,
): Promise<object | AsyncIterable<ResponseEvent>> {
  const { stream } = body;
  if (typeof (stream ?? false) !== "boolean") throw invalid("stream", "true or false", stream);
  const params = toChat(body);
  const writer = new ResponseWriter(body, model.name);
  if (stream !== true) {
    writer.write(asChunk(await chat.completions.create(params, options)));
    writer.finish();
    return writer.response();
  }
  const streaming = { ...params, stream: true as const, stream_options: { include_usage: true } };
  return eventsOf(await chat.completions.create(streaming, options), writer);
}

/** Returns a whole answer as a stream's only chunk. */
function asChunk({ choices, ...answer }: ChatCompletion): ChatCompletionChunk {
  const found = choices.map(({ message: { content, reasoning_content, tool_calls = [] }, ...choice }) => ({
    ...choice,
    delta: {
      ...(content !== null && { content }),
      ...(reasoning_content !== undefined && { reasoning_content }),
      tool_calls: tool_calls.map((call, index) => ({ index, ...call })),
    },
  }));
  return { ...answer, object: "chat.completion.chunk", choices: found };
}

/** Returns the events of a stream. Not a generator, whose `return` would wait for the chunk that is awaited. */
function eventsOf(chunks: AsyncIterable<ChatCompletionChunk>, writer: ResponseWriter): AsyncIterable<ResponseEvent> {
  const source = chunks[Symbol.asyncIterator]();
  const events = writer.begin();
  let isOver = false;
  const iterator: AsyncIterator<ResponseEvent, undefined> = {
    async next() {
      for (;;) {
        const event = events.shift();
        if (event !== undefined) return { done: false, value: event };
        if (isOver) return { done: true, value: undefined };
        const next = await source.next();
        isOver = next.done === true;
        events.push(...(next.done === true ? writer.finish() : writer.write(next.value)));
      }
    },
    async return() {
      await source.return?.();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
