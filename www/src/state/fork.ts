/** A new chat that begins with what was said in another one up to a message. */
import { forkOf } from "../store/fork.js";
import type { Message } from "../store/tree.js";
import { bundles, importBundles } from "./chat.js";

/** Goes on in a new chat from a message, and leaves the one that it is in as it was. */
export async function fork(message: Message): Promise<void> {
  const [bundle] = await bundles(message.conversation);
  if (bundle !== undefined) await importBundles([forkOf(bundle, message.id)]);
}
