/** An embedder that a test dictates, and the files that the browser keeps of it, in place of the package's. */
import { HearthError, type LoadProgress } from "hearth-llm";
import { vi } from "vitest";

const REPOSITORY = "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/";
const FILES = ["1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.json"];
const TOPICS = ["fire flame stove heat warm", "sea ship harbour sail wave"];

interface Fetching {
  model: string;
  signal: AbortSignal;
  onProgress: (progress: LoadProgress) => void;
  finish: () => void;
  fail: (error: HearthError) => void;
}

export class FakeEngine {
  readonly device: { kind: "cpu" | "webgpu" };
  readonly closed = new Promise<never>(() => undefined);
  isDisposed = false;

  constructor(
    readonly options: { model: string | File[]; beside?: unknown[]; device?: string },
    kind: "cpu" | "webgpu" = "webgpu",
  ) {
    this.device = { kind };
  }

  readonly backend = {
    embed: async ({ input }: { input: string[] }): Promise<object> => {
      await new Promise((resolve) => setTimeout(resolve));
      if (this.isDisposed) throw new HearthError("disposed", "it was disposed");
      if (fakes.failing !== undefined) throw fakes.failing;
      fakes.texts.push(...input);
      return { data: input.map((text, index) => ({ object: "embedding", index, embedding: vectorOf(text) })) };
    },
  };

  dispose(): void {
    this.isDisposed = true;
  }
}

/** Returns how many words of each topic a text has. */
function vectorOf(text: string): number[] {
  const words = new Set(text.toLowerCase().match(/\p{L}+/gu) ?? []);
  return [...TOPICS.map((topic) => topic.split(" ").filter((word) => words.has(word)).length), 0.1];
}

export const fakes = {
  fetching: [] as Fetching[],
  engines: [] as FakeEngine[],
  texts: [] as string[],
  kept: [] as string[],
  failing: undefined as HearthError | undefined,
  /** Leaves the files on this device, as a download does. */
  keep(): void {
    this.kept = FILES.map((name) => REPOSITORY + name);
  },
  reset(): void {
    [this.fetching, this.engines, this.texts, this.kept, this.failing] = [[], [], [], [], undefined];
  },
};

function create(options: FakeEngine["options"]): Promise<FakeEngine> {
  const engine = new FakeEngine(options, options.device === "cpu" ? "cpu" : "webgpu");
  fakes.engines.push(engine);
  return Promise.resolve(engine);
}

/** Parts of `hearth-llm` that load and fetch. */
export const fakePackage = {
  Engine: { create },
  createBeside: create,
  fetchModel: vi.fn((asked: Omit<Fetching, "finish" | "fail">) => {
    return new Promise<boolean>((resolve, reject) => {
      asked.signal.addEventListener("abort", () => {
        reject(new HearthError("cancelled", "the request was stopped"));
      });
      const finish = (): void => {
        fakes.keep();
        resolve(true);
      };
      fakes.fetching.push({ ...asked, finish, fail: reject });
    });
  }),
};

/** Parts of `hearth-llm/cache` that the page asks for kept files. */
export const fakeCache = {
  list: () => Promise.resolve(fakes.kept.map((url) => ({ url, total: 5, bytes: 5, complete: true, time: new Date() }))),
  file: (url: string) => Promise.resolve(fakes.kept.includes(url) ? new File(["bytes"], "data") : undefined),
};
