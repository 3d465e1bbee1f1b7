/** Pictures of a conversation on their way to the model and to the disk: the real package on the fake core. */
import type { ModelInfo } from "hearth-llm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { create, useFakeCore } from "../../pkg/test/engine-support.js";
import { stubCanvas } from "../../pkg/test/fake-canvas.js";
import { fake } from "../../pkg/test/fake-wasm.js";
import type { DraftPicture } from "../src/store/db.js";
import { textPart, withText, type FilePart } from "../src/store/parts.js";
import { backendOf, chunkOf } from "./backends.js";
import { said } from "./messages.js";
import { emptyDisk, kept, openPage, type Page } from "./page.js";

/** Rules of a model that sees; the fake of the package's module passes them by. */
const SEES: ModelInfo["vision"] = {
  kind: "idefics3",
  patch: 16,
  merge: 4,
  side: 512,
  longest_edge: 2048,
  min_pixels: 0,
  max_pixels: 0,
  min_tiles: 0,
  max_tiles: 0,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
};
const CAT: FilePart = { type: "image", file: "c1", name: "cat.png", mime: "image/png" };
const DOG: FilePart = { type: "image", file: "d1", name: "dog.png", mime: "image/png" };

/** A picture that the fake of the package's decoder knows. */
const draft = (part: FilePart, sides = "3x2"): DraftPicture => ({
  part,
  blob: new Blob([`FAKE:png:${sides}`], { type: part.mime }),
});

useFakeCore();

async function pageWith(vision: ModelInfo["vision"]): Promise<Page> {
  fake.vision = vision;
  const page = await openPage();
  page.use((await create()).backend);
  return page;
}

const sent = (): unknown => fake.request?.messages;
const image = { type: "image", image: expect.stringContaining("key:") as string };

