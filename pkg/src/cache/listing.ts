/** The hub's lists of files that belong to what is kept, for starts without the network. They are no files of a model. */
import { folderOf, hasFileSystem, keyOf, openSync, root, snapshot } from "./folder.js";

export async function keptListing(key: string): Promise<string | undefined> {
  if (!hasFileSystem()) return undefined;
  try {
    const folder = await (await root()).getDirectoryHandle(await keyOf(key));
    return await (await snapshot(folder, "listing"))?.text();
  } catch {
    // None was kept, or nothing can be.
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
    // Only a start without the network would have needed it.
  }
}
