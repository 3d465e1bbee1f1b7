/** A repository's page, pasted as its address stands in the browser, becomes a model that answers. */
import { goldenFile, IS_FAKE } from "../../support/env.js";
import { HubDouble } from "../../support/hub-double.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

const WAIT = { timeout: 60_000 };

/** Each browser pastes another of the addresses that people copy. */
for (const [browser, pasted] of [
  ["chromium", "https://huggingface.co/owner/tiny-GGUF/tree/main"],
  ["firefox", "https://huggingface.co/owner/tiny-GGUF?show_file_info=tiny-Q8_0.gguf"],
] as const) {
  test(`a pasted page of a repository · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const hub = new HubDouble("owner/tiny-GGUF", {
      "mmproj-tiny-F16.gguf": goldenFile("vision/vision_smolvlm/gguf/mmproj.gguf"),
      "tiny-Q8_0.gguf": goldenFile("vision/vision_smolvlm/gguf/model.gguf"),
    });
    const endpoint = await hub.listen();
    try {
      const chat = await launch(browser);
      await chat.open({ hub: endpoint, device: "cpu", max_tokens: 4 });
      await chat.unfoldModels();
      await chat.tab.fill("#url", pasted);
      await chat.tab.press("Enter");
      await chat.tab.waitVisible("#start", WAIT.timeout);
      await chat.tab.click("#start");
      await chat.waitReady();
      await chat.ask("Hi");
      // The projector is found beside the model, which then sees.
      expect([...hub.asked].filter((path) => path.includes("mmproj"))).not.toEqual([]);
      expect([...hub.asked]).toContain("/api/models/owner/tiny-GGUF/revision/main");
      expect(chat.tab.errors).toEqual([]);
    } finally {
      hub.close();
    }
  });
}
