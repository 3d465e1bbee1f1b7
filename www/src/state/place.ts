/** The place where answers are made, in data and in words. */
import type { Backend } from "hearth-llm";
import type { Place } from "../store/tree.js";
import { t } from "../text/index.js";

/** Returns the place where a backend makes its next answer. */
export function placeOf({ servedBy }: Pick<Backend, "servedBy">): Place {
  if (servedBy === undefined) return { where: "here" };
  const { where, server } = servedBy;
  return server === undefined ? { where } : { where, server };
}

export function placeText({ where, server = "" }: Place): string {
  if (where === "here") return t().madeHere;
  return where === "browser" ? t().madeByBrowser : t().madeOn(server);
}
