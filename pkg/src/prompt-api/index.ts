/**
 * The browser's Prompt API (`LanguageModel`) over an engine or any other backend, for browsers that lack it, and for
 * models of one's own choice.
 *
 * ```ts
 * import { promptApi } from "hearth-llm/prompt-api";
 *
 * const LanguageModel = promptApi({ open: (options) => Engine.create({ model: "Qwen/Qwen3-0.6B-GGUF", ...options }) });
 * const session = await LanguageModel.create();
 * console.log(await session.prompt("Name three rivers."));
 * ```
 */
import { choose, type Served } from "../api/served.js";
import { followSignals } from "../api/signals.js";
import type { Backend } from "../backend/backend.js";
import type { LoadProgress } from "../core/protocol.js";
import { toDraftError, toInput, unsupported, type Prompt, type PromptContent, type PromptMessage } from "./input.js";
import { LanguageModelSession, type Model, type PromptOptions, type Sampling, type SignalOptions } from "./session.js";

export { LanguageModelSession };
export type { Prompt, PromptContent, PromptMessage, PromptOptions, Served, SignalOptions };

export type Availability = "unavailable" | "downloadable" | "downloading" | "available";

export type SamplingMode = "most-predictable" | "predictable" | "balanced" | "creative" | "most-creative";

/** `balanced` is what the model's makers advise. */
const MODES: Record<SamplingMode, Sampling> = {
  "most-predictable": { temperature: 0 },
  predictable: { temperature: 0.5 },
  balanced: {},
  creative: { temperature: 1.2, min_p: 0.05 },
  "most-creative": { temperature: 1.5, min_p: 0.1 },
};

export interface ExpectedContent {
  /** `"text"`, and `"image"` among the inputs of a model that sees. */
  type: string;
  languages?: string[];
}

export interface CoreOptions {
  expectedInputs?: ExpectedContent[];
  expectedOutputs?: ExpectedContent[];
  samplingMode?: SamplingMode;
  /** Refused with `NotSupportedError`. */
  tools?: unknown[];
}

export interface CreateOptions extends CoreOptions, SignalOptions {
  initialPrompts?: PromptMessage[];
  /** Receives a target of `downloadprogress` events, whose `loaded` goes from 0 to 1. */
  monitor?: (monitor: EventTarget) => void;
}

/** A model that is opened by the first session. */
export interface Opener {
  open: (options: { signal: AbortSignal; onProgress: (progress: LoadProgress) => void }) => Promise<Served | Backend>;
  /** Says whether the model can run and is downloaded. Default: `"downloadable"`. */
  availability?: () => Promise<Availability>;
}

/** The static part of `LanguageModel`. */
export interface LanguageModel {
  availability(options?: CoreOptions): Promise<Availability>;
  create(options?: CreateOptions): Promise<LanguageModelSession>;
}

/** Progress of a download, from 0 to `total`, 1. */
export class DownloadProgressEvent extends Event {
  readonly total = 1;
  readonly lengthComputable = true;

  constructor(readonly loaded: number) {
    super("downloadprogress");
  }
}

