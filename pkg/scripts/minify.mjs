/**
 * Minifies each JavaScript file in a folder separately: removes whitespace and shortens local names. File names,
 * exports and the patterns that bundlers search for stay as they are, and source maps still lead to the sources. This
 * helps sites that serve the package's files directly; bundlers minify anyway.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { minifySync } from "rolldown/utils";

// No inlining: some values are in variables on purpose, to hide them from bundlers (`HERE` in engine.ts).
const OPTIONS = { module: true, compress: false, mangle: { toplevel: true }, codegen: { removeWhitespace: true } };

/** Expressions by which bundlers find workers and modules; some bundlers match the exact characters. */
const FOUND_BY_BUNDLERS = [
  [/new URL\(`([^`$]+)`,import\.meta\.url\)/g, 'new URL("$1", import.meta.url)'],
  [/\{type:`module`,name:`([\w-]+)`\}/g, '{type:"module",name:"$1"}'],
];

export function minifyAll(folder) {
  const names = readdirSync(folder, { recursive: true }).map(String);
  for (const path of names.filter((name) => name.endsWith(".js")).map((name) => join(folder, name))) {
    const mapPath = `${path}.map`;
    const hasMap = existsSync(mapPath);
    const maps = hasMap ? { sourcemap: true, inputMap: JSON.parse(readFileSync(mapPath, "utf8")) } : {};
    const { code, map, errors } = minifySync(path, readFileSync(path, "utf8"), { ...OPTIONS, ...maps });
    if (errors.length > 0) throw new Error(`${path} cannot be made shorter: ${errors[0].message}`);
    const text = FOUND_BY_BUNDLERS.reduce((made, [from, to]) => made.replace(from, to), code);
    // Each replaced address shifts the columns after it by one from the map's, which is less than a word.
    const end = hasMap ? `\n//# sourceMappingURL=${basename(mapPath)}\n` : "\n";
    writeFileSync(path, text.trimEnd() + end);
    if (hasMap) writeFileSync(mapPath, JSON.stringify({ ...map, file: basename(path) }));
  }
}
