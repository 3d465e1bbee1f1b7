/** Tests share a browser but no data in it: otherwise they would pass or fail depending on their order. */
import { expect, test } from "../../support/test.js";

for (const browser of ["chromium", "firefox"] as const) {
  test(`what one tab keeps another does not find · ${browser}`, async ({ launch }) => {
    const found: string[][] = [];
    for (let tab = 0; tab < 3; tab++) {
      const chat = await launch(browser);
      await chat.open();
      found.push(
        await chat.tab.evaluate(async () => {
          const folder = await navigator.storage.getDirectory();
          const names = [...Object.keys(localStorage), ...(await caches.keys())];
          for await (const name of folder.keys()) names.push(name);
          for (const { name = "" } of await indexedDB.databases()) names.push(name);
          await folder.getFileHandle("mine", { create: true });
          await caches.open("mine");
          await new Promise((resolve, reject) => {
            const request = indexedDB.open("mine");
            request.onsuccess = resolve;
            request.onerror = reject;
          });
          localStorage.setItem("mine", "1");
          return names.filter((name) => name === "mine");
        }, null),
      );
      await chat.tab.reload();
      // All of it is visible in the tab itself, so there is something to find.
      expect(await chat.tab.evaluate(() => localStorage.getItem("mine"), null)).toBe("1");
    }
    expect(found).toEqual(found.map(() => []));
  });
}
