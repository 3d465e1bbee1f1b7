/** Pictures on the page: drawn there, pasted, dropped, and found again. */
import type { Chat } from "./chat.js";
import type { LlmServer } from "./llm-server.js";

/** Connects the page to a server's model, from the welcome or from any other list of models, and waits until it can be asked. */
export async function useServer(chat: Chat, server: LlmServer): Promise<void> {
  await chat.tab.waitVisible("#more-models, #wake-server, #change-model", 30_000);
  if ((await chat.count("#more-models")) > 0) await chat.unfoldModels();
  if ((await chat.count("#server")) === 0) {
    await chat.tab.click((await chat.count("#wake-server")) > 0 ? "#wake-server" : "#change-model");
  }
  await chat.unfoldServer();
  await chat.tab.fill("#server-address", server.address);
  await chat.tab.click("#server-list");
  await chat.tab.waitVisible("#server-use", 20_000);
  await chat.tab.click("#server-use");
  await chat.waitReady();
}

/** Draws a small picture of one colour, always as the same file; returns it as base64. */
export function drawn(chat: Chat, colour: string): Promise<string> {
  return chat.tab.evaluate((fill) => {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: 20, height: 10 });
    const context = canvas.getContext("2d");
    if (context !== null) context.fillStyle = fill;
    context?.fillRect(0, 0, 20, 10);
    return canvas.toDataURL("image/png").split(",")[1] ?? "";
  }, colour);
}

/** Pastes a picture as browsers give one that was copied. */
export async function paste(chat: Chat, colour: string): Promise<void> {
  await give(chat, { base64: await drawn(chat, colour), name: "image.png", type: "paste" });
}

/** Drops a picture on the page, as from the desktop. */
export async function dropPicture(chat: Chat, colour: string, name: string): Promise<void> {
  await give(chat, { base64: await drawn(chat, colour), name, type: "drop" });
}

function give(chat: Chat, given: { base64: string; name: string; type: "paste" | "drop" }): Promise<void> {
  return chat.tab.evaluate(({ base64, name, type }) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], name, { type: "image/png" }));
    const options = { bubbles: true, cancelable: true };
    if (type === "drop") {
      for (const kind of ["dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(kind, { ...options, dataTransfer }));
      }
      return;
    }
    const event = new ClipboardEvent("paste", { ...options, clipboardData: dataTransfer });
    // Firefox copies no files into an event that a script makes.
    if (event.clipboardData?.files.length !== 1) Object.defineProperty(event, "clipboardData", { value: dataTransfer });
    document.body.dispatchEvent(event);
  }, given);
}

/** Returns the pictures within an element: each one's alternative text, and its size as the browser has drawn it. */
export function shownPictures(chat: Chat, selector: string): Promise<string[]> {
  return chat.tab.evaluate(
    (within) =>
      [...document.querySelectorAll<HTMLImageElement>(`${within} img`)].map(
        ({ alt, naturalWidth, naturalHeight }) => `${alt} ${String(naturalWidth)}x${String(naturalHeight)}`,
      ),
    selector,
  );
}

/** Returns the files of all conversations in the database: each one's type, and what its bytes are kept as. */
export function keptFiles(chat: Chat): Promise<string[]> {
  return chat.tab.evaluate(
    () =>
      new Promise<string[]>((resolve, reject) => {
        const request = indexedDB.open("hearth");
        request.onerror = () => {
          reject(new Error("no database"));
        };
        request.onsuccess = () => {
          const all = request.result.transaction("files").objectStore("files").getAll();
          all.onsuccess = () => {
            request.result.close();
            const files = all.result as { mime: string; blob: unknown }[];
            resolve(files.map(({ mime, blob }) => `${mime} ${blob instanceof Blob ? "Blob" : typeof blob}`));
          };
        };
      }),
    null,
  );
}
