/**
 * The core in a page, on one device that it keeps: models that are loaded one after the other share the pipelines that
 * they have in common. A page's engine opens a device for each model, and SwiftShader takes ten seconds to compile one's
 * shaders.
 */
import type { ChatCompletionMessageParam, DeviceTuning } from "hearth-llm";
import { BASE_URL } from "./env.js";
import type { Found, LoadedModel, Prompt } from "./golden.js";
import type { Tab } from "./tab.js";

type Wasm = import("../../../pkg/src/core/wasm-contract.js").HearthWasm;
type Request = import("../../../pkg/src/core/wasm-contract.js").GenerateRequest;
type Delta = import("../../../pkg/src/core/wasm-contract.js").TokenDelta;
type Device = import("../../../pkg/src/core/wasm-contract.js").WasmDevice;
type Engine = import("../../../pkg/src/core/wasm-contract.js").WasmEngine;
type Shims = typeof import("../../../pkg/src/worker/gpu-shims.js");

export interface CoreOptions {
  kind: "webgpu" | "cpu";
  tuning?: DeviceTuning;
}

interface CoreGlobals {
  core: { wasm: Wasm; device: Device; engine?: Engine };
}

/** Tokens of the KV cache. */
const CONTEXT = 256;

/** A text's embedding, and its tokens. */
interface Embedded {
  values: number[];
  tokens: number;
}

export class Core implements LoadedModel {
  private constructor(readonly tab: Tab) {}

  get browser(): string {
    return this.tab.browser;
  }

  /** Opens a device in a tab. */
  static async open(tab: Tab, options: CoreOptions): Promise<Core> {
    await tab.goto(BASE_URL);
    await tab.evaluate(
      async ({ folder, kind, tuning }) => {
        const wasm = (await import(`${folder}wasm/hearth.js`)) as Wasm;
        const { installGpuShims } = (await import(`${folder}worker/gpu-shims.js`)) as Shims;
        installGpuShims({ subgroups: () => tuning?.subgroups === true, onLost: () => undefined });
        await wasm.default({ module_or_path: `${folder}wasm/hearth_bg.wasm` });
        const device = await wasm.Device.open(kind, tuning === undefined ? {} : { tuning });
        (globalThis as unknown as CoreGlobals).core = { wasm, device };
      },
      { folder: `${BASE_URL}pkg/dist/`, ...options },
    );
    return new Core(tab);
  }

  /** Loads a GGUF file in place of the one before. */
  load(model: string, contextSize = CONTEXT): Promise<void> {
    return this.tab.evaluate(
      async ({ model, contextSize }) => {
        const { core } = globalThis as unknown as CoreGlobals;
        core.engine?.free();
        delete core.engine;
        const file = new Uint8Array(await (await fetch(model)).arrayBuffer());
        const loader = new core.wasm.Loader(core.device, { contextSize, kvType: "f32", totalBytes: file.length });
        await loader.push(file);
        core.engine = await loader.finish();
      },
      { model, contextSize },
    );
  }

  /** Answers greedily. */
  #answer({ messages, text }: Prompt, rest: Request): Promise<Delta[]> {
    return this.tab.evaluate(
      async ({
        messages,
        prompt,
        rest,
      }: {
        messages?: ChatCompletionMessageParam[];
        prompt: string;
        rest: Request;
      }) => {
        const { engine } = (globalThis as unknown as CoreGlobals).core;
        if (engine === undefined) throw new Error("no model is loaded");
        const asked = messages === undefined ? { prompt } : { messages };
        const generation = engine.generate({ ...asked, ...rest, temperature: 0 } as Request);
        const deltas: Delta[] = [];
        do deltas.push(await generation.next());
        while (deltas.at(-1)?.finish_reason === null);
        generation.free();
        return deltas;
      },
      { ...(messages === undefined ? {} : { messages }), prompt: text, rest },
    );
  }

  async likeliest(prompt: Prompt, n: number): Promise<Found> {
    const deltas = await this.#answer(prompt, { max_tokens: 1, logprobs: true, top_logprobs: n });
    const [first] = deltas.flatMap(({ logprobs }) => logprobs);
    const promptTokens = deltas.at(-1)?.usage.prompt_tokens ?? 0;
    return { id: first?.id ?? -1, promptTokens, logprobs: first?.top.map(({ logprob }) => logprob) ?? [] };
  }

  async greedyIds(prompt: Prompt, maxTokens: number): Promise<number[]> {
    return (await this.#answer(prompt, { max_tokens: maxTokens })).flatMap(({ ids }) => ids);
  }

  textsOf(ids: number[]): Promise<string[]> {
    return this.tab.evaluate((ids) => {
      const { engine } = (globalThis as unknown as CoreGlobals).core;
      return ids.map((id) => engine?.detokenize(Uint32Array.of(id)) ?? "");
    }, ids);
  }

  /** Embeds texts, as many at once as a step takes; those beyond the context are cut. */
  embed(texts: string[]): Promise<Embedded[]> {
    return this.tab.evaluate(async (texts) => {
      const { engine } = (globalThis as unknown as CoreGlobals).core;
      if (engine === undefined) throw new Error("no model is loaded");
      const all: Embedded[] = [];
      while (all.length < texts.length) {
        const found = await engine.embed(texts.slice(all.length).map((text) => ({ text, truncate: true })));
        const { values, tokens } = found;
        found.free();
        const width = values.length / tokens.length;
        tokens.forEach((count, i) =>
          all.push({ values: [...values.slice(i * width, (i + 1) * width)], tokens: count }),
        );
      }
      return all;
    }, texts);
  }
}
