/** ERRORS.md, the codes in Rust and those in TypeScript are one list, and each is provoked somewhere. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CORE_ERROR_CODES, HOST_ERROR_CODES } from "../src/errors.js";

const root = join(import.meta.dirname, "../..");
const text = (path: string): string => readFileSync(join(root, path), "utf8");

it("the table has a row for each code, in their order", () => {
  const rows = [...text("ERRORS.md").matchAll(/^\| `(\w+)` \| .+ \| .+ \|$/gm)].map((row) => row[1]);
  expect(rows).toEqual([...CORE_ERROR_CODES, ...HOST_ERROR_CODES]);
});

it("the core has the same codes", () => {
  const source = text("crate/src/error.rs");
  const codes = [...source.matchAll(/^ +Error::\w+(?: \{ \.\. \})? => "(\w+)",$/gm)].map((match) => match[1]);
  expect(codes).toEqual([...CORE_ERROR_CODES]);
});

it("a test provokes each code", () => {
  const folders = ["pkg/test", "tests/tests", "tests/e2e/specs", "crate/src"];
  const isTest = (path: string): boolean => /\.(test|spec)\.ts$|tests?\/\w+\.rs$|tests\.rs$/.test(path);
  const tests = folders
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, String(file))))
    .filter((path) => isTest(path) && !path.endsWith("errors.test.ts"))
    .map(text)
    .join("\n");
  // In Rust a test may name the variant instead.
  const source = text("crate/src/error.rs");
  const variant = (code: string): string => new RegExp(`Error::(\\w+)[^=]* => "${code}"`).exec(source)?.[1] ?? "-";
  const missing = [...CORE_ERROR_CODES, ...HOST_ERROR_CODES].filter(
    (code) => !tests.includes(`"${code}"`) && !tests.includes(`Error::${variant(code)}`),
  );
  expect(missing).toEqual([]);
});
