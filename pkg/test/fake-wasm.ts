/**
 * Substitute for the wasm core: the same contract, no model. Used by unit tests, and by the page in `npm run dev:fake`.
 *
 * It checks the file's magic, "tokenises" by UTF-16 unit, and answers with a fixed text. A message can request a
 * failure: `!trap` (a panic), `!lost` (device lost), `!gpu` (an error of the GPU), `!format` (a format that fails
 * during the answer), or `!echo TEXT` (answers TEXT), also as a question to documents.
 */
import type {
  AdvisedSampling,
  DeviceInfo,
  DeviceOptions,
  DeviceTuning,
  EngineStats,
  GenerateRequest,
  InspectorOptions,
  LoaderOptions,
  LoaderProgress,
  ModelReport,
  ModelInfo,
  PictureProcessor,
  TokenDelta,
  WasmDevice,
  EmbedInput,
  RankInput,
  RankScore,
  Similarity,
  WasmEmbeddings,
  WasmEngine,
  WasmFiles,
  WasmGeneration,
  WasmGrammar,
  WasmInspector,
  WasmLoader,
  WasmTokens,
  ToolStyle,
} from "../src/core/wasm-contract.js";
import { ANSWER } from "./fake-answer.js";
import { hold, Paged, resetContext } from "./fake-context.js";
import { embeddingsOf, scoreOf } from "./fake-embeddings.js";
import { checkHeader, checkPart, CoreError } from "./fake-errors.js";
import { PICTURE, textOf } from "./fake-message.js";
import { deviceInfo, MODEL, STATS, TUNING } from "./fake-objects.js";

export { Sha256 } from "./fake-checksum.js";

/** Pace, limits and counters; tests change them. */
const AT_FIRST = {
  stepMs: 0,
  pushMs: 0,
  compileMs: 0,
  nCtx: 2048,
  liveGenerations: 0,
  cancelled: 0,
  steps: 0,
  /** TokenDelta of an answer at which the device is lost, once. */
  loseAt: undefined as number | undefined,
  /** Words of an answer after which no more come. */
  stallAt: Number.POSITIVE_INFINITY,
  /** Makes the core's module fail to compile. */
  isBroken: false,
  inspectorsFreed: 0,
  toolStyle: null as ToolStyle | null,
  /** Sampling that the model's files advise. */
  sampling: null as AdvisedSampling | null,
  /** Makes the answer begin inside the model's thoughts. */
  inThoughts: false,
  /** Rules for pictures, of a model that sees; pictures that it holds, by key. */
  vision: null as PictureProcessor | null,
  pictures: new Map<string, unknown>(),
  /** Terms of a model that compares pictures with texts. */
  similarity: null as Similarity | null,
  /** Last request received. */
  request: undefined as GenerateRequest | undefined,
  /** Options of the last loader. */
  loaderOptions: undefined as LoaderOptions | undefined,
  /** Whether the prompt is computed in two steps. */
  halves: false,
  embedded: [] as number[][],
  grammarsFreed: 0,
  grammarInstances: 1,
  /** Called between rendering the template and the answer. */
  encoding: (): void => undefined,
};

export const fake = { ...AT_FIRST };

