/** The model of the chat page, asked through the package as an application would. */
import type { ChatCompletionMessageParam } from "hearth-llm";
import type { Chat, PageGlobals } from "./chat.js";
import type { Found, LoadedModel, Prompt } from "./golden.js";

export class PageModel implements LoadedModel {
  readonly #chat: Chat;

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  get browser(): string {
    return this.#chat.tab.browser;
  }

  likeliest({ messages, text }: Prompt, n: number): Promise<Found> {
    return this.#chat.tab.evaluate(
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
      { ...(messages === undefined ? {} : { messages }), text, n },
    );
  }

  greedyIds({ messages, text }: Prompt, maxTokens: number): Promise<number[]> {
    if (messages !== undefined) return this.#chat.greedyIds(messages, maxTokens);
    return this.#chat.tab.evaluate(
      async (params) => {
        const { engine } = (globalThis as unknown as PageGlobals).hearth;
        if (engine === undefined) throw new Error("the page has no engine");
        const { choices } = await engine.completions.create({ ...params, temperature: 0, return_token_ids: true });
        return choices[0]?.token_ids ?? [];
      },
      { prompt: text, max_tokens: maxTokens },
    );
  }

  textsOf(ids: number[]): Promise<string[]> {
    return this.#chat.tab.evaluate(async (ids) => {
      const { engine } = (globalThis as unknown as PageGlobals).hearth;
      return await Promise.all(ids.map(async (id) => (await engine?.detokenize([id])) ?? ""));
    }, ids);
  }
}
