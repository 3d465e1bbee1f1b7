import { describe, expect, it } from "vitest";
import type { StoredFile } from "../src/store/db.js";
import { fromFile, ImportError, toJson, toMarkdown, type Bundle } from "../src/store/exchange.js";
import { pathTo, type Message } from "../src/store/tree.js";
import { textOf, type Part } from "../src/store/parts.js";
import { message, said } from "./messages.js";
import { random } from "./random.js";
import { isSourcesPart } from "../src/store/sources.js";

const PIECES = [
  "\n",
  "\n\n",
  " ",
  "a",
  "# ",
  "<!-- hearth:user -->",
  "<!-- \\hearth:",
  "```",
  "谢谢",
  "🙂",
  "\\",
  "-->",
  "\t",
];

function bundle(seed: number): Bundle {
  const next = random(seed);
  const text = (): string =>
    Array.from({ length: Math.floor(next() * 12) }, () => PIECES[Math.floor(next() * PIECES.length)] ?? "").join("");
  const messages: Message[] = [];
  for (let i = 0; i < 1 + next() * 6; i++) {
    const parent = messages.length === 0 ? null : (messages[Math.floor(next() * messages.length)]?.id ?? null);
    const role = next() < 0.5 ? "user" : "assistant";
    const one = { ...message(`m${String(i)}`, parent, i, text()), role, reasoning: role === "user" ? "" : text() };
    messages.push(one as Message);
  }
  const leaf = messages.at(-1)?.id ?? null;
  return {
    conversation: { id: "c", title: "A title", created: 1, updated: 2, leaf, system: text() },
    messages,
    files: [],
  };
}

const written = async (...bundles: Bundle[]): Promise<string> => (await toJson(bundles)).text();
/** Files with their bytes, which comparisons would not see in a Blob. */
const opened = (files: readonly StoredFile[] = []): Promise<object[]> =>
  Promise.all(
    files.map(async ({ blob, ...file }) => ({
      ...file,
      type: blob.type,
      bytes: new Uint8Array(await blob.arrayBuffer()),
    })),
  );
/** A conversation in its file. */
const ONE = await written(bundle(1));
const DESCRIBED = '{"type":"image","file":"f","name":"","mime":"image/png","alt":5}';

const shown = ({ conversation, messages }: Bundle): object[] =>
  pathTo(new Map(messages.map((one) => [one.id, one])), conversation.leaf).map((one) => ({
    role: one.role,
    content: textOf(one),
    reasoning: one.reasoning,
  }));

const shape = ({ conversation, messages }: Bundle): object => {
  const place = new Map(messages.map(({ id }, index) => [id, index]));
  return {
    title: conversation.title,
    system: conversation.system,
    leaf: place.get(conversation.leaf ?? ""),
    messages: messages.map(({ parent, role, parts, reasoning }) => ({
      parent: parent === null ? null : place.get(parent),
      role,
      parts,
      reasoning,
    })),
  };
};

