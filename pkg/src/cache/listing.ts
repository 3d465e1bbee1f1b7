/** The hub's file listings of kept models, for starts without the network. They do not count as files of a model. */
import { folderOf, hasFileSystem, keyOf, openSync, root, snapshot } from "./folder.js";

export async function keptListing(key: string): Promise<string | undefined> {
  if (!hasFileSystem()) return undefined;
  try {
    const folder = await (await root()).getDirectoryHandle(await keyOf(key));
    return await (await snapshot(folder, "listing"))?.text();
  } catch {
    // No listing was kept, or there is no storage.
    return undefined;
  }
}

export async function keepListing(key: string, text: string): Promise<void> {
  if (!hasFileSystem()) return;
  try {
    const file = await openSync(await folderOf(await keyOf(key)), "listing");
    try {
      file.truncate(0);
      file.write(new TextEncoder().encode(text), { at: 0 });
    } finally {
      file.close();
    }
  } catch {
    // The listing only serves starts without the network.
  }
}
