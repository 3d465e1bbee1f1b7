/**
 * A browser tab as the specs need it: Chromium is driven by Playwright and Firefox by Puppeteer (Playwright drives only
 * its own build of Firefox), and the same specs run on both.
 */
export interface Tab {
  readonly browser: "chromium" | "firefox";
  goto(url: string): Promise<void>;
  reload(): Promise<void>;
  /** Runs a function in the page. */
  evaluate<R, A>(fn: (arg: A) => R | Promise<R>, arg: A): Promise<R>;
  /** Runs a script in the page, regardless of the page's policy. */
  run(source: string): Promise<unknown>;
  /** Waits until an element exists and is visible. */
  waitVisible(selector: string, timeout: number): Promise<void>;
  click(selector: string): Promise<void>;
  fill(selector: string, text: string): Promise<void>;
  press(key: "Enter" | "Escape" | "Tab"): Promise<void>;
  setFile(selector: string, ...paths: string[]): Promise<void>;
  screenshot(path: string): Promise<void>;
  /** Errors that the page logged, for failure messages. */
  readonly errors: string[];
  /** Number of the page's workers; Chromium only. */
  workers?(): number;
  /** Bytes of the page's heap after a full garbage collection; Chromium only. */
  heapBytes?(): Promise<number>;
  /** Closes the tab, as its owner would, and opens an empty one on the same storage; Chromium only. */
  reopen?(): Promise<void>;
  /** Opens another tab on the same storage, which ends with this one. */
  another(): Promise<Tab>;
  /** Closes the tab; may be called again. */
  close(): Promise<void>;
}

export interface LaunchOptions {
  /** Whether to start a separate browser, for specs that measure or leave a browser unusable for others. */
  alone?: boolean;
  /** Script that the engine's worker runs before its own; Chromium only. */
  workerPrelude?: string;
  /** Set to false for a browser without the switches that make WebGPU work without a GPU. */
  webgpu?: boolean;
  /** Whether the page may install its service worker; each visit then copies all its files. */
  serviceWorkers?: boolean;
  viewport?: { width: number; height: number };
  dark?: boolean;
}

/** Whether a shared browser will do: the options then concern the context, not the browser. */
export function canShare({ alone, workerPrelude, webgpu, serviceWorkers }: LaunchOptions): boolean {
  return alone !== true && workerPrelude === undefined && webgpu !== false && serviceWorkers !== true;
}

export const DEFAULT_VIEWPORT = { width: 1100, height: 760 };
