/** The language that is spoken: chosen by the visitor, or found out by the model. */
import type { Transcriber } from "hearth-llm/audio";
import { settings } from "./settings.js";

/** Returns the chosen language if the model can choose and knows it; undefined to let the model find out. */
export function speechLanguage({
  isMultilingual,
  languages,
}: Pick<Transcriber["model"], "isMultilingual" | "languages">): string | undefined {
  const { speechLanguage: chosen } = settings.peek();
  return isMultilingual && languages.includes(chosen) ? chosen : undefined;
}
