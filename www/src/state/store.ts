/** The store of conversations, opened on first use. */
import { deleteContext } from "hearth-llm/cache";
import { openStore, type Store } from "../store/db.js";

let opening: Promise<Store> | undefined;

export const opened = (): Promise<Store> => (opening ??= openStore());

/** Removes a conversation, and what the engine keeps of it. */
export async function forgetKept(id: string): Promise<void> {
  await (await opened()).remove(id);
  // An engine makes it again if the conversation comes back.
  await deleteContext(id).catch(() => undefined);
}
