/** The site as it is built: every link within it leads to a page, and to a place on it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../.vitepress/pages.js";
import { pagesOf } from "../.vitepress/theme/ask.js";

const dist = join(ROOT, "docs/.vitepress/dist");
const isBuilt = existsSync(join(dist, "llms-full.txt"));
if (!isBuilt) console.warn("SKIPPED: the site is not built, so its links were not followed (cargo xtask docs)");

interface Page {
  links: string[];
  ids: Set<string>;
}

const unescape = (text: string): string =>
  text.replaceAll("&amp;", "&").replaceAll("&quot;", '"').replaceAll("&#39;", "'");

function pagesIn(folder: string): Map<string, Page> {
  const found = new Map<string, Page>();
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".html")) continue;
    const html = readFileSync(join(folder, name), "utf8");
    const all = (pattern: RegExp): string[] => Array.from(html.matchAll(pattern), ([, value = ""]) => unescape(value));
    found.set(`/${name.split("\\").join("/")}`, {
      links: all(/<a\b[^>]*?\shref="([^"]*)"/g),
      ids: new Set(all(/\sid="([^"]*)"/g)),
    });
  }
  return found;
}

/** Returns the page that an address shows, as hosts of clean addresses find it; undefined if there is none. */
function pageAt(pages: ReadonlyMap<string, Page>, path: string): Page | undefined {
  const plain = decodeURI(path);
  const names = plain.endsWith("/") ? [`${plain}index.html`] : [plain, `${plain}.html`, `${plain}/index.html`];
  return names.map((name) => pages.get(name)).find((page) => page !== undefined);
}

/** Returns the links of pages that lead nowhere within the site. */
export function deadLinks(pages: ReadonlyMap<string, Page>, isFile: (path: string) => boolean): string[] {
  return [...pages].flatMap(([name, { links }]) =>
    links.flatMap((link) => {
      if (/^[a-z][\w+.-]*:|^\/\//i.test(link)) return [];
      const [path = "", hash] = link.split("#");
      const bare = path.split("?")[0] ?? "";
      const address = bare === "" ? name : posix.resolve(posix.dirname(name), bare) + (bare.endsWith("/") ? "/" : "");
      const page = pageAt(pages, address.replace(/\/{2,}/g, "/"));
      const isThere = page !== undefined || isFile(decodeURI(address));
      const hasPlace = hash === undefined || hash === "" || page?.ids.has(decodeURIComponent(hash)) === true;
      return isThere && hasPlace ? [] : [`${name}: ${link}`];
    }),
  );
}

describe("links", () => {
  it("that lead nowhere are found", () => {
    const ids = new Set(["top", "größe"]);
    const pages = new Map<string, Page>([
      [
        "/index.html",
        { links: ["/guide/a", "guide/b#top", "/guide/#top", "#top", "https://x.test/no", "mailto:a@b"], ids },
      ],
      ["/guide/index.html", { links: ["./a.html", "../", "b#gr%C3%B6%C3%9Fe", "/file.txt", "/404"], ids }],
      ["/guide/a.html", { links: ["b", "c", "b#bottom", "/none.txt"], ids }],
      ["/guide/b.html", { links: [""], ids }],
    ]);
    const dead = deadLinks(pages, (path) => path === "/file.txt");
    expect(dead).toEqual([
      "/guide/index.html: /404",
      "/guide/a.html: c",
      "/guide/a.html: b#bottom",
      "/guide/a.html: /none.txt",
    ]);
  });

  it.skipIf(!isBuilt)("of the built site all lead somewhere", () => {
    const pages = pagesIn(dist);
    expect(pages.size).toBeGreaterThan(30);
    expect(deadLinks(pages, (path) => existsSync(join(dist, path)))).toEqual([]);
  });

  it.skipIf(!isBuilt)("of the list for models lead to pages, each of which is in the text of all", () => {
    const list = readFileSync(join(dist, "llms.txt"), "utf8");
    const whole = new Set(pagesOf(readFileSync(join(dist, "llms-full.txt"), "utf8")).map(({ address }) => address));
    const listed = Array.from(list.matchAll(/\]\((\/[^)]+)\.md\)/g), ([, address = ""]) => address);
    expect(listed.length).toBeGreaterThan(30);
    expect(listed.filter((address) => !existsSync(join(dist, `${address}.md`)))).toEqual([]);
    // Addresses of folders end in a slash.
    expect(listed.filter((address) => !whole.has(address) && !whole.has(`${address}/`))).toEqual([]);
  });
});
