/** The one store of conversations, opened when it is first needed. */
import { openStore, type Store } from "../store/db.js";

let opening: Promise<Store> | undefined;

export const opened = (): Promise<Store> => (opening ??= openStore());
