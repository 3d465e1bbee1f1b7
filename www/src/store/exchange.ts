/** Conversations as files: JSON keeps all branches; Markdown holds what was on the screen, to read and to share. */
import { fromBase64, toBase64 } from "../lib/base64.js";
import type { Conversation, StoredFile } from "./db.js";
import { picturesOf, textOf, textPart, type FilePart, type Part } from "./parts.js";
import { isSourcesPart } from "./sources.js";
import { isTree, pathTo, titleOf, type AnswerStats, type Message, type Place } from "./tree.js";

export interface Bundle {
  conversation: Conversation;
  messages: Message[];
  files: StoredFile[];
}

const FORMAT = "hearth-conversations";
/** Version written; both are read. In version 1 a message had `content`, a text, instead of parts. */
const VERSION = 2;

/** Writes conversations with all their files. Pieces of a Blob, since all the pictures may be longer than a string may be. */
export async function toJson(bundles: readonly Bundle[]): Promise<Blob> {
  const pieces: (string | Blob)[] = [`{"format": ${JSON.stringify(FORMAT)}, "version": ${String(VERSION)},\n`];
  pieces.push('"conversations": [');
  for (const [index, { conversation, messages, files }] of bundles.entries()) {
    const head = JSON.stringify({ ...conversation, messages }, null, 1);
    pieces.push(index === 0 ? "\n" : ",\n", head.slice(0, -1), ', "files": [');
    for (const [at, { hash, mime, blob }] of files.entries()) {
      const file = JSON.stringify({ hash, mime, base64: toBase64(await blob.arrayBuffer()) });
      pieces.push(at === 0 ? "\n" : ",\n", new Blob([file]));
    }
    pieces.push("]}");
  }
  return new Blob([...pieces, "\n]}\n"], { type: "application/json" });
}

/**
 * Matches the comment before each message that names its author; in a text, such a comment is escaped with a backslash.
 */
const MARK = /^<!-- hearth:(system|user|assistant|thoughts) ?(.*?) ?-->$/;
/** Begins the line of a picture, which a reader sees named; its bytes are in JSON only. */
const PICTURE = "<!-- hearth:picture -->";

export function toMarkdown({ conversation, messages }: Bundle): string {
  const path = pathTo(new Map(messages.map((message) => [message.id, message])), conversation.leaf);
  const parts = [`# ${oneLine(conversation.title)}`];
  if (conversation.system !== "") parts.push(`<!-- hearth:system -->`, escaped(conversation.system));
  for (const message of path) {
    const { role, reasoning, model } = message;
    if (reasoning !== "") parts.push(`<!-- hearth:thoughts -->`, escaped(reasoning));
    const author = role === "assistant" ? [oneLine(model), ...(message.places ?? []).map(placeMark)] : [];
    const by = author.filter((word) => word !== "").map((word) => ` ${word.replaceAll("-->", "")}`);
    // Without an empty line between them: that would become part of the text when the lines of pictures are left out.
    const pictures = picturesOf(message).map((picture) => `${PICTURE} [${pictureMark(picture)}]`);
    parts.push([`<!-- hearth:${role}${by.join("")} -->`, ...pictures].join("\n"), escaped(textOf(message)));
  }
  return `${parts.join("\n\n")}\n`;
}

/** Writes a place after a model's name. */
const placeMark = ({ where, server }: Place): string => (server === undefined ? `@${where}` : `@${where}:${server}`);
const PLACE = / ?@(?:(here|browser)|(server):(\S+))$/;

/** Names a picture for a reader of Markdown, where `<` and `&` would begin HTML. */
const pictureMark = ({ name, alt = "" }: FilePart): string => oneLine(alt || name).replace(/[<>&]/g, "") || "picture";

