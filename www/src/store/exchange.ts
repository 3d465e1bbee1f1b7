/** Conversations as files: JSON keeps all branches; Markdown holds what was on the screen, to read and to share. */
import type { Conversation } from "./db.js";
import { isTree, pathTo, titleOf, type AnswerStats, type Message } from "./tree.js";

export interface Bundle {
  conversation: Conversation;
  messages: Message[];
}

const FORMAT = "hearth-conversations";
const VERSION = 1;

export function toJson(bundles: readonly Bundle[]): string {
  const conversations = bundles.map(({ conversation, messages }) => ({ ...conversation, messages }));
  return JSON.stringify({ format: FORMAT, version: VERSION, conversations }, null, 1);
}

/**
 * Matches the comment before each message that names its author; in a text, such a comment is escaped with a backslash.
 */
const MARK = /^<!-- hearth:(system|user|assistant|thoughts) ?(.*?) ?-->$/;

export function toMarkdown({ conversation, messages }: Bundle): string {
  const path = pathTo(new Map(messages.map((message) => [message.id, message])), conversation.leaf);
  const parts = [`# ${oneLine(conversation.title)}`];
  if (conversation.system !== "") parts.push(`<!-- hearth:system -->`, escaped(conversation.system));
  for (const { role, content, reasoning, model } of path) {
    if (reasoning !== "") parts.push(`<!-- hearth:thoughts -->`, escaped(reasoning));
    const by = role === "assistant" && model !== "" ? ` ${oneLine(model).replaceAll("-->", "")}` : "";
    parts.push(`<!-- hearth:${role}${by} -->`, escaped(content));
  }
  return `${parts.join("\n\n")}\n`;
}

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();
const escaped = (text: string): string => text.replace(/^(<!-- \\*)hearth:/gm, "$1\\hearth:");
const unescaped = (text: string): string => text.replace(/^(<!-- \\*)\\hearth:/gm, "$1hearth:");

/** Explains what is wrong with a file to import. */
export class ImportError extends Error {}

/** Reads the output of `toJson` or `toMarkdown`; ids are new, so that nothing existing is overwritten. */
export function fromFile(text: string, now = Date.now()): Bundle[] {
  return text.trimStart().startsWith("{") ? fromJson(text) : [fromMarkdown(text, now)];
}

function fromJson(text: string): Bundle[] {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new ImportError("json");
  }
  if (!isObject(file) || file.format !== FORMAT || !Array.isArray(file.conversations)) throw new ImportError("format");
  if (file.version !== VERSION) throw new ImportError("version");
  return file.conversations.map(toBundle);
}

type Fields = Record<string, unknown>;
const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null;
const text = (value: unknown): string => {
  if (typeof value !== "string") throw new ImportError("field");
  return value;
};
const count = (value: unknown): number => {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) throw new ImportError("field");
  return value;
};
const orNull = <T>(read: (value: unknown) => T, value: unknown): T | null => (value === null ? null : read(value));

function toBundle(value: unknown): Bundle {
  if (!isObject(value) || !Array.isArray(value.messages)) throw new ImportError("field");
  const id = crypto.randomUUID();
  const messages = value.messages.map((message) => toMessage(message, id));
  if (!isTree(messages)) throw new ImportError("tree");
  const ids = new Map(messages.map((message) => [message.id, crypto.randomUUID()]));
  const renamed = (old: string | null): string | null => (old === null ? null : (ids.get(old) ?? null));
  const conversation: Conversation = {
    id,
    title: text(value.title),
    created: count(value.created),
    updated: count(value.updated),
    leaf: renamed(orNull(text, value.leaf)),
    system: text(value.system),
  };
  return {
    conversation,
    messages: messages.map((message) => ({
      ...message,
      id: ids.get(message.id) ?? message.id,
      parent: renamed(message.parent),
    })),
  };
}

function toMessage(value: unknown, conversation: string): Message {
  if (!isObject(value)) throw new ImportError("field");
  const { role, end } = value;
  if (role !== "user" && role !== "assistant") throw new ImportError("field");
  return {
    id: text(value.id),
    conversation,
    parent: orNull(text, value.parent),
    role,
    content: text(value.content),
    reasoning: text(value.reasoning),
    end: end === "stop" || end === "length" ? end : "stopped",
    stats: orNull(toStats, value.stats),
    model: text(value.model),
    created: count(value.created),
  };
}

function toStats(value: unknown): AnswerStats {
  if (!isObject(value)) throw new ImportError("field");
  return {
    tokens: count(value.tokens),
    drafted: count(value.drafted),
    rejected: count(value.rejected),
    prompt: count(value.prompt),
    cached: count(value.cached),
    firstToken: orNull(count, value.firstToken),
    tokensPerSecond: orNull(count, value.tokensPerSecond),
  };
}

function fromMarkdown(source: string, now: number): Bundle {
  const sections: { kind: string; by: string; lines: string[] }[] = [];
  let title = "";
  for (const line of source.replaceAll("\r\n", "\n").split("\n")) {
    const mark = MARK.exec(line);
    if (mark !== null) sections.push({ kind: mark[1] ?? "", by: mark[2] ?? "", lines: [] });
    else if (sections.length > 0) sections.at(-1)?.lines.push(line);
    else if (line.startsWith("# ")) title = line.slice(2).trim();
  }
  const id = crypto.randomUUID();
  const conversation: Conversation = { id, title, created: now, updated: now, leaf: null, system: "" };
  const messages: Message[] = [];
  let reasoning = "";
  for (const { kind, by, lines } of sections) {
    // One empty line before and after a text belongs to the format, not to the text.
    const content = unescaped(trimmed(lines).join("\n"));
    if (kind === "system") conversation.system = content;
    else if (kind === "thoughts") reasoning = content;
    else {
      const message: Message = {
        id: crypto.randomUUID(),
        conversation: id,
        parent: conversation.leaf,
        role: kind === "user" ? "user" : "assistant",
        content,
        reasoning,
        end: "stop",
        stats: null,
        model: by,
        created: now + messages.length,
      };
      messages.push(message);
      conversation.leaf = message.id;
      reasoning = "";
    }
  }
  if (messages.length === 0) throw new ImportError("format");
  conversation.title ||= titleOf(messages[0]?.content ?? "");
  return { conversation, messages };
}

function trimmed(lines: string[]): string[] {
  const start = lines[0] === "" ? 1 : 0;
  const end = lines.length - (lines.length > start && lines.at(-1) === "" ? 1 : 0);
  return lines.slice(start, end);
}