describe("conversations as files", () => {
  it("come back from JSON with all their branches, under new ids", async () => {
    for (let seed = 0; seed < 100; seed++) {
      const out = bundle(seed);
      const [back] = fromFile(await written(out));
      if (back === undefined) throw new Error("nothing came back");
      expect(shape(back)).toEqual(shape(out));
      const old = new Set(out.messages.map(({ id }) => id));
      expect(back.messages.some(({ id }) => old.has(id))).toBe(false);
      expect(back.conversation.id).not.toBe(out.conversation.id);
    }
  });

  it("come back from Markdown as they were shown, whatever is in the texts", () => {
    for (let seed = 0; seed < 300; seed++) {
      const out = bundle(seed);
      const [back] = fromFile(toMarkdown(out));
      if (back === undefined) throw new Error("nothing came back");
      expect(shown(back)).toEqual(shown(out));
      expect(back.conversation.system).toBe(out.conversation.system);
      expect(back.conversation.title).toBe("A title");
    }
  });

  it("come back with all their parts and files, and with what this page does not know", async () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => at % 256);
    const parts = [
      { type: "image", file: "f1", name: "cat.png", mime: "image/png", alt: "A cat" },
      { type: "text", text: "Who speaks here?" },
      { type: "audio", file: "f2", name: "voice.ogg", mime: "audio/ogg", seconds: 3 },
      { type: "document", file: "f3", name: "notes.txt", mime: "text/plain" },
      { type: "sources", sources: [{ title: "Notes", quote: "A hearth is warm.", from: "f3" }] },
      {
        type: "sources",
        sources: [{ title: "a", quote: "b", from: "c", number: 1, page: "iv", start: 0, end: 1, headings: ["d"] }],
        citations: [{ number: 1, page: null, start: 0, end: 1, isSupported: false }],
        prompt: "e",
      },
      { type: "hologram", depth: 3 },
    ] as Part[];
    const one = { ...message("a", null, 1), parts, unseen: 1, mood: "warm" };
    const conversation = { id: "c", title: "A", created: 1, updated: 2, leaf: "a", system: "", folder: "Fire" };
    const blob = new Blob([bytes], { type: "image/png" });
    const files = ["f1", "f2", "f3"].map((hash) => ({ conversation: "c", hash, mime: "image/png", blob }));
    const out = { conversation, messages: [one], files };
    const [back, second] = fromFile(await written(out, out));
    const id = back?.conversation.id ?? "";
    expect(back?.conversation).toEqual({ ...conversation, id, leaf: back?.messages[0]?.id });
    expect(back?.messages).toEqual([{ ...one, id: back?.messages[0]?.id, conversation: id }]);
    expect(await opened(back?.files)).toEqual(await opened(files.map((file) => ({ ...file, conversation: id }))));
    expect(second?.files).toHaveLength(3);
  });

  it("come back from Markdown without their pictures, which a reader sees named", () => {
    const picture = { type: "image", file: "f1", mime: "image/png" } as const;
    const messages = [
      { ...message("a", null, 1), parts: [{ ...picture, name: "cat.png" }, ...said("What is\nthis?")] },
      {
        ...message("b", "a", 2),
        parts: [
          { ...picture, name: "x", alt: "A <b> & c" },
          { ...picture, name: "" },
        ],
      },
    ];
    const conversation = { id: "c", title: "A", created: 1, updated: 2, leaf: "b", system: "" };
    const out = { conversation, messages, files: [] };
    const text = toMarkdown(out);
    expect(text).toContain("<!-- hearth:user -->\n<!-- hearth:picture --> [cat.png]\n\nWhat is\nthis?\n");
    expect(text).toContain("<!-- hearth:picture --> [A b  c]\n<!-- hearth:picture --> [picture]\n");
    expect(fromFile(text)[0]?.messages.map(({ parts }) => parts)).toEqual([said("What is\nthis?"), []]);
  });

  it("come in from files of version 1", () => {
    const old = { id: "m", parent: null, role: "assistant", content: "A place.", reasoning: "Hm.", end: "stop" };
    const rest = { stats: null, model: "M", created: 5, mood: "warm" };
    const conversation = { id: "c", title: "A", created: 1, updated: 2, leaf: "m", system: "Be brief." };
    const file = { format: "hearth-conversations", version: 1 };
    const text = JSON.stringify({ ...file, conversations: [{ ...conversation, messages: [{ ...old, ...rest }] }] });
    const [back] = fromFile(text);
    expect(back?.messages).toEqual([
      {
        ...rest,
        id: back?.conversation.leaf,
        conversation: back?.conversation.id,
        parent: null,
        role: "assistant",
        parts: [{ type: "text", text: "A place." }],
        reasoning: "Hm.",
        end: "stop",
      },
    ]);
    expect([back?.conversation.system, back?.files]).toEqual(["Be brief.", []]);
  });

  it.each([
    ["no conversations", "# Some text\n\nof a page"],
    ["other JSON", '{"messages":[]}'],
    ["broken JSON", '{"format":'],
    ["another version", '{"format":"hearth-conversations","version":3,"conversations":[]}'],
    ["a field of another type", ONE.replace(/"reasoning": "/, '"reasoning": 5, "x": "')],
    ["a parent that is not there", ONE.replace(/"parent": null/, '"parent": "m9"')],
    ["a part that is none", ONE.replace(/"parts": \[\n/, '"parts": [5,\n')],
    ["a picture without a file", ONE.replace(/"parts": \[\n/, '"parts": [{"type":"image"},\n')],
    ["bytes that are none", ONE.replace('"files": []', '"files": [{"hash":"f","mime":"","base64":"*"}]')],
    ["a description that is no text", ONE.replace(/"parts": \[\n/, `"parts": [${DESCRIBED},\n`)],
    ["a role of nobody", ONE.replace(/"role": "\w+"/, '"role": "system"')],
  ])("are refused where there are %s", (_, text) => {
    expect(() => fromFile(text)).toThrow(ImportError);
  });

  it("reads lines that end as on Windows", () => {
    const out = bundle(3);
    const [back] = fromFile(toMarkdown(out).replaceAll("\n", "\r\n"));
    expect(back?.messages.length).toBe(
      pathTo(new Map(out.messages.map((one) => [one.id, one])), out.conversation.leaf).length,
    );
  });
});

describe("sources in a file of another page", () => {
  const source = { title: "a", quote: "b", from: "c", number: 1, page: "2", start: 0, end: 1, headings: [] };
  const citation = { number: 1, page: null, start: 0, end: 1, isSupported: true };

  it.each<[string, object]>([
    ["no list", { sources: {} }],
    ["a list of null", { sources: [null] }],
    ["a title that is no text", { sources: [{ ...source, title: 1 }] }],
    ["a negative offset", { sources: [{ ...source, start: -1 }] }],
    ["an offset that is no number", { sources: [{ ...source, end: "1" }] }],
    ["a page that is no text", { sources: [{ ...source, page: {} }] }],
    ["headings that are no texts", { sources: [{ ...source, headings: [{}] }] }],
    ["a citation without a number", { sources: [source], citations: [{ ...citation, number: undefined }] }],
    ["citations that are no list", { sources: [source], citations: "1" }],
    ["a prompt that is no text", { sources: [source], prompt: {} }],
  ])("are refused with %s", (_, part) => {
    expect(isSourcesPart({ type: "sources", sources: [source], citations: [citation] })).toBe(true);
    expect(isSourcesPart({ type: "sources", ...part })).toBe(false);
  });
});