/** Reads a model's name and the places after it. */
function authorOf(by: string): { model: string; places?: Place[] } {
  const places: Place[] = [];
  let model = by;
  for (let mark = PLACE.exec(model); mark !== null; mark = PLACE.exec(model)) {
    const [whole, where, , server] = mark;
    places.unshift(server === undefined ? { where: where as "here" | "browser" } : { where: "server", server });
    model = model.slice(0, -whole.length);
  }
  return places.length === 0 ? { model } : { model, places };
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
  const { version } = file;
  if (version !== 1 && version !== VERSION) throw new ImportError("version");
  return file.conversations.map((conversation) => toBundle(conversation, version));
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

/** Reads a conversation. Fields that are not known here are kept: they may be another page's. */
function toBundle(value: unknown, version: 1 | 2): Bundle {
  if (!isObject(value) || !Array.isArray(value.messages)) throw new ImportError("field");
  const id = crypto.randomUUID();
  const messages = value.messages.map((message) => toMessage(message, id, version));
  if (!isTree(messages)) throw new ImportError("tree");
  const ids = new Map(messages.map((message) => [message.id, crypto.randomUUID()]));
  const renamed = (old: string | null): string | null => (old === null ? null : (ids.get(old) ?? null));
  const { files = [], forgotten } = value;
  const others: Fields = { ...value };
  delete others.messages;
  delete others.files;
  if (!Array.isArray(files)) throw new ImportError("field");
  const conversation: Conversation = {
    ...others,
    id,
    title: text(value.title),
    created: count(value.created),
    updated: count(value.updated),
    leaf: renamed(orNull(text, value.leaf)),
    system: text(value.system),
    ...(forgotten === undefined ? {} : { forgotten: toIds(forgotten).flatMap((old) => ids.get(old) ?? []) }),
  };
  return {
    conversation,
    messages: messages.map((message) => ({
      ...message,
      id: ids.get(message.id) ?? message.id,
      parent: renamed(message.parent),
    })),
    files: files.map((file) => toFile(file, id)),
  };
}

function toIds(value: unknown): string[] {
  if (!Array.isArray(value)) throw new ImportError("field");
  return value.map(text);
}

function toMessage(value: unknown, conversation: string, version: 1 | 2): Message {
  if (!isObject(value)) throw new ImportError("field");
  const { content, ...others } = value;
  // It is of use only where it was written.
  delete others.journal;
  const { role, end, places, unseen, thought } = others;
  if (role !== "user" && role !== "assistant") throw new ImportError("field");
  return {
    ...(version === 1 || content === undefined ? others : { ...others, content }),
    id: text(value.id),
    conversation,
    parent: orNull(text, value.parent),
    role,
    parts: version === 1 ? partsOf(text(content)) : toParts(value.parts),
    reasoning: text(value.reasoning),
    end: end === "stop" || end === "length" ? end : "stopped",
    stats: orNull(toStats, value.stats),
    model: text(value.model),
    ...(places === undefined ? {} : { places: toPlaces(places) }),
    ...(unseen === undefined ? {} : { unseen: count(unseen) }),
    ...(thought === undefined ? {} : { thought: count(thought) }),
    created: count(value.created),
  };
}

const partsOf = (content: string): Part[] => (content === "" ? [] : [textPart(content)]);

const WHERES: readonly unknown[] = ["here", "browser", "server"] satisfies Place["where"][];

function toPlaces(value: unknown): Place[] {
  if (!Array.isArray(value)) throw new ImportError("field");
  return value.map((place: unknown) => {
    if (!isObject(place) || !WHERES.includes(place.where)) throw new ImportError("field");
    const { where, server } = place as { where: Place["where"]; server?: unknown };
    return server === undefined ? { where } : { where, server: text(server) };
  });
}

const FILES: readonly unknown[] = ["image", "audio", "document"] satisfies FilePart["type"][];

/** Checks the parts of the known types; others are kept without being shown. */
function toParts(value: unknown): Part[] {
  if (!Array.isArray(value)) throw new ImportError("field");
  for (const part of value as unknown[]) {
    if (!isObject(part)) throw new ImportError("field");
    if (part.type === "text") text(part.text);
    else if (FILES.includes(part.type)) [part.file, part.name, part.mime, part.alt ?? ""].forEach(text);
    else if (part.type === "sources") {
      if (!isSourcesPart(part)) throw new ImportError("field");
    } else text(part.type);
  }
  return value as Part[];
}

function toFile(value: unknown, conversation: string): StoredFile {
  if (!isObject(value)) throw new ImportError("field");
  const [hash, mime, base64] = [text(value.hash), text(value.mime), text(value.base64)];
  try {
    return { conversation, hash, mime, blob: new Blob([fromBase64(base64)], { type: mime }) };
  } catch {
    throw new ImportError("field");
  }
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
    else if (line.startsWith(PICTURE)) continue;
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
        parts: partsOf(content),
        reasoning,
        end: "stop",
        stats: null,
        ...(kind === "user" ? { model: "" } : authorOf(by)),
        created: now + messages.length,
      };
      messages.push(message);
      conversation.leaf = message.id;
      reasoning = "";
    }
  }
  if (messages.length === 0) throw new ImportError("format");
  conversation.title ||= titleOf(messages[0] === undefined ? "" : textOf(messages[0]));
  return { conversation, messages, files: [] };
}

function trimmed(lines: string[]): string[] {
  const start = lines[0] === "" ? 1 : 0;
  const end = lines.length - (lines.length > start && lines.at(-1) === "" ? 1 : 0);
  return lines.slice(start, end);
}
