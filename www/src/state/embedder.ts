/**
 * The embedder of the documents: fetched at the visitor's wish, loaded when texts wait for it, and gone again when none
 * do. From then on it is read from this device alone: asking the documents makes no request.
 */
import { effect, signal } from "@preact/signals";
import { createBeside, Engine, fetchModel, HearthError, type Backend, type Notice } from "hearth-llm";
import * as cache from "hearth-llm/cache";
import { EMBEDDER } from "../models/embedder.js";
import { params } from "../params.js";
import { model, runningEngine } from "./model.js";
import { downloadOptions, filesOf, isKeptWhole, refreshInstalled } from "./plan.js";
import { change, settings } from "./settings.js";
import { protect } from "./storage.js";

export type EmbedderState =
  { name: "off" | "on" } | { name: "fetching"; loaded: number; total: number } | { name: "failed"; error: unknown };

export const embedderState = signal<EmbedderState>({ name: "off" });
/** Fact about the running embedder that the visitor should see: that it is on the CPU. */
export const embedderNotice = signal<Notice | undefined>(undefined);

/** Time without work after which it gives its memory back. */
const IDLE_MS = 60_000;
const { source } = EMBEDDER;

let controller: AbortController | undefined;
/** Whether the visitor wished for the download in this visit. */
let isWished = false;

/** Whether it can be loaded without the network. */
export function isEmbedderKept(): boolean {
  return isKeptWhole(source) && filesOf(source).some(({ url }) => isWeights(url));
}

const isWeights = (url: string): boolean => /\.(safetensors|gguf)$/.test(url);

/** Takes the embedder of an earlier visit, if it is here; returns whether it is. */
export async function restoreEmbedder(): Promise<boolean> {
  await refreshInstalled();
  if (!settings.peek().findsByMeaning) return false;
  if (embedderState.peek().name === "off" && isEmbedderKept()) embedderState.value = { name: "on" };
  return embedderState.peek().name === "on";
}

/** Fetches it at the visitor's wish; returns whether it may be used. */
export async function fetchEmbedder(): Promise<boolean> {
  controller?.abort();
  const current = new AbortController();
  controller = current;
  const { signal } = current;
  isWished = true;
  change({ findsByMeaning: true });
  embedderState.value = { name: "fetching", loaded: 0, total: EMBEDDER.bytes };
  // Asked for as with other models: a browser short of room clears other sites first.
  void protect();
  try {
    await refreshInstalled();
    if (!isEmbedderKept()) {
      await fetchModel({
        model: source,
        download: downloadOptions(source),
        signal,
        onProgress: ({ phase, loaded, total }) => {
          if (phase === "download" && !signal.aborted) embedderState.value = { name: "fetching", loaded, total };
        },
      });
      await refreshInstalled();
    }
    if (signal.aborted) return false;
    embedderState.value = { name: "on" };
    return true;
  } catch (error) {
    if (!signal.aborted) embedderState.value = { name: "failed", error };
    return false;
  }
}

/** Ends a download, and does without the embedder from now on. Its files stay. */
export function dropEmbedder(): void {
  controller?.abort();
  controller = undefined;
  change({ findsByMeaning: false });
  embedderState.value = { name: "off" };
  close();
}

let loading: Promise<Engine> | undefined;
/** Engine of the chat, beside which it was loaded. */
let neighbour: ReturnType<typeof runningEngine>;
let working = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

function close(): void {
  clearTimeout(timer);
  const closing = loading;
  loading = undefined;
  embedderNotice.value = undefined;
  closing?.then(
    (engine) => {
      engine.dispose();
    },
    () => undefined,
  );
}

// A model that begins to load finds the device as free as it was planned for.
effect(() => {
  if (model.value.name === "loading" && working === 0) close();
});

/** Returns the engine, which is loaded if it is not there; it does not come while the chat's model is being loaded. */
async function engine(): Promise<Engine> {
  await chatSettled();
  const chat = runningEngine();
  if (chat !== neighbour && working === 1) close();
  if (loading === undefined) {
    neighbour = chat;
    const started = load(chat);
    loading = started;
    const forget = (): void => {
      if (loading === started) loading = undefined;
    };
    started.then(({ closed }) => closed.then(forget), forget);
  }
  return loading;
}

function chatSettled(): Promise<void> {
  return new Promise((resolve) => {
    const stop = effect(() => {
      if (model.value.name === "loading") return;
      resolve();
      queueMicrotask(() => {
        stop();
      });
    });
  });
}

async function load(chat: typeof neighbour): Promise<Engine> {
  const { device, deviceOptions, threads } = params.engine;
  const options = {
    model: await sourceHere(),
    download: downloadOptions(source),
    ...(deviceOptions === undefined ? {} : { deviceOptions }),
    ...(threads === undefined ? {} : { threads }),
    onNotice: (notice: Notice) => {
      if (notice.code === "cpu_fallback") embedderNotice.value = notice;
    },
  };
  if (device === "cpu") return await Engine.create({ ...options, device });
  const memory = params.memory === undefined ? {} : { memory: params.memory };
  return await createBeside({ ...options, ...memory, beside: chat === undefined ? [] : [chat] });
}

/** Returns the files on this device, by which no server is asked anything; the source itself if the browser keeps none. */
async function sourceHere(): Promise<string | File[]> {
  await refreshInstalled();
  if (isEmbedderKept()) {
    const files = await Promise.all(
      filesOf(source).map(async ({ url }) => {
        const file = await cache.file(url);
        // The pooling's text is in a folder of its own.
        const path = /(?:\/1_Pooling)?\/[^/]+$/.exec(new URL(url).pathname)?.[0].slice(1) ?? "";
        return file === undefined ? [] : [new File([file], decodeURIComponent(path))];
      }),
    );
    return files.flat();
  }
  if (isWished) return source;
  throw new HearthError("io_error", `${EMBEDDER.name} is no longer on this device`, {
    hint: "Switch the search by meaning off and on again to fetch it.",
  });
}

const refuse = (): Promise<never> =>
  Promise.reject(new HearthError("invalid_request", `${EMBEDDER.name} makes embeddings only`));

/** The embedder as the library takes it. */
export const embedder: Backend = {
  model: { name: EMBEDDER.name },
  capabilities: {
    completions: false,
    embeddings: true,
    reranking: false,
    formats: false,
    tools: false,
    logprobs: false,
    continuation: false,
    tokenIds: false,
  },
  closed: new Promise(() => undefined),
  chat: refuse,
  streamChat: refuse,
  complete: refuse,
  streamCompletion: refuse,
  rerank: refuse,
  embed: async (request, options) => {
    working++;
    clearTimeout(timer);
    try {
      const { backend } = await engine();
      return await backend.embed({ ...request, truncate: true }, options);
    } finally {
      working--;
      if (working === 0) timer = setTimeout(close, IDLE_MS);
    }
  },
  dispose: close,
};
