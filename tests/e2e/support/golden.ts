/** Goldens: transformers' output for a model, and a check that a loaded engine gives the same. */
import { readFileSync } from "node:fs";
import { expect } from "@playwright/test";
import type { ChatCompletionMessageParam } from "hearth-llm";
import type { Chat, PageGlobals } from "./chat.js";
import { expectWithin, worstError } from "./compare.js";
import { readGolden } from "./env.js";
import { floatsFile, goldenNamed, type GoldenEntry } from "./manifest.js";

interface Prompt {
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

/** The engine's next token, and its log-probabilities: in OpenAI's newer shape, or keyed by text in the older one. */
interface Found {
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

/** Returns the engine's likeliest tokens at the first token of an answer. */
function foundLikeliest(chat: Chat, { messages, text }: Prompt): Promise<Found> {
  return chat.tab.evaluate(
    async ({ messages, text, n }: { messages?: ChatCompletionMessageParam[]; text: string; n: number }) => {
      const { engine } = (globalThis as unknown as PageGlobals).hearth;
      if (engine === undefined) throw new Error("the page has no engine");
      const params = { max_tokens: 1, temperature: 0, return_token_ids: true };
      if (messages !== undefined) {
        const request = { messages, logprobs: true, top_logprobs: n, ...params };
        const { choices, usage } = await engine.chat.completions.create(request);
        const [choice] = choices;
        const top = choice?.logprobs?.content[0]?.top_logprobs ?? [];
        const logprobs = top.map(({ logprob }) => logprob);
        return { id: choice?.token_ids?.[0] ?? -1, promptTokens: usage.prompt_tokens, logprobs };
      }
      const { choices, usage } = await engine.completions.create({ prompt: text, logprobs: n, ...params });
      const [choice] = choices;
      const logprobs = choice?.logprobs?.top_logprobs[0] ?? {};
      return { id: choice?.token_ids?.[0] ?? -1, promptTokens: usage?.prompt_tokens ?? 0, logprobs };
    },
    { ...(messages === undefined ? {} : { messages }), text, n: N_LIKELIEST },
  );
}

function greedyIds(chat: Chat, { messages, text }: Prompt, max_tokens: number): Promise<number[]> {
  if (messages !== undefined) return chat.greedyIds(messages, max_tokens);
  return chat.tab.evaluate(
    async (params) => {
      const { engine } = (globalThis as unknown as PageGlobals).hearth;
      if (engine === undefined) throw new Error("the page has no engine");
      const { choices } = await engine.completions.create({ ...params, temperature: 0, return_token_ids: true });
      return choices[0]?.token_ids ?? [];
    },
    { prompt: text, max_tokens },
  );
}

function textsOf(chat: Chat, ids: number[]): Promise<string[]> {
  return chat.tab.evaluate(async (ids) => {
    const { engine } = (globalThis as unknown as PageGlobals).hearth;
    return await Promise.all(ids.map(async (id) => (await engine?.detokenize([id])) ?? ""));
  }, ids);
}

/**
 * Returns the golden's values for tokens with these texts, the nearest if several share a text; special tokens have no
 * visible text.
 */
async function byText(chat: Chat, found: Record<string, number>, { ids, logprobs }: Likeliest): Promise<number[]> {
  const texts = await textsOf(chat, ids.slice(0, N_NAMED));
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
 * Compares the loaded model with its golden, for every prompt: the likeliest next tokens, computed with the prompt and
 * again with all but its last token in the cache, and the first ids of the greedy answer, if any are asked for.
 */
export async function expectGolden(chat: Chat, name: string, tolerance: number, nIds = N_IDS): Promise<void> {
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
      const { id, promptTokens, logprobs } = await foundLikeliest(chat, prompt);
      expect(promptTokens, what).toBe(prompt.ids.length);
      expect(id, what).toBe(expected.ids[0]);
      if (Array.isArray(logprobs)) {
        worst = Math.max(worst, worstError(what, logprobs, expected.logprobs.slice(0, N_LIKELIEST)));
        return;
      }
      const values = Object.values(logprobs);
      expect(values.length, what).toBeGreaterThanOrEqual(LEAST_NAMED);
      worst = Math.max(worst, worstError(what, values, await byText(chat, logprobs, expected)));
    };
    await compare();
    if (nIds > 0) expect(await greedyIds(chat, prompt, nIds), what).toEqual(expectedIds(prompt, entry, nIds));
    await compare();
  }
  expectWithin(`${name} in ${chat.tab.browser}`, worst, tolerance);
}
