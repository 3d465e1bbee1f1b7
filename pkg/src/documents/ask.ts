/** Answers to questions about documents, with the passages in the last message and citations beside the answer. */
import { Completions } from "../api/completions.js";
import type {
  ChatCompletionChunk,
  ChatCompletionCreateParamsBase,
  ChatCompletionMessage,
  ChatCompletionMessageParam,
  ChatCompletionStreamOptions,
} from "../api/openai.js";
import { CompletionStream } from "../api/stream.js";
import type { Backend } from "../backend/backend.js";
import { invalid, throwIfAborted } from "../core/errors.js";
import { citationsIn, CitationFilter, type FileCitation } from "./citations.js";
import { gather } from "./gather.js";
import type { Library } from "./library.js";
import { questionOf, render, textOf, withText, type Source } from "./prompt.js";
import { tokensIn } from "./tokens.js";
import { backendOf, type Model } from "./types.js";
import { countWords } from "./words.js";

/**
 * A request for an answer from documents: those of `chat.completions.create`, always streamed. Tools are off unless given
 * here: what a document says can then call nothing.
 */
export interface AskParams extends ChatCompletionCreateParamsBase {
  library: Library;
  /** The conversation; the last message is the user's question. */
  messages: ChatCompletionMessageParam[];
  /** Ids of the documents to answer from. Default: all. */
  documents?: string[] | undefined;
  /** Most tokens for passages. Default: what conversation and answer leave of the context. */
  budget?: number | undefined;
  stream_options?: ChatCompletionStreamOptions | null;
}

/** The answer's message: OpenAI's, with citations. */
export interface AnswerMessage extends ChatCompletionMessage {
  annotations: FileCitation[];
}

/** Context that is assumed of a model that does not tell its own. */
const CONTEXT = 4096;
const LONGEST_ANSWER = 1024;
/** Tokens of instructions and of a chat template. */
const OVERHEAD = 160;
/** Words below which a question needs the one before it to be understood. */
const SHORT = 5;

/** Stream of an answer's chunks, whose text cites nothing but `sources`. */
export class AnswerStream extends CompletionStream<ChatCompletionChunk> {
  /** Numbered passages that the model was given, the first of which is `[1]`. */
  readonly sources: readonly Source[];
  /**
   * Messages as they were sent. Kept with the conversation and given to the next `ask`, they let the engine reuse what it
   * has computed.
   */
  readonly messages: readonly ChatCompletionMessageParam[];
  readonly #answer: Answer;

  /** @internal */
  constructor(
    inner: CompletionStream<ChatCompletionChunk>,
    prompt: { sources: Source[]; messages: ChatCompletionMessageParam[] },
    pageAt: (source: Source, offset: number) => string | null,
  ) {
    const answer = new Answer(prompt.sources, pageAt);
    super(answer.read(inner), inner.controller, () => undefined);
    this.sources = prompt.sources;
    this.messages = prompt.messages;
    this.#answer = answer;
  }

  /** Takes what is left of the stream, and returns the whole message with its citations. */
  async message(): Promise<AnswerMessage> {
    const iterator = this[Symbol.asyncIterator]();
    while ((await iterator.next()).done !== true);
    return this.#answer.message();
  }
}

/** An answer as far as it has come. */
class Answer {
  readonly #sources: Source[];
  readonly #pageAt: (source: Source, offset: number) => string | null;
  readonly #filter: CitationFilter;
  readonly #calls: { id: string; type: "function"; function: { name: string; arguments: string } }[] = [];
  #text = "";
  #thoughts = "";

  constructor(sources: Source[], pageAt: (source: Source, offset: number) => string | null) {
    this.#sources = sources;
    this.#pageAt = pageAt;
    this.#filter = new CitationFilter(sources.length);
  }

