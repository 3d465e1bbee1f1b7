/** Drops files on the page, as from the desktop. */
import type { Chat } from "./chat.js";

export interface Dropped {
  name: string;
  content: string | Buffer;
}

export function drop(chat: Chat, files: Dropped[]): Promise<void> {
  const sent = files.map(({ name, content }) => ({ name, base64: Buffer.from(content).toString("base64") }));
  return chat.tab.evaluate((dropped) => {
    const dataTransfer = new DataTransfer();
    for (const { name, base64 } of dropped) {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      dataTransfer.items.add(new File([bytes], name));
    }
    for (const type of ["dragover", "drop"]) {
      document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    }
  }, sent);
}

/** Returns the name and state of each document in the panel. */
export function listed(chat: Chat): Promise<string[]> {
  return chat.tab.evaluate(
    () =>
      [...document.querySelectorAll<HTMLElement>("#library li")].map(
        (line) => `${line.querySelector(".about .wrap")?.textContent ?? ""} ${line.dataset.state ?? ""}`,
      ),
    null,
  );
}
