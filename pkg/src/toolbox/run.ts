/** The loop of a model that calls tools: it asks, the calls run, and it reads their results until it answers. */
import type {
  ChatCompletionChunk,
  ChatCompletionCreateParamsBase,
  ChatCompletionMessageParam,
  ChatCompletionMessageToolCall,
} from "../api/openai.js";
import { choose, type EngineChoice, type Served } from "../api/served.js";
import { followSignals } from "../api/signals.js";
import { cancelled, HearthError, invalid } from "../core/errors.js";
import { Approvals, type AskApproval } from "./approvals.js";
import { callKey, toFailure, toResult, type Tool, type ToolCall, type ToolResult } from "./tool.js";

/** A conversation and the tools that its answer may use: a request's fields, always streamed, and what the loop needs. */
export interface RunToolsParams extends Omit<ChatCompletionCreateParamsBase, "tools" | "n"> {
  tools: readonly Tool[];
  /** Most requests to the model, the last of which may call nothing. Default 8. */
  maxSteps?: number;
  /** Milliseconds that a call may take. Default 60000. */
  timeoutMs?: number;
  /** Asks the user about calls. Required unless every tool has `needsApproval: false`. */
  approve?: Approvals | AskApproval;
}

/** Events of a run, in order. */
export type ToolEvent =
  | { type: "chunk"; step: number; chunk: ChatCompletionChunk }
  | { type: "call"; step: number; call: ToolCall }
  | { type: "result"; step: number; call: ToolCall; result: ToolResult };

/** End of a run. */
export interface ToolOutcome {
  /** Answer of the last step. */
  content: string;
  /** Messages of the run, calls and results among them, to be kept after those that were given. */
  messages: ChatCompletionMessageParam[];
  /** Reason why no more tools were called: the model was done, or was held back after many steps or the same calls. */
  reason: "answer" | "max_steps" | "loop";
}

/** Times that the same call runs. */
const MOST_REPEATS = 2;

