/**
 * Makes the JavaScript in a folder shorter, file by file: without blanks and with short names within each file. Files, exports and what
 * bundlers look for stay as they are, and source maps lead to the sources as before. Whoever bundles gains nothing by it; whoever serves
 * the package's files does.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { minifySync } from "rolldown/utils";

// Nothing is inlined: what is a variable is hidden from bundlers on purpose (`HERE` in engine.ts).
const OPTIONS = { module: true, compress: false, mangle: { toplevel: true }, codegen: { removeWhitespace: true } };

/** Bundlers find workers and modules by these expressions, and some by their very letters. */
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
    // The columns of what follows differ from the map's by one for each address: less than a word.
    const end = hasMap ? `\n//# sourceMappingURL=${basename(mapPath)}\n` : "\n";
    writeFileSync(path, text.trimEnd() + end);
    if (hasMap) writeFileSync(mapPath, JSON.stringify({ ...map, file: basename(path) }));
  }
}
