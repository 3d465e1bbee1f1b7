/** A conversation about pictures with a model that sees on this device: how often its tower looks at them. */
import type { Chat } from "./chat.js";
import { keptMessages } from "./conversations.js";
import { paste } from "./pictures.js";
import { expect } from "./test.js";

export interface Turn {
  answer: string;
  /** Frames that the tower has looked at so far. */
  frames: number;
  /** Tokens of the question: all, and those known. */
  prompt: number;
  cached: number;
  seconds: number;
}

/**
 * Asks the same about no picture, about a red one, asks another question about that one, and about a blue one. Checks that each picture is looked at once: another
 * text shows the tower nothing again, and nothing of the first picture answers for the second.
 */
export async function looksOnce(
  chat: Chat,
  timeout = 60_000,
): Promise<Record<"text" | "red" | "edited" | "blue", Turn>> {
  const known = new Set<string>();
  const answered = async (ask: () => Promise<void>): Promise<Turn> => {
    const start = Date.now();
    await ask();
    const fresh = async () =>
      (await keptMessages(chat)).filter(({ id, end, stats }) => stats !== null && end !== "running" && !known.has(id));
    await expect.poll(async () => (await fresh()).length, { timeout }).toBe(1);
    const seconds = (Date.now() - start) / 1000;
    const [message] = await fresh();
    if (!message?.stats) throw new Error("the answer is gone");
    known.add(message.id);
    const { frames = 0 } = await chat.stats();
    return { ...message.stats, answer: message.content, frames, seconds };
  };
  const about = async (colour: string): Promise<void> => {
    await chat.tab.click("#new-chat");
    await paste(chat, colour);
    await chat.tab.waitVisible("#pictures img", 20_000);
  };
  const text = await answered(() => chat.send("Hi, 42!"));
  expect(text.frames).toBe(0);

  await about("red");
  const red = await answered(() => chat.send("Hi, 42!"));
  expect(red.frames).toBeGreaterThan(0);
  expect(red.prompt).toBeGreaterThan(text.prompt);

  await chat.tab.click('.message.user .icon-button[aria-label="Edit message"]');
  await chat.tab.fill("textarea.edit", "And 43?");
  const edited = await answered(() => chat.tab.press("Enter"));
  expect(edited.frames).toBe(red.frames);
  expect(edited.cached).toBeGreaterThan(red.prompt - text.prompt);

  await about("blue");
  const blue = await answered(() => chat.send("And 43?"));
  expect(blue.frames).toBe(2 * red.frames);
  expect(blue.cached).toBeLessThan(red.prompt - text.prompt);
  expect(await chat.count(".left-out, .error")).toBe(0);
  return { text, red, edited, blue };
}
