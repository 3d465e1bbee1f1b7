/** The chat page, driven by a person's actions. */
import { expect } from "@playwright/test";
import type { ChatCompletionMessageParam, DeviceInfo, Engine } from "hearth-llm";
import { BASE_URL } from "./env.js";
import type { Tab } from "./tab.js";

/** The only thing that the page puts on its window, see www/src/main.ts. */
export interface PageGlobals {
  hearth: { engine: Engine | undefined };
}

const LOAD_MS = 300_000;
const ANSWER_MS = 600_000;

export class Chat {
  constructor(readonly tab: Tab) {}

  /** Opens the page; with `model` among the parameters it starts to load. */
  async open(params: Record<string, string | number> = {}, base = BASE_URL): Promise<void> {
    const url = new URL(base);
    for (const [name, value] of Object.entries(params)) url.searchParams.set(name, String(value));
    await this.tab.goto(url.href);
  }

  /** Opens the page with a model and waits until it can be talked to. */
  async load(model: string, params: Record<string, string | number> = {}, base = BASE_URL): Promise<void> {
    await this.open({ model, ...params }, base);
    await this.waitReady();
  }

  /** Unfolds the list of all models, which a first visit has below its three offers. */
  /** Waits until the offered models stay what they are: until the device is known, they can come and go. */
  async waitOffers(): Promise<void> {
    await this.tab.waitVisible("#more-models", LOAD_MS);
    await expect.poll(() => this.count('.offers[aria-busy="true"]'), { timeout: LOAD_MS }).toBe(0);
  }

  async unfoldModels(): Promise<void> {
    await this.waitOffers();
    if ((await this.count("#more-models[open]")) === 0) await this.tab.click("#more-models > summary");
  }

  /** Unfolds the form for a server, in a list of models. */
  async unfoldServer(): Promise<void> {
    await this.tab.waitVisible("#server", LOAD_MS);
    // The model's needs and the list of files on this device appear above it.
    await this.tab.waitVisible('#plan:is([data-state="known"], [data-state="failed"])', LOAD_MS);
    if ((await this.count("#server-address")) === 0) await this.tab.click("#server summary");
    await this.tab.waitVisible("#server-address", LOAD_MS);
  }

  async waitReady(): Promise<void> {
    await this.waitScreen("chat", LOAD_MS);
  }

  /** Waits for a screen; if an error appears instead, fails at once with that error. */
  async waitScreen(screen: "chat" | "welcome", timeout: number): Promise<void> {
    await this.tab.waitVisible(`body[data-screen="${screen}"], #failure .error`, timeout);
    const error = await this.error("#failure .error");
    expect(error, `${JSON.stringify(error)} ${this.tab.errors.join("\n")}`).toBeUndefined();
  }

  async send(text: string): Promise<void> {
    await this.tab.fill("#prompt", text);
    await this.tab.press("Enter");
  }

  /** Sends a text, waits for the end of the answer and returns its text. */
  async ask(text: string): Promise<string> {
    await this.send(text);
    return await this.waitAnswer();
  }

  async waitAnswer(): Promise<string> {
    await this.tab.waitVisible(
      '.message.assistant:last-child[data-state="stop"], .message.assistant:last-child[data-state="length"], ' +
        '.message.assistant:last-child[data-state="stopped"], .error',
      ANSWER_MS,
    );
    const error = await this.error();
    expect(error, `${JSON.stringify(error)} ${this.tab.errors.join("\n")}`).toBeUndefined();
    return await this.answer();
  }

  async waitStreaming(): Promise<void> {
    await this.tab.waitVisible('.message.assistant[data-state="streaming"], .error', ANSWER_MS);
  }

  answer(): Promise<string> {
    return this.text(".message.assistant:last-child .answer");
  }

  text(selector: string): Promise<string> {
    return this.tab.evaluate((query) => document.querySelector<HTMLElement>(query)?.innerText ?? "", selector);
  }

  count(selector: string): Promise<number> {
    return this.tab.evaluate((query) => document.querySelectorAll(query).length, selector);
  }

  isVisible(selector: string): Promise<boolean> {
    return this.tab.evaluate((query) => document.querySelector<HTMLElement>(query)?.offsetParent != null, selector);
  }

  async waitError(timeout = LOAD_MS): Promise<{ code: string; message: string; hint: string }> {
    await this.tab.waitVisible(".error", timeout);
    const error = await this.error();
    if (error === undefined) throw new Error("the error went away while it was read");
    return error;
  }

  error(selector = ".error"): Promise<{ code: string; message: string; hint: string } | undefined> {
    return this.tab.evaluate((query) => {
      const card = document.querySelector<HTMLElement>(query);
      if (card === null) return undefined;
      const text = (selector: string): string => card.querySelector<HTMLElement>(selector)?.innerText ?? "";
      return { code: card.dataset.code ?? "", message: text(".error-message"), hint: text(".error-hint") };
    }, selector);
  }

  /** Clicks a button of an error card or of the header, found by its label. */
  async clickButton(label: string): Promise<void> {
    await this.tab.evaluate((wanted) => {
      const found = [...document.querySelectorAll("button")].find((button) => button.innerText.trim() === wanted);
      if (found === undefined) throw new Error(`no button "${wanted}" on the page`);
      found.click();
    }, label);
  }

  device(): Promise<DeviceInfo> {
    return this.tab.evaluate(() => {
      const { engine } = (globalThis as unknown as PageGlobals).hearth;
      if (engine === undefined) throw new Error("the page has no engine");
      return engine.device;
    }, null);
  }

  stats(): Promise<Record<string, number>> {
    return this.tab.evaluate(() => {
      const { engine } = (globalThis as unknown as PageGlobals).hearth;
      if (engine === undefined) throw new Error("the page has no engine");
      return engine.stats();
    }, null);
  }

  /** Returns the greedy ids of an answer, straight from the engine. */
  greedyIds(messages: ChatCompletionMessageParam[], maxTokens: number): Promise<number[]> {
    return this.tab.evaluate(
      async (arg) => {
        const { engine } = (globalThis as unknown as PageGlobals).hearth;
        if (engine === undefined) throw new Error("the page has no engine");
        const completion = await engine.chat.completions.create({
          messages: arg.messages,
          max_tokens: arg.maxTokens,
          temperature: 0,
          return_token_ids: true,
        });
        return completion.choices[0]?.token_ids ?? [];
      },
      { messages, maxTokens },
    );
  }

  loseDevice(): Promise<void> {
    return this.tab.evaluate(() => {
      // Not awaited: the worker that would reply ends with the device.
      (globalThis as unknown as PageGlobals).hearth.engine?.loseDevice().catch(() => undefined);
    }, null);
  }

  /** Loses the device once the answer to what was sent has begun; in the page, so that it has not ended by then. */
  loseDeviceWhileAnswering(): Promise<void> {
    return this.tab.evaluate(async () => {
      const isStreaming = (): boolean => document.querySelector('.message.assistant[data-state="streaming"]') !== null;
      while (!isStreaming()) await new Promise(requestAnimationFrame);
      (globalThis as unknown as PageGlobals).hearth.engine?.loseDevice().catch(() => undefined);
    }, null);
  }
}
