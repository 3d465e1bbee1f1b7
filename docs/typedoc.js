/** Settings of the reference: a page for each entry of the package, named as it is imported. */
import { readFileSync } from "node:fs";
import { Slugger } from "typedoc";
import { ModuleRouter } from "typedoc-plugin-markdown";

const { exports } = JSON.parse(readFileSync(new URL("../pkg/package.json", import.meta.url), "utf8"));

/** Returns the name by which an entry is imported, from that of its module, such as `toolbox`. */
function imported(name) {
  const files = [`./dist/${name}.js`, `./dist/${name}/index.js`];
  const [entry] = Object.entries(exports).find(([, to]) => files.includes(to.default)) ?? [`./${name}`];
  return `hearth-llm${entry.slice(1)}`;
}

/**
 * Anchors as the site's headings have them. The plugin's router also counts the names of members with their owner's, without the
 * dot: `Library.stats` would make `LibraryStats` the second of its name.
 */
class Anchors extends Slugger {
  #members = new Slugger(this.options);

  slug(name) {
    return name.includes(".") ? this.#members.slug(name) : super.slug(name);
  }
}

class Router extends ModuleRouter {
  getSlugger(reflection) {
    const slugger = this.sluggers.get(reflection);
    if (slugger !== undefined && !(slugger instanceof Anchors)) {
      this.sluggers.set(reflection, new Anchors(this.sluggerConfiguration));
    }
    return super.getSlugger(reflection);
  }
}

function define(app) {
  app.renderer.defineRouter("pages", Router);
}

export default {
  extends: ["../pkg/typedoc.json"],
  plugin: ["typedoc-plugin-markdown", define],
  router: "pages",
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
