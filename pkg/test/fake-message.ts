/** Messages as the fake core reads them. */
import { CoreError } from "./fake-errors.js";

export const PICTURE = "<pic>";

/** Returns the text of a message, in which each of its pictures must be among `pictures`. */
export function textOf({ content }: { content: unknown }, pictures: ReadonlyMap<string, unknown>): string {
  if (!Array.isArray(content)) return (content ?? "") as string;
  return content
    .map((part: { type: string; text?: string; image?: string }) => {
      if (part.type === "image" && !pictures.has(part.image ?? "")) {
        throw new CoreError("invalid_request", "there is no such picture", "Add it first.");
      }
      return part.text ?? PICTURE;
    })
    .join("");
}
