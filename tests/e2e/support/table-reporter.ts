/** Prints the rows that the benchmarks attach as one Markdown table, and nothing else but failures. */
import type { Reporter, TestCase, TestResult } from "@playwright/test/reporter";

export type Row = Record<string, string>;

export default class TableReporter implements Reporter {
  readonly #rows: Row[] = [];

  onTestEnd(test: TestCase, result: TestResult): void {
    for (const { name, body } of result.attachments) {
      if (name === "row" && body !== undefined) this.#rows.push(JSON.parse(body.toString("utf8")) as Row);
    }
    if (result.status === "failed" || result.status === "timedOut") {
      console.error(`${test.title}: ${result.status} ${result.error?.message ?? ""}`);
    } else if (result.status === "skipped") {
      console.error(`${test.title}: skipped`);
    }
  }

  onEnd(): void {
    const columns = Object.keys(this.#rows[0] ?? {});
    if (columns.length === 0) return;
    const line = (cells: string[]): string => `| ${cells.join(" | ")} |`;
    console.log(line(columns));
    console.log(line(columns.map(() => "---")));
    for (const row of this.#rows) console.log(line(columns.map((column) => row[column] ?? "")));
  }

  printsToStdio(): boolean {
    return true;
  }
}
