import { describe, expect, it } from "vitest";
import { fromFile, ImportError, toJson, toMarkdown, type Bundle } from "../src/store/exchange.js";
import { pathTo, type Message } from "../src/store/tree.js";
import { message } from "./messages.js";
import { random } from "./random.js";

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
  return { conversation: { id: "c", title: "A title", created: 1, updated: 2, leaf, system: text() }, messages };
}

const shown = ({ conversation, messages }: Bundle): object[] =>
  pathTo(new Map(messages.map((one) => [one.id, one])), conversation.leaf).map(({ role, content, reasoning }) => ({
    role,
    content,
    reasoning,
  }));

const shape = ({ conversation, messages }: Bundle): object => {
  const place = new Map(messages.map(({ id }, index) => [id, index]));
  return {
    title: conversation.title,
    system: conversation.system,
    leaf: place.get(conversation.leaf ?? ""),
    messages: messages.map(({ parent, role, content, reasoning }) => ({
      parent: parent === null ? null : place.get(parent),
      role,
      content,
      reasoning,
    })),
  };
};

describe("conversations as files", () => {
  it("come back from JSON with all their branches, under new ids", () => {
    for (let seed = 0; seed < 100; seed++) {
      const out = bundle(seed);
      const [back] = fromFile(toJson([out]));
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

  it.each([
    ["no conversations", "# Some text\n\nof a page"],
    ["other JSON", '{"messages":[]}'],
    ["broken JSON", '{"format":'],
    ["another version", '{"format":"hearth-conversations","version":2,"conversations":[]}'],
    ["a field of another type", toJson([bundle(1)]).replace(/"content": "/, '"content": 5, "x": "')],
    ["a parent that is not there", toJson([bundle(1)]).replace(/"parent": null/, '"parent": "m9"')],
    ["a role of nobody", toJson([bundle(1)]).replace(/"role": "\w+"/, '"role": "system"')],
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
