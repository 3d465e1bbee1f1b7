/**
 * Ensures that no test is skipped silently: a skip without one of the reasons in `skips.ts` fails the run, and the
 * names of the others are appended to the file that `cargo xtask test` names; it decides for itself what a machine must
 * have.
 */
import { appendFileSync } from "node:fs";
import type { FullResult, Reporter, TestCase, TestResult } from "@playwright/test/reporter";
import { SKIPS } from "./skips.js";

const names = new Map<string, string>(Object.entries(SKIPS).map(([name, reason]) => [reason, name]));

export default class SkipsReporter implements Reporter {
  readonly #unknown: string[] = [];
  readonly #known = new Set<string>();

  onTestEnd(test: TestCase, { status, annotations }: TestResult): void {
    // A test that did not run because another one failed has no reason, and that failure is reported.
    const skips = annotations.filter(({ type }) => type === "skip" || type === "fixme");
    if (status !== "skipped" || skips.length === 0) return;
    for (const { description = "" } of skips) {
      const name = names.get(description);
      if (name === undefined) this.#unknown.push(`${test.titlePath().join(" › ")}: "${description}"`);
      else this.#known.add(name);
    }
  }

  onEnd(): Promise<{ status?: FullResult["status"] } | undefined> {
    const file = process.env.HEARTH_SKIPS;
    if (file !== undefined) for (const name of this.#known) appendFileSync(file, `${name}\n`);
    for (const skipped of this.#unknown) console.log(`skipped for no reason of support/skips.ts: ${skipped}`);
    return Promise.resolve(this.#unknown.length > 0 ? { status: "failed" } : undefined);
  }
}
