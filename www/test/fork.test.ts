import { expect, it } from "vitest";
import { forkOf } from "../src/store/fork.js";
import type { Bundle } from "../src/store/exchange.js";
import { isTree, pathTo, type Message } from "../src/store/tree.js";

const message = (id: string, parent: string | null, more: Partial<Message> = {}): Message => ({
  ...{ id, conversation: "old", parent, role: "user", parts: [{ type: "text", text: id }], reasoning: "" },
  ...{ end: "stop", stats: null, model: "", created: 1 },
  ...more,
});

it("begins a chat with the path to a message, and only with the files of that", () => {
  const picture = { type: "image", file: "kept", mime: "image/png" };
  const bundle: Bundle = {
    conversation: {
      id: "old",
      title: "Fire",
      created: 1,
      updated: 2,
      leaf: "d",
      system: "Be brief.",
      forgotten: ["a", "d"],
    },
    messages: [
      message("a", null, { parts: [picture as never] }),
      message("b", "a", { role: "assistant", end: "running" }),
      message("c", "a", { role: "assistant" }),
      message("d", "b"),
    ],
    files: ["kept", "other"].map((hash) => ({ conversation: "old", hash, mime: "image/png", blob: new Blob() })),
  };
  const before = structuredClone({ ...bundle, files: [] });
  const { conversation, messages, files } = forkOf(bundle, "b", 9);
  expect(isTree(messages)).toBe(true);
  expect(messages.map(({ role, end }) => [role, end])).toEqual([
    ["user", "stop"],
    ["assistant", "stopped"],
  ]);
  expect(conversation).toMatchObject({ title: "Fire", system: "Be brief.", created: 9, updated: 9 });
  expect(conversation.id).not.toBe("old");
  expect(pathTo(new Map(messages.map((one) => [one.id, one])), conversation.leaf)).toEqual(messages);
  expect(conversation.forgotten).toEqual([messages[0]?.id]);
  expect(messages.every((one) => one.conversation === conversation.id && !"abcd".includes(one.id))).toBe(true);
  expect(files.map(({ hash, conversation: of }) => [hash, of])).toEqual([["kept", conversation.id]]);
  expect({ ...bundle, files: [] }).toEqual(before);
});
