/** The model receives what is typed in the settings: a one-word mistake on the way would show up nowhere else. */
import type { Chat, PageGlobals } from "../../support/chat.js";
import { IS_FAKE, TINY } from "../../support/env.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

const QUESTION = "Hi, 42!";
const SYSTEM = "You are a fireplace.";
const SLIDERS = { temperature: 0, repetition_penalty: 1.3, max_tokens: 64 };

/** Returns the answer straight from the engine. */
function direct(chat: Chat, system: string, sampling: Record<string, number>): Promise<string> {
  return chat.tab.evaluate(
    async ({ system, question, sampling }) => {
      const { engine } = (globalThis as unknown as PageGlobals).hearth;
      if (engine === undefined) throw new Error("the page has no engine");
      const messages = [
        ...(system === "" ? [] : [{ role: "system" as const, content: system }]),
        { role: "user" as const, content: question },
      ];
      const { choices } = await engine.chat.completions.create({ messages, ...sampling });
      return choices[0]?.message.content ?? "";
    },
    { system, question: QUESTION, sampling },
  );
}

test("the system prompt and the sampling reach the model", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("firefox");
  await chat.load(TINY, { device: "cpu" });
  await chat.tab.click("#open-settings");
  await chat.tab.fill("#system", SYSTEM);
  // The value is applied when the field loses focus.
  await chat.tab.press("Tab");
  for (const [name, value] of Object.entries(SLIDERS)) {
    await chat.tab.evaluate(
      (arg) => {
        const slider = document.querySelector<HTMLInputElement>(`#sampling-${arg.name}`);
        if (slider === null) throw new Error(`no slider for ${arg.name}`);
        slider.value = String(arg.value);
        slider.dispatchEvent(new Event("input", { bubbles: true }));
      },
      { name, value },
    );
  }
  await chat.tab.press("Escape");
  await chat.ask(QUESTION);
  const answer = await chat.tab.evaluate(
    () => document.querySelector<HTMLElement>(".message.assistant")?.dataset.source ?? "",
    null,
  );
  expect(answer).toBe(await direct(chat, SYSTEM, SLIDERS));
  // Each of them makes a difference.
  expect(await direct(chat, "", SLIDERS)).not.toBe(answer);
  expect(await direct(chat, SYSTEM, { ...SLIDERS, repetition_penalty: 1 })).not.toBe(answer);
  expect(await direct(chat, SYSTEM, { ...SLIDERS, max_tokens: 32 })).not.toBe(answer);
  expect(await direct(chat, SYSTEM, { ...SLIDERS, temperature: 1.5 })).not.toBe(answer);
});
