/**
 * Substitute for the module that translates: the same contract, no model. It "translates" into capitals, a word a step. Tests change what
 * it does by `fake`.
 */
import type {
  ModuleFile,
  ModuleLanguages,
  TranslationEvent,
  TranslationWasm,
  WasmTranslationLoader,
  WasmTranslationRun,
  WasmTranslator,
} from "../src/translation/module.js";
import { ModuleError } from "./audio-module.js";

const LANGUAGES: ModuleLanguages = {
  sources: ["en", "de"],
  targets: ["de", "fr", "zh-Hant"],
  needsSource: false,
  needsTarget: true,
  plain: false,
};
const FILES: ModuleFile[] = [
  { name: "config.json", binary: false, required: true },
  { name: "tokenizer.json", binary: false, required: false },
  { name: "vocab.json", binary: false, required: false },
  { name: "source.spm", binary: true, required: false },
];

const AT_FIRST = {
  /** Makes the module fail to compile. */
  isBroken: false,
  languages: LANGUAGES,
  name: null as string | null,
  maxInputTokens: 512 as number | null,
  /** Number of loads, and the last one's texts, files and bytes. */
  loads: 0,
  texts: {} as Record<string, string>,
  files: {} as Record<string, string>,
  bytes: 0,
  /** Arguments of the runs that were begun. */
  runs: [] as unknown[][],
  freed: 0,
  live: 0,
  mostLive: 0,
  steps: 0,
  /** Step of a run at which the module traps, once. */
  trapAt: undefined as number | undefined,
  /** Characters above which a text is too long. */
  most: Number.POSITIVE_INFINITY,
  stepMs: 0,
  finish: "stop" as "stop" | "length" | "repetition",
  /** The whole answer, where it differs from what the tokens gave. */
  answer: undefined as string | undefined,
};

export const fake = { ...AT_FIRST };

/** Restores the state in which nothing has run. */
export function resetFake(): void {
  Object.assign(fake, AT_FIRST, { texts: {}, files: {}, runs: [] });
}

export default function init(): Promise<unknown> {
  return fake.isBroken ? Promise.reject(new WebAssembly.CompileError("expected magic word")) : Promise.resolve({});
}

class Run implements WasmTranslationRun {
  readonly #events: TranslationEvent[];
  #step = 0;
  #isFreed = false;

  constructor(text: string) {
    const words = text.toUpperCase().match(/\s*\S+/g) ?? [];
    this.#events = [
      { type: "encoding", layer: 1, layers: 1 },
      ...words.map((word, index) => ({ type: "token" as const, text: word, tokens: index + 1 })),
      {
        type: "done",
        text: fake.answer ?? words.join(""),
        inputTokens: text.length,
        tokens: words.length,
        finish: fake.finish,
      },
    ];
    fake.live++;
    fake.mostLive = Math.max(fake.mostLive, fake.live);
  }

  step(): string | undefined {
    if (this.#isFreed) throw new Error("null pointer passed to rust");
    fake.steps++;
    if (fake.stepMs > 0) for (const end = Date.now() + fake.stepMs; Date.now() < end;);
    if (this.#step === fake.trapAt) {
      fake.trapAt = undefined;
      fake.live--;
      throw new WebAssembly.RuntimeError("unreachable");
    }
    const event = this.#events[this.#step++];
    return event === undefined ? undefined : JSON.stringify(event);
  }

  free(): void {
    this.#isFreed = true;
    fake.freed++;
    fake.live--;
  }
}

class Model implements WasmTranslator {
  info(): string {
    const { name, bytes, maxInputTokens } = fake;
    const facts = { family: "marian", licence: "apache-2.0", parameters: 7, maxOutputTokens: 512, beams: 4 };
    return JSON.stringify({ ...facts, name, bytes, maxInputTokens });
  }

  languages(): string {
    return JSON.stringify(fake.languages);
  }

  countTokens(text: string): number {
    return text.length;
  }

  begin(...args: [text: string, source?: string, target?: string, maxTokens?: number, beams?: number]): Run {
    fake.runs.push(args);
    if (args[0].length > fake.most) throw new ModuleError("context_overflow", "the text is too long");
    return new Run(args[0]);
  }

  free(): void {
    // Nothing to free.
  }
}

export class TranslationLoader implements WasmTranslationLoader {
  constructor() {
    fake.loads++;
    Object.assign(fake, { texts: {}, files: {}, bytes: 0 });
  }

  static files(): string {
    return JSON.stringify(FILES);
  }

  text(name: string, text: string): void {
    fake.texts[name] = text;
  }

  file(name: string, bytes: Uint8Array): void {
    fake.files[name] = new TextDecoder().decode(bytes);
  }

  push(chunk: Uint8Array): void {
    if (fake.bytes === 0 && !/^(GGUF|weig)/.test(String.fromCharCode(...chunk.subarray(0, 4)))) {
      throw new ModuleError("bad_file", "the file is malformed at the first bytes");
    }
    fake.bytes += chunk.length;
  }

  finish(): Model {
    return new Model();
  }

  free(): void {
    // Nothing to free.
  }
}

/** The module, checked against its contract. */
export const MODULE: TranslationWasm = { default: init, TranslationLoader };
