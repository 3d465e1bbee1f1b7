/** The end of a leader, as its calls learn of it. */
import { HearthError } from "../core/errors.js";

/** Error of calls whose leader has gone: the tab sends them to the next one, so no caller ever sees it. */
export const MOVED = new HearthError("disposed", "the model moves to another tab");
