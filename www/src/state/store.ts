/** The store of conversations, opened on first use. */
import { openStore, type Store } from "../store/db.js";

let opening: Promise<Store> | undefined;

export const opened = (): Promise<Store> => (opening ??= openStore());
