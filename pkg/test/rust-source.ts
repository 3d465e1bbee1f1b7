/** Reads Rust sources without their comments. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

export const rust = (path: string): string => readFileSync(join(root, path), "utf8").replace(/^( *)\/\/.*$/gm, "$1");
