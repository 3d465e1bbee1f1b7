/** Settings of the reference: a page for each entry of the package, named as it is imported. */
import { readFileSync } from "node:fs";

const { exports } = JSON.parse(readFileSync(new URL("../pkg/package.json", import.meta.url), "utf8"));

/** Returns the name by which an entry is imported, from that of its module, such as `toolbox`. */
function imported(name) {
  const files = [`./dist/${name}.js`, `./dist/${name}/index.js`];
  const [entry] = Object.entries(exports).find(([, to]) => files.includes(to.default)) ?? [`./${name}`];
  return `hearth-llm${entry.slice(1)}`;
}

export default {
  extends: ["../pkg/typedoc.json"],
  plugin: ["typedoc-plugin-markdown"],
  router: "module",
  readme: "none",
  out: "api",
  entryFileName: "modules",
  pageTitleTemplates: { module: ({ name }) => imported(name) },
  hidePageHeader: true,
  hideBreadcrumbs: true,
  sanitizeComments: true,
  useHTMLEncodedBrackets: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  typeDeclarationFormat: "table",
};
