/**
 * What only `cargo xtask test --full` runs (see "Which test runs where" in CONTRIBUTING.md). Elsewhere such a test is not
 * there at all: what is never to run has not been skipped.
 */
import type { BrowserName } from "./browsers.js";

export const FULL = process.env.HEARTH_FULL !== undefined;

/** These cases, or none. */
export const inFull = <T>(...cases: T[]): T[] => (FULL ? cases : []);

/** For what works alike in both: this browser, and in full the other as well. */
export const oneBrowser = (name: BrowserName): BrowserName[] => (FULL ? ["chromium", "firefox"] : [name]);
