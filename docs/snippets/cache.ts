/** Files that are kept on the device. */
// #region list
import * as cache from "hearth-llm/cache";

export async function forget(url: string): Promise<void> {
  await cache.persist(); // asks the browser not to clear it
  console.log(await cache.list()); // [{ url, total, bytes, complete, time }]
  await cache.delete(url); // `busy` while it is read or fetched
}
// #endregion list
