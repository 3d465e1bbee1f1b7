/** The dialog that translates: with the model that runs, while one types, and what it says where there is none. */
import { TINY } from "../../support/env.js";
import { oneBrowser } from "../../support/full.js";
import { expect, test } from "../../support/test.js";

/** Time that the tiny model may take, whose answers are drawn. */
const ANSWER_MS = 60_000;
const PARAMS = { device: "cpu" };

for (const browser of oneBrowser("firefox")) {
  test(`a text is translated while it is typed · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.load(TINY, PARAMS);
    await chat.tab.click("#open-translate");
    await chat.tab.waitVisible("#translate-input", 20_000);
    expect(await chat.text("#translation")).toBe("");
    await chat.tab.fill("#translate-input", "A small fire keeps a whole house warm.");
    const over = '#translate-state:is([data-state="done"], [data-state="cut"], [data-state="failed"])';
    await chat.tab.waitVisible(over, ANSWER_MS);
    expect(await chat.error("#translate .error")).toBeUndefined();
    // The output of a model is text, never elements.
    expect(await chat.count("#translation *")).toBe(0);
    expect(await chat.count('#translation[aria-busy="true"]')).toBe(0);

    await chat.tab.click("#translate-clear");
    // (without a text the line that tells the state takes no room)
    await expect.poll(() => chat.count('#translate-state[data-state="empty"]')).toBe(1);
    expect(await chat.text("#translation")).toBe("");
    expect(chat.tab.errors).toEqual([]);
  });
}

for (const browser of oneBrowser("chromium")) {
  test(`a translation needs a model · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.open();
    await chat.waitScreen("welcome", 60_000);
    await chat.tab.click("#open-translate");
    await chat.tab.waitVisible("#translate-model", 20_000);
    await chat.tab.click("#translate-model");
    await expect.poll(() => chat.count("#translate")).toBe(0);
    expect(chat.tab.errors).toEqual([]);
  });
}
