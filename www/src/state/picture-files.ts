/** The pictures of messages that were sent, and whether a model sees them. */
import type { Backend } from "hearth-llm";
import type { StoredFile } from "../store/db.js";
import type { FilePart } from "../store/parts.js";
import { t } from "../text/index.js";
import { opened } from "./store.js";

/** Whether a model sees pictures. A server does not tell: it is asked, and may refuse. */
export function sees({ capabilities, local }: Pick<Backend, "capabilities" | "local">): boolean {
  return capabilities.pictures ?? local === undefined;
}

/** Files of messages that may not be on the disk yet: a slow disk must hold up no answer. */
const atHand = new Map<string, Blob>();
const keyOf = (conversation: string, hash: string): string => `${conversation} ${hash}`;

/** Keeps files at hand until the returned function is called. */
export function holdFiles(files: readonly StoredFile[]): () => void {
  for (const { conversation, hash, blob } of files) atHand.set(keyOf(conversation, hash), blob);
  return () => {
    for (const { conversation, hash } of files) atHand.delete(keyOf(conversation, hash));
  };
}

/** Returns a file of a conversation; undefined if it is not there, as in an import that lacks it. */
export async function fileOf(conversation: string, hash: string): Promise<Blob | undefined> {
  const held = atHand.get(keyOf(conversation, hash));
  if (held !== undefined) return held;
  try {
    return (await (await opened()).file(conversation, hash))?.blob;
  } catch {
    return undefined;
  }
}

/** Returns what stands for a picture where it is not seen: its description, its file's name, or its number. */
export function altOf({ alt = "", name }: FilePart, index: number): string {
  return alt || name || t().picture(index + 1);
}
