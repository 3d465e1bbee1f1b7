/**
 * Selects what only `cargo xtask test --full` runs (see "Which test runs where" in CONTRIBUTING.md). Otherwise such a
 * test does not exist at all: a test that is never meant to run has not been skipped.
 */
import type { BrowserName } from "./browsers.js";

export const FULL = process.env.HEARTH_FULL !== undefined;

/** Returns these cases in a full run, and none otherwise. */
export const inFull = <T>(...cases: T[]): T[] => (FULL ? cases : []);

/** Returns this browser, and in a full run the other one too, for behaviour that is the same in both. */
export const oneBrowser = (name: BrowserName): BrowserName[] => (FULL ? ["chromium", "firefox"] : [name]);
