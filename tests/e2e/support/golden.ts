/** Goldens: transformers' output for a model, and a check that a loaded model gives the same. */
import { readFileSync } from "node:fs";
import { expect } from "@playwright/test";
import type { ChatCompletionMessageParam } from "hearth-llm";
import type { Chat } from "./chat.js";
import { expectWithin, worstError } from "./compare.js";
import { readGolden } from "./env.js";
import { floatsFile, goldenNamed, type GoldenEntry } from "./manifest.js";
import { PageModel } from "./page-model.js";

/** A loaded model, wherever it runs. */
export interface LoadedModel {
  readonly browser: string;
  /** Returns its `n` likeliest tokens at the first token of an answer. */
  likeliest(prompt: Prompt, n: number): Promise<Found>;
  /** Returns the first ids of the greedy answer. */
  greedyIds(prompt: Prompt, maxTokens: number): Promise<number[]>;
  /** Returns the text of each id. */
  textsOf(ids: number[]): Promise<string[]>;
}

export interface Prompt {
  name: string;
  /** Messages of a chat prompt; the other prompts are texts. */
  messages?: ChatCompletionMessageParam[];
  text: string;
  ids: number[];
  /** Positions for which the golden has logits. */
  positions: number[];
  greedy_ids: number[];
}

interface Golden {
  prompts: Prompt[];
  logits_bin: { shape: [prompts: number, positions: number, vocab: number] };
}

/** Number of an answer's ids to compare. Logits catch what ids miss, so a few are enough. */
const N_IDS = 16;
const N_LIKELIEST = 20;
/**
 * At least this many of the likeliest tokens must have a text that no other has, found among the golden's first
 * `N_NAMED`.
 */
const LEAST_NAMED = 6;
const N_NAMED = 60;
const F32 = 4;

/** The tokens after a prompt, the likeliest first. */
interface Likeliest {
  ids: number[];
  logprobs: number[];
}

/** A model's next token, and its log-probabilities: in OpenAI's newer shape, or keyed by text in the older one. */
export interface Found {
  id: number;
  promptTokens: number;
  logprobs: number[] | Record<string, number>;
}

/** Returns the likeliest next tokens of a prompt, from the last row of the golden's logits. */
function expectedLikeliest(golden: Golden, file: string, prompt: Prompt): Likeliest {
  const { shape } = golden.logits_bin;
  const [, positions, vocab] = shape;
  const bytes = readFileSync(file);
  expect(bytes.length, file).toBe(shape.reduce((product, n) => product * n, F32));
  expect(prompt.positions.at(-1), `${file}: the last row is the last token's`).toBe(prompt.ids.length - 1);
  const row = (golden.prompts.indexOf(prompt) + 1) * positions - 1;
  const logits = Array.from({ length: vocab }, (_, id) => bytes.readFloatLE(F32 * (row * vocab + id)));
  const most = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
  const ids = logits.map((_, id) => id).sort((a, b) => (logits[b] ?? NaN) - (logits[a] ?? NaN));
  return { ids, logprobs: ids.map((id) => (logits[id] ?? NaN) - most - total) };
}

/**
 * Returns the golden's values for tokens with these texts, the nearest if several share a text; special tokens have no
 * visible text.
 */
async function byText(
  model: LoadedModel,
  found: Record<string, number>,
  { ids, logprobs }: Likeliest,
): Promise<number[]> {
  const texts = await model.textsOf(ids.slice(0, N_NAMED));
  return Object.entries(found).map(([text, value]) => {
    const isKnown = texts.includes(text);
    const values = logprobs.filter((_, i) => {
      const own = texts[i];
      return own !== undefined && (isKnown ? own === text : !(own in found));
    });
    return values.sort((a, b) => Math.abs(a - value) - Math.abs(b - value))[0] ?? NaN;
  });
}

function expectedIds({ greedy_ids }: Prompt, { ends }: GoldenEntry, count: number): number[] {
  const ids = greedy_ids.slice(0, count);
  const end = ids.findIndex((id) => ends?.includes(id));
  return end < 0 ? ids : ids.slice(0, end);
}

/**
 * Compares the page's model with its golden, for every prompt: the likeliest next tokens, computed with the prompt and
 * again with all but its last token in the cache, and the first ids of the greedy answer, if any are asked for.
 */
export function expectGolden(chat: Chat, name: string, tolerance: number, nIds = N_IDS): Promise<void> {
  return expectLikeGolden(new PageModel(chat), name, tolerance, nIds);
}

/** Compares any loaded model in the same way. */
export async function expectLikeGolden(
  model: LoadedModel,
  name: string,
  tolerance: number,
  nIds = N_IDS,
): Promise<void> {
  const entry = goldenNamed(name);
  const golden = readGolden(entry.expected) as Golden;
  const logits = floatsFile(entry, "logits");
  expect(golden.prompts.length).toBeGreaterThan(1);
  let worst = 0;
  for (const prompt of golden.prompts) {
    const what = `${name}, ${prompt.name}`;
    const expected = expectedLikeliest(golden, logits, prompt);
    if (prompt.messages === undefined && entry.adds_bos === true) continue;
    const compare = async (): Promise<void> => {
      const { id, promptTokens, logprobs } = await model.likeliest(prompt, N_LIKELIEST);
      expect(promptTokens, what).toBe(prompt.ids.length);
      expect(id, what).toBe(expected.ids[0]);
      if (Array.isArray(logprobs)) {
        worst = Math.max(worst, worstError(what, logprobs, expected.logprobs.slice(0, N_LIKELIEST)));
        return;
      }
      const values = Object.values(logprobs);
      expect(values.length, what).toBeGreaterThanOrEqual(LEAST_NAMED);
      worst = Math.max(worst, worstError(what, values, await byText(model, logprobs, expected)));
    };
    await compare();
    if (nIds > 0) expect(await model.greedyIds(prompt, nIds), what).toEqual(expectedIds(prompt, entry, nIds));
    await compare();
  }
  expectWithin(`${name} in ${model.browser}`, worst, tolerance);
}
