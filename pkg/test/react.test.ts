/** React's hooks, rendered by React into happy-dom, over engines on the fake core. */
import { Window } from "happy-dom";
import { createElement, StrictMode, type ReactNode } from "react";
import type { Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { useChat, useEngine, type Chat, type SharedEngineOptions, type UseEngine } from "../src/react/index.js";
import { FILE, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";
import { WorkerDouble } from "./worker-double.js";

useFakeCore();

const model = new Blob([FILE]);
const OPTIONS: SharedEngineOptions = { model, device: "cpu" };
let root: Root;
let flushSync: (work: () => void) => void;
let started: WorkerDouble[];

beforeEach(async () => {
  started = [];
  class Counted extends WorkerDouble {
    constructor(url: string | URL) {
      super(url);
      started.push(this);
    }
  }
  vi.stubGlobal("Worker", Counted);
  const window = new Window();
  vi.stubGlobal("window", window);
  vi.stubGlobal("document", window.document);
  vi.stubGlobal("navigator", window.navigator);
  const { createRoot } = await import("react-dom/client");
  ({ flushSync } = await import("react-dom"));
  root = createRoot(document.body);
});

afterEach(async () => {
  root.unmount();
  await later();
});

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
function render(node: ReactNode): void {
  flushSync(() => {
    root.render(node);
  });
}
const running = (): number => started.filter(({ terminated }) => !terminated).length;

/** Waits until the last rendering is as a check wants it, also on a busy machine. */
function until(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 8000, interval: 5 });
}

const shows = (text: string): Promise<void> =>
  until(() => {
    expect(document.body.textContent).toBe(text);
  });

const loads: UseEngine[] = [];

function Loader({ options }: { options: SharedEngineOptions | null }): ReactNode {
  const state = useEngine(options);
  loads.push(state);
  return state.status;
}

describe("useEngine", () => {
  beforeEach(() => {
    loads.length = 0;
  });

  it("loads once under StrictMode, tells its progress, and disposes when the last component goes", async () => {
    const loader = (key: string): ReactNode => createElement(Loader, { key, options: { ...OPTIONS } });
    render(createElement(StrictMode, null, loader("a"), loader("b")));
    await until(() => {
      expect(document.body.textContent).toBe("readyready");
    });
    expect(started).toHaveLength(1);
    expect(loads.map(({ progress }) => progress?.phase)).toContain("weights");
    expect(loads.at(-1)?.engine?.device.kind).toBe("cpu");
    render(createElement(StrictMode, null, loader("b")));
    await later();
    expect(running()).toBe(1);
    render(null);
    await later();
    expect(running()).toBe(0);
  });

  it("loads nothing yet for null, another engine for other options, and frees the first", async () => {
    render(createElement(Loader, { options: null }));
    expect(document.body.textContent).toBe("idle");
    render(createElement(Loader, { options: OPTIONS }));
    await until(() => {
      expect(loads.at(-1)?.status).toBe("ready");
    });
    render(createElement(Loader, { options: { ...OPTIONS, contextSize: 64 } }));
    expect(loads.at(-1)?.status).toBe("loading");
    await until(() => {
      expect(loads.at(-1)?.status).toBe("ready");
    });
    expect([started.length, running()]).toEqual([2, 1]);
  });

  it("ends a load that nobody waits for", async () => {
    fake.compileMs = 50;
    render(createElement(Loader, { options: OPTIONS }));
    await until(() => {
      expect(started).toHaveLength(1);
    });
    render(null);
    await later();
    expect(running()).toBe(0);
  });

  it("tells of failures and of an engine's end, and loads again", async () => {
    render(createElement(Loader, { options: { ...OPTIONS, model: new Blob(["none"]) } }));
    await until(() => {
      expect(loads.at(-1)).toMatchObject({ status: "error", error: { code: "bad_file" } });
    });
    render(createElement(Loader, { options: OPTIONS }));
    await until(() => {
      expect(loads.at(-1)?.status).toBe("ready");
    });
    loads.at(-1)?.engine?.dispose();
    await until(() => {
      expect(loads.at(-1)).toMatchObject({ status: "error", engine: undefined, error: { code: "disposed" } });
    });
    loads.at(-1)?.retry();
    await until(() => {
      expect(loads.at(-1)).toMatchObject({ status: "ready", error: undefined });
    });
  });

  it("loads nothing on a server", () => {
    expect(renderToString(createElement(Loader, { options: OPTIONS }))).toBe("loading");
    expect(started).toHaveLength(0);
  });
});

let chat: Chat;

function Talk(): ReactNode {
  const { engine } = useEngine(OPTIONS);
  chat = useChat(engine, { system: "Be brief.", initialMessages: [] });
  return chat.messages.map(({ content }) => content).join("|");
}

describe("useChat", () => {
  beforeEach(() => {
    render(createElement(StrictMode, null, createElement(Talk)));
  });

  it("refuses what is sent before there is an engine, then answers it", async () => {
    await chat.send("!echo early");
    expect(chat.error?.code).toBe("invalid_request");
    await until(() => {
      expect(running()).toBe(1);
    });
    await until(async () => {
      await chat.regenerate();
      expect(chat.error).toBeUndefined();
    });
    await shows("!echo early|early");
    const { send, stop } = chat;
    await chat.send("!echo more");
    await shows("!echo early|early|!echo more|more");
    expect([chat.send, chat.stop]).toEqual([send, stop]);
    chat.setMessages([]);
    await shows("");
  });

  it("stops when its component goes", async () => {
    await until(() => {
      expect(chat.status).toBe("ready");
    });
    await until(async () => {
      await chat.send("!echo a");
      expect(chat.error).toBeUndefined();
    });
    fake.stepMs = 5;
    const ended = chat.send("tell me");
    await until(() => {
      expect(chat.status).toBe("streaming");
    });
    render(null);
    await ended;
    await until(() => {
      expect(fake.cancelled).toBe(1);
    });
  });
});
