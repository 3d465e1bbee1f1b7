/** The connection of a translator to its worker. */
import { loadInto, ModuleLink } from "../backend/module-link.js";
import { ModuleRpc } from "../backend/module-rpc.js";
import { throwIfAborted, type HearthError } from "../core/errors.js";
import { absolute, toDownload } from "../source/given.js";
import type { ModuleFacts, ModuleLanguages, TranslationEvent } from "./module.js";
import type { TranslateRequest, TranslationCalls, TranslationLoadRequest } from "./protocol.js";
import { toSource } from "./source.js";
import { startWorker } from "./start.js";
import type { TranslatorOptions } from "./translator.js";

type TranslationRpc = ModuleRpc<TranslationCalls, TranslationEvent>;

/** Facts of a loaded model. */
export interface TranslatorInfo extends ModuleFacts {
  /** Name of the model: as its files have it, or else its repository or file. */
  name: string;
}

interface Loaded {
  client: TranslationRpc;
  model: TranslatorInfo;
  languages: ModuleLanguages;
}

export class TranslationLink {
  readonly model: TranslatorInfo;
  readonly languages: ModuleLanguages;
  readonly #link: ModuleLink<TranslationRpc>;

  private constructor({ client, model, languages }: Loaded, options: TranslatorOptions) {
    this.model = model;
    this.languages = languages;
    // Another worker must not download the files a second time.
    const cache = options.cache === "reload" ? "default" : (options.cache ?? "default");
    this.#link = new ModuleLink(client, async (signal) => (await load({ ...options, cache, signal })).client);
  }

  static async open(options: TranslatorOptions): Promise<TranslationLink> {
    return new TranslationLink(await load(options), options);
  }

  /** Translates a piece of text in its turn. */
  async translate(
    request: TranslateRequest,
    signal: AbortSignal,
    onEvent: (event: TranslationEvent) => void,
  ): Promise<void> {
    const deliver = (event: TranslationEvent): void => {
      if (!signal.aborted) onEvent(event);
    };
    await this.#link.inTurn(signal, (client) => client.call("translate", request, { signal, onEvent: deliver }));
  }

  /** Ends the worker; running and later requests reject with the reason. */
  close(reason: HearthError): void {
    this.#link.close(reason);
  }
}

/** Starts a worker and loads the model into it. On failure or abort nothing is left running. */
async function load(options: TranslatorOptions): Promise<Loaded> {
  const { model, download = {}, cache = "default", signal, onProgress, onNotice, wasmUrl, workerUrl } = options;
  throwIfAborted(signal);
  const { source, name } = await toSource(model, download);
  const request: TranslationLoadRequest = { source, cache, download: toDownload(download, source) };
  if (wasmUrl !== undefined) request.wasmUrl = absolute(wasmUrl);
  // The signal may have fired in the meantime, before there was a listener.
  throwIfAborted(signal);
  const client: TranslationRpc = new ModuleRpc(startWorker(workerUrl), "translations");
  const loaded = await loadInto(client, signal, () => client.call("load", request, { onProgress }));
  for (const notice of loaded.notices) onNotice?.(notice);
  const { info, languages } = loaded;
  return { client, model: { ...info, name: info.name ?? name }, languages };
}
