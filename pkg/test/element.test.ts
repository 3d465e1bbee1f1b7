/** The element `<hearth-chat>` in happy-dom, over engines on the fake core. */
import { Window } from "happy-dom";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { HearthChat, HearthChatEventMap } from "../src/element/index.js";
import { create, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";
import { WorkerDouble } from "./worker-double.js";

useFakeCore();

// One window for the file: the element's class is made once, from its classes.
const page = new Window() as unknown as typeof globalThis & Window;
const GLOBALS = ["document", "HTMLElement", "CustomEvent", "customElements", "CSSStyleSheet"] as const;

let chat: HearthChat;
let events: [string, unknown][];

beforeEach(async () => {
  for (const name of GLOBALS) vi.stubGlobal(name, page[name]);
  vi.stubGlobal("requestAnimationFrame", (work: () => void) => setTimeout(work, 0));
  await import("../src/element/index.js");
  chat = document.createElement("hearth-chat");
  events = [];
  for (const type of ["ready", "progress", "message", "error"] satisfies (keyof HearthChatEventMap)[]) {
    chat.addEventListener(type, (event) => events.push([type, (event as CustomEvent<unknown>).detail]));
  }
  document.body.replaceChildren(chat);
});

afterEach(async () => {
  chat.remove();
  // The last drawing is due.
  await new Promise((resolve) => setTimeout(resolve, 5));
});

const part = (name: string): HTMLElement => {
  const found = chat.shadowRoot?.querySelector<HTMLElement>(`[part~="${name}"]`);
  if (!found) throw new Error(`no part ${name}`);
  return found;
};
const field = (): HTMLTextAreaElement => part("input") as HTMLTextAreaElement;
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 8000, interval: 5 });
const shown = (): (string | null)[] =>
  [...(chat.shadowRoot?.querySelectorAll('[part~="content"]') ?? [])].map(({ textContent }) => textContent);

function press(key: string, more: object = {}): Event {
  const event = new page.KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
  part("input").dispatchEvent(event);
  return event;
}

function write(text: string): void {
  field().value = text;
  press("Enter");
}

describe("<hearth-chat>", () => {
  it("answers from an engine that it is given, and tells of both messages", async () => {
    chat.engine = await create();
    await until(() => {
      expect(part("send").hasAttribute("disabled")).toBe(false);
    });
    write("!echo one two");
    await until(() => {
      expect(shown()).toEqual(["!echo one two", "one two"]);
      expect(part("send").hidden).toBe(false);
    });
    expect(events.map(([type]) => type)).toEqual(["ready", "message", "message"]);
    expect(field().value).toBe("");
    expect(part("status").nextElementSibling?.hasAttribute("hidden")).toBe(true);
  });

  it("never takes an answer for HTML", async () => {
    chat.engine = await create();
    const hostile = '<img src=x onerror="globalThis.isHit=true"><script>1</script>';
    await chat.send(`!echo ${hostile}`);
    await until(() => {
      expect(shown()[1]).toBe(hostile);
    });
    expect(chat.shadowRoot?.querySelector("img, script")).toBeNull();
    chat.renderer = (text) => Object.assign(document.createElement("b"), { textContent: text.toUpperCase() });
    await chat.send("!echo more");
    await until(() => {
      expect(shown().at(-1)).toBe("MORE");
    });
    expect(chat.shadowRoot?.querySelector('[part~="content-user"] b')).toBeNull();
  });

  it("sends by Enter but not while a word is composed, and stops by Escape with the focus kept", async () => {
    chat.engine = await create();
    fake.stepMs = 5;
    await until(() => {
      expect(part("send").hasAttribute("disabled")).toBe(false);
    });
    field().value = "tell me";
    expect(press("Enter", { isComposing: true }).defaultPrevented).toBe(false);
    expect(press("Enter", { shiftKey: true }).defaultPrevented).toBe(false);
    expect(chat.messages).toEqual([]);
    expect(press("Enter").defaultPrevented).toBe(true);
    await until(() => {
      expect(shown()[1]).toBeTruthy();
      expect(part("stop").hidden).toBe(false);
    });
    part("stop").focus();
    press("Escape");
    await until(() => {
      expect(chat.messages[1]?.finish).toBe("stopped");
      expect(part("stop").hidden).toBe(true);
    });
    expect(chat.shadowRoot?.activeElement).toBe(part("input"));
  });

  it("is named for screen readers, in the page's words, and speaks an answer once, whole", async () => {
    chat.texts = { message: "Nachricht" };
    chat.engine = await create();
    await chat.send("!echo one two");
    const spoken = [...(chat.shadowRoot?.querySelectorAll('[role="status"]') ?? [])].at(-1);
    await until(() => {
      expect(spoken?.textContent).toBe("one two");
    });
    expect(part("input").getAttribute("aria-label")).toBe("Nachricht");
    const log = part("messages");
    expect(["role", "aria-live", "tabindex", "aria-label", "aria-busy"].map((name) => log.getAttribute(name))).toEqual([
      "log",
      "off",
      "0",
      "Conversation",
      "false",
    ]);
  });

  it("loads its model when asked, tells of a failure, and tries again", async () => {
    const requests: string[] = [];
    vi.stubGlobal("fetch", (url: string) => {
      requests.push(url);
      return Promise.resolve(new Response(null, { status: 404 }));
    });
    chat.setAttribute("device", "cpu");
    chat.setAttribute("model", "https://models.invalid/tiny.gguf");
    await until(() => {
      expect(part("load").hidden).toBe(false);
    });
    expect(requests).toEqual([]);
    for (const name of ["load", "retry"]) {
      events.length = 0;
      part(name).click();
      await until(() => {
        expect(events.at(-1)).toMatchObject(["error", { code: "download_http" }]);
        expect(part("error").hidden).toBe(false);
      });
    }
    const worker = WorkerDouble.last;
    chat.remove();
    await until(() => {
      expect(worker?.terminated).toBe(true);
    });
  });

  it("keeps messages that it is given, without events", async () => {
    chat.messages = [{ id: "a", role: "user", content: "hello" }];
    await until(() => {
      expect(shown()).toEqual(["hello"]);
    });
    await chat.send("anyone?");
    expect(events).toMatchObject([
      ["message", { content: "anyone?" }],
      ["error", { code: "invalid_request" }],
    ]);
  });
});