/** Restores the state in which nothing has run. */
export function resetFake(): void {
  Object.assign(fake, AT_FIRST, { pictures: new Map(), embedded: [] });
  resetContext();
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export default function init(): Promise<unknown> {
  return fake.isBroken ? Promise.reject(new WebAssembly.CompileError("expected magic word")) : Promise.resolve({});
}

export function version(): string {
  return "0.0.0-fake";
}

export function constructorRuns(): number {
  return 1;
}

export class Device implements WasmDevice {
  private constructor(
    private readonly kind: "webgpu" | "cpu",
    private readonly options: DeviceOptions,
  ) {}

  static async open(kind: "webgpu" | "cpu", options: DeviceOptions): Promise<Device> {
    await sleep(0);
    return new Device(kind, options);
  }

  info(): DeviceInfo {
    return deviceInfo(this.kind, this.options);
  }

  tuning(): DeviceTuning {
    return this.options.tuning === undefined ? TUNING : { ...TUNING, shared_tile: true };
  }

  free(): void {
    // Nothing to free.
  }
}

export class Loader implements WasmLoader {
  private received = 0;
  private isFinished = false;

  constructor(
    private readonly device: WasmDevice,
    private readonly options: LoaderOptions,
    private readonly files?: WasmFiles,
  ) {
    fake.loaderOptions = options;
  }

  async push(chunk: Uint8Array): Promise<void> {
    if (this.received === 0 && this.files === undefined) checkHeader(chunk);
    await sleep(fake.pushMs);
    this.received += chunk.length;
  }

  progress(): LoaderProgress | null {
    if (this.isFinished) return null;
    const total = this.options.totalBytes ?? 0;
    return { phase: "weights", loaded: this.received, total, tensor: "blk.0.attn_q.weight" };
  }

  async finish(): Promise<Engine> {
    if (this.received === 0) {
      throw new CoreError(
        "truncated_file",
        "the file ends too early: magic needs 4 bytes, 0 are there",
        "Fetch it again.",
      );
    }
    this.isFinished = true;
    await sleep(fake.compileMs);
    return new Engine(this.device, this.options.contextSize ?? fake.nCtx, this.received);
  }

  free(): void {
    // Nothing to free.
  }
}

/** Headers of 16 bytes. */
export class Files implements WasmFiles {
  readonly texts: string[] = [];
  private readonly received = new Map<number, number>();

  text(name: string): void {
    this.texts.push(name);
  }

  header(index: number, chunk: Uint8Array): boolean {
    checkPart(chunk);
    const received = (this.received.get(index) ?? 0) + chunk.length;
    this.received.set(index, received);
    return received >= 16;
  }

  report(): ModelReport {
    return { ...unsupported(this.received.size), format: "safetensors", name: this.texts.join(" ") };
  }

  free(): void {
    fake.inspectorsFreed += 1;
  }
}

function unsupported(parameters: number): ModelReport {
  return {
    format: "gguf",
    architecture: "fake",
    name: "fake",
    license: null,
    parameters,
    quants: {},
    tensor_bytes: 0,
    n_ctx_train: null,
    sampling: null,
    unsupported: { code: "unsupported_architecture", message: "fake", hint: "" },
  };
}

export class Inspector implements WasmInspector {
  private received = 0;

  constructor(
    private readonly options: InspectorOptions,
    readonly total?: number,
  ) {}

  /** Consumes bytes; the header is in the first 16. */
  push(chunk: Uint8Array): ModelReport | null {
    if (this.received === 0) checkHeader(chunk);
    this.received += chunk.length;
    return this.received < 16 ? null : { ...unsupported(this.options.contextSize ?? 1), tensor_bytes: this.received };
  }

  finish(): never {
    throw new CoreError("truncated_file", "the file ends in its header", "Fetch it again.");
  }

  free(): void {
    fake.inspectorsFreed += 1;
  }
}

export class Engine extends Paged implements WasmEngine {
  constructor(
    readonly device: WasmDevice,
    private readonly contextSize: number,
    private readonly bytes: number,
  ) {
    super();
  }

  info(): ModelInfo {
    const { toolStyle: tool_style, sampling, vision, similarity } = fake;
    return { ...MODEL, n_ctx: this.contextSize, weight_bytes: this.bytes, tool_style, sampling, vision, similarity };
  }

  vocabulary(): WasmTokens {
    const lengths = Uint32Array.from({ length: 127 }, () => 1);
    return {
      bytes: Uint8Array.from({ length: 127 }, (_, i) => i),
      lengths,
      eog: Uint32Array.of(0),
      free: () => undefined,
    };
  }

  addPicture(...picture: [number, number, Uint32Array, Uint8Array]): string {
    const key = `key:${picture.map(String).join(":")}`;
    fake.pictures.set(key, picture);
    return key;
  }

  hasPicture(key: string): boolean {
    return fake.pictures.has(key);
  }

  generate(request: GenerateRequest, constraint?: WasmGrammar, rendered?: () => void): Generation {
    fake.request = request;
    this.checkAdapters(request.adapters);
    rendered?.();
    fake.encoding();
    const prompt =
      (request.messages ?? []).map((message) => textOf(message, fake.pictures)).join("\n") || (request.prompt ?? "");
    const needed = prompt.length;
    if (needed > this.contextSize) {
      const message = `the prompt needs ${String(needed)} tokens, the context holds ${String(this.contextSize)}`;
      throw new CoreError("context_overflow", message, "Shorten the conversation.");
    }
    return new Generation(prompt, request, constraint, hold(prompt));
  }

  /** Returns embeddings of an input's length and 1, of as many inputs as fit the context together. */
  async embed(inputs: EmbedInput[]): Promise<WasmEmbeddings> {
    await sleep(fake.stepMs);
    const found = embeddingsOf(inputs, this.contextSize, [...fake.pictures.keys()]);
    fake.embedded.push([...found.tokens]);
    return found;
  }

  /** Scores by the share of the document's characters that the query has. */
  async rank(input: RankInput): Promise<RankScore> {
    await sleep(fake.stepMs);
    return scoreOf(input, this.contextSize);
  }

  tokenize(text: string): Uint32Array {
    return Uint32Array.from(text, (character) => character.charCodeAt(0));
  }

  detokenize(ids: Uint32Array): string {
    return String.fromCharCode(...ids);
  }

  stats(): EngineStats {
    const n = fake.steps;
    return { ...STATS, dispatches: n, replays: n, readbacks: n };
  }

  dispatchCost(): Promise<Float64Array> {
    return Promise.resolve(Float64Array.of(0, 0));
  }

  free(): void {
    // Nothing to free.
  }
}

/** A picture among a prompt's texts, which takes five tokens. */
export class Generation implements WasmGeneration {
  private readonly pieces: string[];
  private at = -1;
  private isHalf = false;

  constructor(
    private readonly prompt: string,
    private readonly request: GenerateRequest,
    constraint?: WasmGrammar,
    private readonly cached = 0,
  ) {
    const last = request.messages?.at(-1);
    const asked = (last === undefined ? prompt : textOf(last, fake.pictures)).replaceAll(PICTURE, "").trim();
    const forced = constraint === undefined ? undefined : new TextDecoder().decode(constraint.forced());
    const answer = forced ?? /(?:^|\n\nQuestion: )!echo ([^]*)$/.exec(asked)?.[1] ?? ANSWER;
    this.pieces = answer.match(/\s*\S+/g) ?? [];
    fake.liveGenerations++;
  }

  async next(): Promise<TokenDelta> {
    await sleep(this.at >= fake.stallAt ? 1e8 : fake.stepMs);
    fake.steps++;
    if (this.prompt.endsWith("!trap")) throw new WebAssembly.RuntimeError("unreachable");
    const isLost = this.at + 1 === fake.loseAt;
    if (isLost) fake.loseAt = undefined;
    if (isLost || this.prompt.endsWith("!lost"))
      throw new CoreError("device_lost", "the GPU device was lost: gone", "Start again.");
    if (this.prompt.endsWith("!gpu")) throw new CoreError("gpu_error", "GPU error in gemv: no", "Update the browser.");
    if (this.prompt.endsWith("!format")) throw new CoreError("grammar_error", "unreachable", "Simplify it.");
    const limit = this.request.max_tokens ?? Number.POSITIVE_INFINITY;
    this.at++;
    if (this.at === 0) {
      if (fake.halves && !this.isHalf) {
        const phase = this.prompt.includes(PICTURE) ? "picture" : "prefill";
        const half = this.step(phase, "", null, this.prompt.length >> 1);
        [this.isHalf, this.at] = [true, -1];
        return half;
      }
      const step = this.step("prefill", "", null);
      const { resume_ids: ids = [], repeat_resumed: repeats } = this.request;
      this.at = ids.length;
      return repeats ? { ...step, ids, text: this.pieces.slice(0, this.at).join("") } : step;
    }
    const text = this.pieces[this.at - 1] ?? "";
    if (this.at >= limit) return this.step("decode", text, "length");
    return this.step("decode", text, this.at >= this.pieces.length ? "stop" : null);
  }

  private step(
    phase: TokenDelta["phase"],
    text: string,
    finish_reason: TokenDelta["finish_reason"],
    prompt_read = this.prompt.length,
  ): TokenDelta {
    const prompt_tokens = this.prompt.length;
    const looked = phase === "picture" ? 0.5 : 1;
    const usage = {
      prompt_tokens,
      completion_tokens: this.at,
      total_tokens: prompt_tokens + this.at,
      prompt_tokens_details: { cached_tokens: this.cached },
      completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
    };
    const ids = text === "" ? [] : [this.at];
    const own = { id: this.at, token: text, bytes: [...new TextEncoder().encode(text)], logprob: -0.5 };
    const logprobs = this.request.logprobs ? ids.map(() => ({ ...own, top: [own] })) : [];
    return { text, ids, logprobs, in_thoughts: fake.inThoughts, phase, prompt_read, looked, finish_reason, usage };
  }

  cancel(): void {
    fake.cancelled++;
  }

  free(): void {
    fake.liveGenerations--;
  }
}
