/** Responses of OpenAI's Responses API, built from the chunks of a chat, with the event of each step. */
import type { ChatCompletionChunk, ChatCompletionChunkToolCall } from "../api/openai.js";

type Fields = Record<string, unknown>;

/** An event of a streamed response: its type, its number and the fields of the type. */
export interface ResponseEvent extends Fields {
  type: string;
  sequence_number: number;
}

interface OpenItem {
  kind: "reasoning" | "message" | "call";
  item: Fields & { id: string };
  text: string;
  /** Index of the call in the chat's answer. */
  call?: number;
}

const PREFIX = { reasoning: "rs", message: "msg", call: "fc" };

/** Builds one response. Items are open one at a time, in the order in which the model makes them. */
export class ResponseWriter {
  readonly #head: Fields;
  readonly #id = crypto.randomUUID().replaceAll("-", "");
  readonly #output: Fields[] = [];
  #open: OpenItem | undefined;
  #events = 0;
  #isCut = false;
  readonly #last: Fields = {};

  constructor(body: Fields, model: string) {
    const { metadata, temperature, top_p, tools, tool_choice, parallel_tool_calls, text, reasoning } = body;
    this.#head = {
      id: `resp_${this.#id}`,
      object: "response",
      created_at: Math.floor(Date.now() / 1000),
      model,
      error: null,
      instructions: body.instructions ?? null,
      max_output_tokens: body.max_output_tokens ?? null,
      metadata: metadata ?? {},
      parallel_tool_calls: parallel_tool_calls ?? true,
      previous_response_id: null,
      reasoning: reasoning ?? { effort: null, summary: null },
      store: false,
      temperature: temperature ?? null,
      text: text ?? { format: { type: "text" } },
      tool_choice: tool_choice ?? "auto",
      tools: tools ?? [],
      top_p: top_p ?? null,
      truncation: "disabled",
    };
  }

  begin(): ResponseEvent[] {
    return ["created", "in_progress"].map((step) =>
      this.#event(`response.${step}`, { response: this.#response("in_progress") }),
    );
  }

  write({ choices: [choice], usage, timings, served_by }: ChatCompletionChunk): ResponseEvent[] {
    Object.assign(this.#last, usage && { usage: toUsage(usage) }, timings && { timings }, served_by && { served_by });
    if (choice === undefined) return [];
    const { content, reasoning_content, tool_calls = [] } = choice.delta;
    const events: ResponseEvent[] = [];
    if (reasoning_content) events.push(...this.#text("reasoning", reasoning_content));
    if (content) events.push(...this.#text("message", content));
    for (const piece of tool_calls) events.push(...this.#call(piece));
    if (choice.finish_reason === "length") this.#isCut = true;
    return events;
  }

  /** Ends what is open. The last event has the whole response. */
  finish(): ResponseEvent[] {
    const status = this.#isCut ? "incomplete" : "completed";
    const events = this.#close(status);
    return [...events, this.#event(`response.${status}`, { response: this.response() })];
  }

  /** Returns the response once it is finished. */
  response(): Fields {
    return { ...this.#response(this.#isCut ? "incomplete" : "completed"), ...this.#last };
  }

  #response(status: string): Fields {
    const incomplete_details = status === "incomplete" ? { reason: "max_output_tokens" } : null;
    return { ...this.#head, status, incomplete_details, output: [...this.#output] };
  }

  #text(kind: "reasoning" | "message", delta: string): ResponseEvent[] {
    const events: ResponseEvent[] = [];
    let open = this.#open;
    if (open?.kind !== kind) {
      events.push(...this.#close());
      const rest =
        kind === "message" ? { type: kind, role: "assistant", content: [] } : { type: kind, summary: [], content: [] };
      open = this.#begin(kind, rest);
      events.push(this.#event("response.output_item.added", { ...this.#at(), item: open.item }));
      events.push(this.#event("response.content_part.added", { ...this.#place(open), part: toPart(kind, "") }));
    }
    open.text += delta;
    return [
      ...events,
      this.#event(`response.${textName(kind)}.delta`, { ...this.#place(open), ...textDelta(kind, delta) }),
    ];
  }

  #call({ index, id, function: { name, arguments: delta } }: ChatCompletionChunkToolCall): ResponseEvent[] {
    const events: ResponseEvent[] = [];
    let open = this.#open;
    if (open?.kind !== "call" || open.call !== index) {
      events.push(...this.#close());
      const call_id = id ?? `call_${this.#id}_${String(index)}`;
      open = this.#begin("call", { type: "function_call", call_id, name: name ?? "", arguments: "" });
      open.call = index;
      events.push(this.#event("response.output_item.added", { ...this.#at(), item: open.item }));
    }
    if (delta === "") return events;
    open.text += delta;
    const place = { ...this.#at(), item_id: open.item.id, delta };
    return [...events, this.#event("response.function_call_arguments.delta", place)];
  }

  #begin(kind: OpenItem["kind"], fields: Fields): OpenItem {
    const id = `${PREFIX[kind]}_${this.#id}_${String(this.#output.length)}`;
    this.#open = { kind, item: { id, status: "in_progress", ...fields }, text: "" };
    return this.#open;
  }

  /** Ends the open item; one that is followed by another is whole. */
  #close(status = "completed"): ResponseEvent[] {
    const open = this.#open;
    if (open === undefined) return [];
    const { kind, text } = open;
    const events: ResponseEvent[] = [];
    let item: Fields;
    if (kind === "call") {
      item = { ...open.item, status, arguments: text };
      const done = { ...this.#at(), item_id: open.item.id, name: item.name, arguments: text };
      events.push(this.#event("response.function_call_arguments.done", done));
    } else {
      const part = toPart(kind, text);
      item = { ...open.item, status, content: [part] };
      const done = { ...this.#place(open), ...(kind === "message" ? { text, logprobs: [] } : { text }) };
      events.push(this.#event(`response.${textName(kind)}.done`, done));
      events.push(this.#event("response.content_part.done", { ...this.#place(open), part }));
    }
    events.push(this.#event("response.output_item.done", { ...this.#at(), item }));
    this.#output.push(item);
    this.#open = undefined;
    return events;
  }

  #at(): { output_index: number } {
    return { output_index: this.#output.length };
  }

  #place({ item: { id } }: OpenItem): Fields {
    return { item_id: id, ...this.#at(), content_index: 0 };
  }

  #event(type: string, fields: Fields): ResponseEvent {
    return { type, sequence_number: this.#events++, ...fields };
  }
}

const textName = (kind: "reasoning" | "message"): string => (kind === "message" ? "output_text" : "reasoning_text");

const textDelta = (kind: "reasoning" | "message", delta: string): Fields =>
  kind === "message" ? { delta, logprobs: [] } : { delta };

function toPart(kind: "reasoning" | "message", text: string): Fields {
  return kind === "message"
    ? { type: "output_text", text, annotations: [], logprobs: [] }
    : { type: "reasoning_text", text };
}

/** Returns the tokens under the names of this API. The tokens of thoughts are there if they were counted. */
function toUsage(usage: NonNullable<ChatCompletionChunk["usage"]>): Fields {
  const cached = usage.prompt_tokens_details as { cached_tokens?: number } | null | undefined;
  const details = usage.completion_tokens_details as { reasoning_tokens?: number } | null | undefined;
  return {
    input_tokens: usage.prompt_tokens,
    input_tokens_details: { cached_tokens: cached?.cached_tokens ?? 0 },
    output_tokens: usage.completion_tokens,
    ...(details?.reasoning_tokens !== undefined && {
      output_tokens_details: { reasoning_tokens: details.reasoning_tokens },
    }),
    total_tokens: usage.total_tokens,
  };
}