  async *read(chunks: AsyncIterable<ChatCompletionChunk>): AsyncGenerator<ChatCompletionChunk, void, void> {
    for await (const chunk of chunks) {
      const [choice, ...others] = chunk.choices;
      if (choice === undefined) {
        yield chunk;
        continue;
      }
      const { delta, finish_reason } = choice;
      let content = delta.content === undefined ? "" : this.#filter.push(delta.content);
      if (finish_reason !== null) content += this.#filter.end();
      this.#text += content;
      this.#thoughts += delta.reasoning_content ?? "";
      for (const { index, id, function: called } of delta.tool_calls ?? []) {
        const call = (this.#calls[index] ??= { id: id ?? "", type: "function", function: { name: "", arguments: "" } });
        call.function.name += called.name ?? "";
        call.function.arguments += called.arguments;
      }
      const hasContent = delta.content !== undefined || content !== "";
      const changed = hasContent ? { ...choice, delta: { ...delta, content } } : choice;
      yield { ...chunk, choices: [changed, ...others] };
    }
  }

  message(): AnswerMessage {
    const calls = this.#calls.filter((call) => call.function.name !== "");
    const content = this.#text === "" && calls.length > 0 ? null : this.#text;
    const annotations = citationsIn(this.#text, this.#sources, this.#pageAt);
    return {
      role: "assistant",
      content,
      refusal: null,
      annotations,
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
      ...(this.#thoughts === "" ? {} : { reasoning_content: this.#thoughts }),
    };
  }
}

/** Answers a question from a library's documents. */
export async function ask(model: Model, params: AskParams): Promise<AnswerStream> {
  const { library, documents, budget, messages, signal, n, ...request } = params;
  throwIfAborted(signal);
  if (n !== undefined && n !== null && n !== 1) throw invalid("n", "1 or absent", n);
  if (budget !== undefined && !(budget > 0)) throw invalid("budget", "a number above 0", budget);
  const backend = backendOf(model);
  const last = messages.at(-1);
  if (last?.role !== "user") throw invalid("messages", "a conversation that ends with the user's question", last?.role);
  const question = questionOf(textOf(last));
  const earlier = messages.slice(0, -1);
  const contextSize = backend.model.n_ctx ?? CONTEXT;
  const reserve =
    request.max_completion_tokens ?? request.max_tokens ?? Math.min(LONGEST_ANSWER, Math.floor(contextSize / 4));
  const taken = [...earlier.map(textOf), question].reduce((sum, text) => sum + tokensIn(text) + 8, OVERHEAD);
  const room = Math.min(budget ?? Number.POSITIVE_INFINITY, contextSize - reserve - taken);
  const wanted = { query: queryOf(earlier, question), documents, room, contextSize, signal: signal ?? undefined };
  const fits = (sources: Source[]): Promise<boolean> =>
    isWithin(backend, [...earlier.map(textOf), render(question, sources)], contextSize - reserve);
  const first = await gather(library, { ...wanted, onlyPassages: false });
  const isTooLong = first.isWhole && !(await fits(first.sources));
  let { sources } = isTooLong ? await gather(library, { ...wanted, onlyPassages: true }) : first;
  while (sources.length > 0 && !(await fits(sources))) sources = sources.slice(0, -1);
  const sent = [...earlier, withText(last, render(question, sources))];
  const held = library.chosen(documents);
  const pageAt = (source: Source, offset: number): string | null =>
    held.find(({ stored }) => stored.id === source.document.id)?.page(offset) ?? null;
  const inner = await new Completions(backend).create(
    { ...request, messages: sent, stream: true },
    { signal: signal ?? null },
  );
  return new AnswerStream(inner, { sources, messages: sent }, pageAt);
}

/** Returns whether texts fit into some tokens, as far as the model can count them. */
async function isWithin({ local }: Backend, texts: string[], most: number): Promise<boolean> {
  // Elsewhere the estimate that chose the passages has to do.
  if (local === undefined) return true;
  const ids = await local.tokenize(texts.join("\n"));
  return ids.length + 8 * (texts.length + 2) <= most;
}

/** Returns what to search for: a short question together with the one before it. */
function queryOf(earlier: ChatCompletionMessageParam[], question: string): string {
  if (countWords(question) >= SHORT) return question;
  const before = earlier.findLast(({ role }) => role === "user");
  return before === undefined ? question : `${questionOf(textOf(before))}\n${question}`;
}