/** Returns a `LanguageModel` whose sessions share the model, which is opened once. */
export function promptApi(source: Served | Backend | Opener): LanguageModel {
  const opener: Opener = "open" in source ? source : { open: () => Promise.resolve(source) };
  const progress = new EventTarget();
  let model: Model | undefined = undefined;
  let opening: { result: Promise<Model>; waiting: number; controller: AbortController } | undefined;

  const begin = (): NonNullable<typeof opening> => {
    let best = 0;
    const onProgress = ({ phase, loaded, total }: LoadProgress): void => {
      const share = total > 0 ? loaded / total : 0;
      if (!["download", "weights"].includes(phase) || share <= best || share >= 1) return;
      best = share;
      progress.dispatchEvent(new DownloadProgressEvent(share));
    };
    const controller = new AbortController();
    const result = opener
      .open({ signal: controller.signal, onProgress })
      .then(async (opened) => (model = await toModel(opened)))
      .finally(() => {
        if (opening === begun) opening = undefined;
      });
    const begun = { result, waiting: 0, controller };
    return begun;
  };

  /** Waits for the model. The download ends when nobody waits for it any more. */
  const open = async (signal: AbortSignal): Promise<Model> => {
    if (model !== undefined) return model;
    const current = (opening ??= begin());
    current.waiting++;
    let onAbort = (): void => undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => {
        if (--current.waiting === 0) {
          // The next session must not wait for a download that is ending.
          if (opening === current) opening = undefined;
          current.controller.abort(signal.reason);
        }
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", onAbort, { once: true });
    });
    try {
      return await Promise.race([current.result, aborted]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  };

  return {
    async availability(options = {}) {
      if (refusalOf(options) !== undefined) return "unavailable";
      if (model !== undefined || !("open" in source)) return "available";
      if (opening !== undefined) return "downloading";
      return (await opener.availability?.()) ?? "downloadable";
    },
    async create({ initialPrompts = [], monitor, signal: own, ...options } = {}) {
      const { controller, unlink } = followSignals([own]);
      const { signal } = controller;
      const target = new EventTarget();
      const relay = ({ loaded }: DownloadProgressEvent): void => {
        target.dispatchEvent(new DownloadProgressEvent(loaded));
      };
      try {
        signal.throwIfAborted();
        const refused = refusalOf(options);
        if (refused !== undefined) throw unsupported(refused);
        const { messages, isPrefixed } = toInput(initialPrompts, true);
        if (isPrefixed) throw new DOMException("an initial prompt cannot be a prefix", "SyntaxError");
        monitor?.(target);
        progress.addEventListener("downloadprogress", relay as (event: Event) => void);
        target.dispatchEvent(new DownloadProgressEvent(0));
        const found = await open(signal);
        target.dispatchEvent(new DownloadProgressEvent(1));
        const wantsPictures = options.expectedInputs?.some(({ type }) => type === "image") === true;
        if (wantsPictures && found.sees === false) throw unsupported("this model sees no pictures");
        const session = new LanguageModelSession(found, MODES[options.samplingMode ?? "balanced"], messages);
        await session.begin();
        signal.throwIfAborted();
        return session;
      } catch (error) {
        throw signal.aborted ? signal.reason : toDraftError(error);
      } finally {
        progress.removeEventListener("downloadprogress", relay as (event: Event) => void);
        unlink();
      }
    },
  };
}

/** Sets the page's `LanguageModel` where the browser has none, or one that is unavailable. Returns whether it did. */
export async function install(api: LanguageModel, scope: object = globalThis): Promise<boolean> {
  const { LanguageModel: own } = scope as { LanguageModel?: LanguageModel };
  if (own !== undefined && (await own.availability()) !== "unavailable") return false;
  Object.defineProperty(scope, "LanguageModel", { value: api, configurable: true, writable: true });
  return true;
}

async function toModel(opened: Served | Backend): Promise<Model> {
  const { local, count } = opened as { local?: Backend["local"]; count?: (text: string) => Promise<number> };
  const tokenize = local && (async (text: string): Promise<number> => (await local.tokenize(text)).length);
  const backend = "streamChat" in opened ? opened : (opened as { backend?: Backend }).backend;
  return {
    api: await choose(opened, ""),
    count: count ? (text) => count.call(opened, text) : tokenize,
    sees: backend?.capabilities.pictures,
  };
}

/** Returns why sessions with these options cannot be had. */
function refusalOf({
  expectedInputs = [],
  expectedOutputs = [],
  samplingMode,
  tools = [],
}: CoreOptions): string | undefined {
  const inputs = expectedInputs.filter(({ type }) => type !== "image");
  const other = [...inputs, ...expectedOutputs].find(({ type }) => type !== "text");
  if (other !== undefined) return `"${other.type}" is not supported among the expected inputs and outputs`;
  if (tools.length > 0) return "tools are not supported: use tools of chat.completions";
  if (samplingMode !== undefined && !Object.hasOwn(MODES, samplingMode)) {
    return `there is no sampling mode "${samplingMode}"`;
  }
  return undefined;
}