beforeEach(() => {
  emptyDisk();
  stubCanvas();
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("pictures of a question", () => {
  it("reach a model that sees, before the text, and are kept as they are", async () => {
    const { chat } = await pageWith(SEES);
    await chat.send("!echo a cat", [draft(CAT), draft(DOG, "5x4")]);
    expect(sent()).toEqual([{ role: "user", content: [image, image, { type: "text", text: "!echo a cat" }] }]);
    const [question, answer] = chat.path.value;
    expect(question?.parts).toEqual([CAT, DOG, ...said("!echo a cat")]);
    expect(answer).toMatchObject({ role: "assistant", end: "stop" });
    expect(answer).not.toHaveProperty("unseen");
    const files = await kept().files(chat.current.value?.id ?? "");
    expect(files.map(({ hash, mime }) => [hash, mime])).toEqual([
      ["c1", "image/png"],
      ["d1", "image/png"],
    ]);
    expect(await files[1]?.blob.text()).toBe("FAKE:png:5x4");
  });

  it("stay for another answer, for the next question, and in another version of their own", async () => {
    const { chat } = await pageWith(SEES);
    await chat.send("!echo one", [draft(CAT), draft(DOG)]);
    const [question, answer] = chat.path.value;
    if (question === undefined || answer === undefined) throw new Error("nothing was said");
    await chat.regenerate(answer);
    expect(sent()).toMatchObject([{ content: [image, image, { type: "text" }] }]);
    await chat.send("!echo two");
    expect(sent()).toMatchObject([
      { content: [image, image, { type: "text" }] },
      { role: "assistant" },
      { content: "!echo two" },
    ]);
    await chat.edit(question, "!echo three");
    expect(sent()).toEqual([{ role: "user", content: [image, image, { type: "text", text: "!echo three" }] }]);
    await chat.edit(question, "!echo four", [DOG]);
    expect(chat.path.value[0]?.parts).toEqual([CAT, ...said("!echo four")]);
    expect(sent()).toEqual([{ role: "user", content: [image, { type: "text", text: "!echo four" }] }]);
  });

  it("need no text, and then name the conversation", async () => {
    const { chat } = await pageWith(SEES);
    await chat.send("", [draft({ ...CAT, name: "" })]);
    expect(sent()).toEqual([{ role: "user", content: [image] }]);
    expect(chat.current.value?.title).toBe("Picture 1");
    chat.newConversation();
    await chat.send("", [draft({ ...CAT, alt: "A black cat" })]);
    expect(chat.current.value?.title).toBe("A black cat");
  });

  it("are read from the disk after a reload", async () => {
    const before = await pageWith(SEES);
    await before.chat.send("!echo one", [draft(CAT)]);
    const page = await pageWith(SEES);
    await page.chat.openConversation(before.chat.current.value?.id ?? "");
    await page.chat.send("!echo two");
    expect(sent()).toMatchObject([{ content: [image, { type: "text" }] }, {}, { content: "!echo two" }]);
  });

  it("wait for no disk", async () => {
    const { chat } = await pageWith(SEES);
    const { opened } = await import("../src/state/store.js");
    vi.spyOn(await opened(), "put").mockReturnValue(new Promise(() => undefined));
    await Promise.race([
      chat.send("!echo one", [draft(CAT)]),
      vi.waitFor(() => {
        expect(sent()).toMatchObject([{ content: [image, { type: "text" }] }]);
      }),
    ]);
  });

  it("are deleted with their conversation, and are there again if that is undone", async () => {
    const { chat } = await pageWith(SEES);
    await chat.send("!echo one", [draft(CAT)]);
    const id = chat.current.value?.id ?? "";
    const undo = await chat.remove(id);
    expect(await kept().files(id)).toEqual([]);
    await undo();
    expect(await (await kept().file(id, "c1"))?.blob.text()).toBe("FAKE:png:3x2");
  });

  it("are looked at, as the answer says until its first word", async () => {
    const { chat } = await pageWith(SEES);
    const asked = chat.send("!echo one", [draft(CAT), draft(DOG)]);
    await vi.waitFor(() => {
      expect(chat.answering.value?.looking).toBe(2);
    });
    await asked;
    const again = chat.send("!echo two");
    await vi.waitFor(() => {
      expect(chat.answering.value?.looking).toBe(0);
    });
    await again;
  });
});

describe("pictures that the model does not get", () => {
  it("are left out for one that does not see, are counted with its answer, and stay", async () => {
    const before = await pageWith(SEES);
    await before.chat.send("!echo one", [draft(CAT), draft(DOG)]);
    const page = await pageWith(null);
    await page.chat.openConversation(before.chat.current.value?.id ?? "");
    await page.chat.send("!echo two");
    expect(sent()).toEqual([
      { role: "user", content: "!echo one" },
      { role: "assistant", content: expect.any(String) as string },
      { role: "user", content: "!echo two" },
    ]);
    expect(page.chat.path.value.at(-1)?.unseen).toBe(2);
    expect(page.chat.path.value[0]?.parts).toEqual([CAT, DOG, ...said("!echo one")]);
    // With a model that sees again nothing is lost.
    page.use((await sighted()).backend);
    const answer = page.chat.path.value.at(-1);
    if (answer !== undefined) await page.chat.regenerate(answer);
    expect(page.chat.path.value.at(-1)).not.toHaveProperty("unseen");
    expect(sent()).toMatchObject([{ content: [image, image, { type: "text" }] }, {}, {}]);
  });

  it("are left out if their files are missing, as in an import without them", async () => {
    const { chat } = await pageWith(SEES);
    await chat.send("!echo one", [draft(CAT)]);
    const [bundle] = await chat.bundles();
    if (bundle === undefined) throw new Error("nothing is kept");
    await chat.remove(bundle.conversation.id);
    await chat.importBundles([{ ...bundle, files: [] }]);
    await chat.send("!echo two");
    expect(sent()).toMatchObject([{ content: "!echo one" }, {}, { content: "!echo two" }]);
    expect(chat.path.value.at(-1)?.unseen).toBe(1);
  });

  async function sighted() {
    fake.vision = SEES;
    return await create();
  }
});

describe("a server", () => {
  it("gets the pictures, since it does not tell whether it sees", async () => {
    const page = await openPage();
    const asked: unknown[] = [];
    const backend = backendOf(async function* () {
      await Promise.resolve();
      yield chunkOf("a cat", "stop");
    });
    page.use({
      ...backend,
      streamChat: (params, options) => {
        asked.push(params.messages);
        return backend.streamChat(params, options);
      },
    });
    const { blob } = draft(CAT);
    await page.chat.send("What is this?", [{ part: CAT, blob }]);
    const content = [
      { type: "image_url", image_url: { url: expect.any(Blob) as Blob } },
      { type: "text", text: "What is this?" },
    ];
    expect(asked).toEqual([[{ role: "user", content }]]);
  });
});

describe("a text", () => {
  it("comes after the pictures that it is added to, and in the place of the text that it replaces", () => {
    expect(withText([CAT], "What?")).toEqual([CAT, textPart("What?")]);
    expect(withText([textPart("What?"), CAT], "Who?")).toEqual([textPart("Who?"), CAT]);
    expect(withText([CAT, textPart("What?")], "")).toEqual([CAT]);
  });
});

describe("pictures of a draft", () => {
  async function open() {
    vi.stubGlobal("addEventListener", () => undefined);
    const page = await openPage();
    const [drafts, pictures] = await Promise.all([import("../src/state/draft.js"), import("../src/state/pictures.js")]);
    drafts.keepDrafts();
    pictures.keepDraftPictures();
    const names = (): string[] => pictures.draftPictures.value.map(({ part }) => part.name);
    return { ...page, ...pictures, names };
  }

  it("are there again after a reload, and gone once they are sent", async () => {
    const before = await open();
    await before.changeDraft("", () => [draft(CAT), draft(DOG)]);
    const after = await open();
    await vi.waitFor(() => {
      expect(after.names()).toEqual(["cat.png", "dog.png"]);
    });
    expect(after.takeDraft().map(({ part }) => part)).toEqual([CAT, DOG]);
    expect(after.names()).toEqual([]);
    await vi.waitFor(async () => {
      expect(await kept().draftPictures("")).toEqual([]);
    });
  });

  it("stay with their conversation, also those that come when another one is open", async () => {
    const { chat, use, changeDraft, names } = await open();
    use((await create()).backend);
    await changeDraft("", () => [draft(CAT)]);
    await chat.send("!echo one", []);
    expect(names()).toEqual([]);
    const id = chat.current.value?.id ?? "";
    await changeDraft(id, (pictures) => [...pictures, draft(DOG)]);
    chat.newConversation();
    await vi.waitFor(() => {
      expect(names()).toEqual(["cat.png"]);
    });
    await changeDraft(id, (pictures) => [...pictures, draft({ ...CAT, name: "late.png" })]);
    expect(names()).toEqual(["cat.png"]);
    await chat.openConversation(id);
    await vi.waitFor(() => {
      expect(names()).toEqual(["dog.png", "late.png"]);
    });
  });

  it("that come before the others are read from the disk join them", async () => {
    const before = await open();
    await before.changeDraft("", () => [draft(CAT)]);
    const after = await open();
    await after.changeDraft("", (pictures) => [...pictures, draft(DOG)]);
    await vi.waitFor(() => {
      expect(after.names()).toEqual(["cat.png", "dog.png"]);
    });
    expect(await kept().draftPictures("")).toHaveLength(2);
  });
});
