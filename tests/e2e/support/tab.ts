/**
 * A browser tab, as the specs need it: Chromium comes through Playwright and Firefox through Puppeteer (Playwright drives
 * only a Firefox of its own build), and the same specs run on both.
 */
export interface Tab {
  readonly browser: "chromium" | "firefox";
  goto(url: string): Promise<void>;
  reload(): Promise<void>;
  /** Runs a function in the page. */
  evaluate<R, A>(fn: (arg: A) => R | Promise<R>, arg: A): Promise<R>;
  /** Runs a script in the page, whatever its policy says of scripts. */
  run(source: string): Promise<unknown>;
  /** Waits until an element is there and visible. */
  waitVisible(selector: string, timeout: number): Promise<void>;
  click(selector: string): Promise<void>;
  fill(selector: string, text: string): Promise<void>;
  press(key: "Enter" | "Escape" | "Tab"): Promise<void>;
  setFile(selector: string, ...paths: string[]): Promise<void>;
  screenshot(path: string): Promise<void>;
  /** What the page logged as errors, for failure messages. */
  readonly errors: string[];
  /** Chromium only: how many workers the page has. */
  workers?(): number;
  /** Chromium only: bytes of the page's heap after everything that can be was collected. */
  heapBytes?(): Promise<number>;
  /** Chromium only: closes the tab, as its owner would, and opens an empty one beside what it kept. */
  reopen?(): Promise<void>;
  /** May be called again. */
  close(): Promise<void>;
}

export interface LaunchOptions {
  /** True: a browser of its own, for what measures, or leaves a browser behind that others could not use. */
  alone?: boolean;
  /** Chromium only: script that the engine's worker runs before its own. */
  workerPrelude?: string;
  /** False: a browser as it comes, without the switches that make WebGPU work without a GPU. */
  webgpu?: boolean;
  /** True: the page may keep itself for later; it costs each visit the copying of all its files. */
  serviceWorkers?: boolean;
  viewport?: { width: number; height: number };
  dark?: boolean;
}

/** Whether a browser that others use as well will do: what is asked for is then the context's, not the browser's. */
export function canShare({ alone, workerPrelude, webgpu, serviceWorkers }: LaunchOptions): boolean {
  return alone !== true && workerPrelude === undefined && webgpu !== false && serviceWorkers !== true;
}

export const DEFAULT_VIEWPORT = { width: 1100, height: 760 };