/** Answers a conversation with tools. Iterating the run, or asking for its outcome, starts it. */
export function runTools(engine: EngineChoice, params: RunToolsParams): ToolRun {
  const { tools, approve, maxSteps = 8, timeoutMs = 60_000 } = params;
  if (!Number.isInteger(maxSteps) || maxSteps < 1) throw invalid("maxSteps", "an integer above 0", maxSteps);
  if (!(timeoutMs > 0)) throw invalid("timeoutMs", "a number above 0", timeoutMs);
  const names = tools.map((tool) => tool.function.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  // Otherwise a tool from elsewhere could take the place of an approved one.
  if (twice !== undefined) throw invalid("tools", "different in their names", twice);
  const asking = tools.find(({ needsApproval }) => needsApproval !== false);
  if (approve === undefined && asking !== undefined) {
    throw invalid("approve", `a function, as calls of "${asking.function.name}" need approval`, approve);
  }
  return new ToolRun(engine, { ...params, maxSteps, timeoutMs });
}

/** A run of `runTools`: an async iterable of events. Leaving the loop ends it. */
export class ToolRun implements AsyncIterable<ToolEvent> {
  readonly #events: AsyncGenerator<ToolEvent, ToolOutcome>;
  #outcome: ToolOutcome | undefined;

  /** @internal */
  constructor(engine: EngineChoice, params: RunToolsParams & { maxSteps: number; timeoutMs: number }) {
    this.#events = events(engine, params);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ToolEvent, void> {
    // A second iteration goes on where the first was, and has no outcome of its own after the end.
    const outcome = (yield* this.#events) as ToolOutcome | undefined;
    this.#outcome ??= outcome;
  }

  /** Takes what is left of the events, and returns the end. Rejects with `cancelled` if the run was left before it. */
  async outcome(): Promise<ToolOutcome> {
    const rest = this[Symbol.asyncIterator]();
    while ((await rest.next()).done !== true);
    if (this.#outcome === undefined) throw cancelled(undefined);
    return this.#outcome;
  }

  /** Returns the texts and thoughts of all steps as chunks without calls, for `useChat` and `<hearth-chat>`. */
  async *chunks(): AsyncGenerator<ChatCompletionChunk, void> {
    for await (const event of this) {
      if (event.type !== "chunk") continue;
      const choices = event.chunk.choices.map((choice) => {
        const delta = { ...choice.delta };
        delete delta.tool_calls;
        const isCall = choice.finish_reason === "tool_calls";
        return { ...choice, delta, finish_reason: isCall ? null : choice.finish_reason };
      });
      yield { ...event.chunk, choices };
    }
  }
}

async function* events(
  engine: EngineChoice,
  {
    tools,
    approve,
    maxSteps,
    timeoutMs,
    messages,
    signal: given,
    ...request
  }: RunToolsParams & {
    maxSteps: number;
    timeoutMs: number;
  },
): AsyncGenerator<ToolEvent, ToolOutcome> {
  const { controller, unlink } = followSignals([given]);
  const { signal } = controller;
  const approvals = typeof approve === "function" ? new Approvals(approve) : approve;
  const byName = new Map(tools.map((tool) => [tool.function.name, tool]));
  const definitions = tools.map(({ type, function: described }) => ({ type, function: described }));
  const made: ChatCompletionMessageParam[] = [];
  const seen = new Map<string, number>();
  let reason: ToolOutcome["reason"] = "answer";
  try {
    const api = await choose(engine, request.model ?? "");
    for (let step = 1; ; step++) {
      if (step === maxSteps && reason === "answer") reason = "max_steps";
      const isLast = reason !== "answer";
      // A required call is required once, or the loop would have no end.
      const choice = isLast ? "none" : step === 1 ? request.tool_choice : "auto";
      const sent = {
        ...request,
        messages: [...messages, ...made],
        ...(definitions.length > 0 && { tools: definitions, ...(choice && { tool_choice: choice }) }),
      };
      const answer = yield* ask(api, sent, step, signal);
      // A call that nothing answers would spoil the conversation for what comes later.
      if (isLast) delete answer.tool_calls;
      made.push(answer);
      const calls = (answer.tool_calls ?? []).map((call) => toCall(call, byName));
      if (calls.length === 0) return { content: answer.content as string, messages: made, reason };
      for (const call of calls) yield { type: "call", step, call };
      const counts = calls.map((call) => {
        const count = (seen.get(callKey(call)) ?? 0) + 1;
        seen.set(callKey(call), count);
        return count;
      });
      const running = calls.map((call, index) =>
        (counts[index] ?? 0) > MOST_REPEATS
          ? Promise.resolve(toFailure("this call was made before: answer with what it returned then"))
          : perform(call, approvals, timeoutMs, signal),
      );
      const results = await untilAborted(Promise.all(running), signal);
      for (const [index, call] of calls.entries()) {
        const result = results[index] ?? toFailure("no result");
        made.push({ role: "tool", tool_call_id: call.id, content: result.content });
        yield { type: "result", step, call, result };
      }
      if (counts.every((count) => count > MOST_REPEATS)) reason = "loop";
    }
  } finally {
    controller.abort();
    unlink();
  }
}

type Request = ChatCompletionCreateParamsBase;

async function* ask(
  api: Served,
  request: Request,
  step: number,
  signal: AbortSignal,
): AsyncGenerator<ToolEvent, ChatCompletionMessageParam> {
  let content = "";
  let thoughts = "";
  const calls: ChatCompletionMessageToolCall[] = [];
  const stream = await api.chat.completions.create({ ...request, stream: true as const }, { signal });
  for await (const chunk of stream) {
    const delta = chunk.choices[0]?.delta;
    content += delta?.content ?? "";
    thoughts += delta?.reasoning_content ?? "";
    for (const { index, id, function: called } of delta?.tool_calls ?? []) {
      const call = (calls[index] ??= { id: id ?? "", type: "function", function: { name: "", arguments: "" } });
      call.function.name += called.name ?? "";
      call.function.arguments += called.arguments;
    }
    yield { type: "chunk", step, chunk };
  }
  const called = calls.filter((call) => call.function.name !== "");
  return {
    role: "assistant",
    content,
    ...(called.length > 0 && { tool_calls: called }),
    ...(thoughts !== "" && { reasoning_content: thoughts }),
  };
}

function toCall({ id, function: called }: ChatCompletionMessageToolCall, byName: Map<string, Tool>): ToolCall {
  let args: unknown;
  try {
    args = JSON.parse(called.arguments === "" ? "{}" : called.arguments);
  } catch {
    // A model may write anything unless the call was required.
  }
  const isObject = typeof args === "object" && args !== null && !Array.isArray(args);
  return {
    id,
    name: called.name,
    args: isObject ? (args as Record<string, unknown>) : undefined,
    text: called.arguments,
    tool: byName.get(called.name),
  };
}

/** Runs a call, if it may. Every failure but an abort is a result. */
async function perform(
  call: ToolCall,
  approvals: Approvals | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ToolResult> {
  const { tool, args } = call;
  if (tool === undefined) return toFailure(`there is no tool "${call.name}"`);
  if (args === undefined) return toFailure("the arguments are not a JSON object");
  try {
    const isAllowed = tool.needsApproval === false || (await approvals?.allows(call, { signal })) === true;
    if (!isAllowed) return toFailure("the user did not allow this call");
    const limit = AbortSignal.timeout(timeoutMs);
    const { controller, unlink } = followSignals([signal, limit]);
    try {
      const late = (): HearthError =>
        new HearthError("invalid_request", `the call took longer than ${String(timeoutMs)} ms`);
      // (a copy, so that nothing changes what the user allowed)
      const work = Promise.resolve(tool.execute(structuredClone(args), { signal: controller.signal }));
      return toResult(await untilAborted(work, controller.signal, limit, late));
    } finally {
      unlink();
    }
  } catch (error) {
    return toFailure(error);
  }
}

/** Waits for work that may not heed its signal. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal, limit?: AbortSignal, late?: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(limit?.aborted && late !== undefined ? late() : cancelled(signal.reason));
    };
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", onAbort);
    });
  });
}
