/** Pages of the documentation: their code comes from files, and their links lead somewhere. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { addressOf, fileOf, INCLUDED, ROOT } from "../.vitepress/pages.js";
import { anchorsOf, fencesOf, linksOf, PAGES, part, snippetsOf, textOf } from "./markdown.js";

const CODE = ["ts", "tsx", "js", "jsx", "mjs", "html", "vue", "typescript", "javascript"];
const SNIPPETS = join(ROOT, "docs/snippets");

/** Code of each snippet's regions, or of the whole file if it has none. */
const PARTS = readdirSync(SNIPPETS).flatMap((name) => {
  const regions = [...part(join(SNIPPETS, name)).matchAll(/#region ([\w-]+)/g)].map(([, region = ""]) => `#${region}`);
  const parts = regions.length === 0 ? [""] : regions;
  return parts.flatMap((region) => snippetsOf(`<<< @/snippets/${name}${region}`));
});

const codeIn = (text: string): string[] =>
  fencesOf(text).flatMap(({ language, code }) => (CODE.includes(language) ? [code] : []));

describe.each(PAGES)("%s", (page) => {
  const text = textOf(page);

  it("has no code that is not from a file", () => {
    expect(codeIn(readFileSync(join(ROOT, "docs", page), "utf8"))).toEqual([]);
    for (const { code } of snippetsOf(text)) expect(code).not.toBe("");
  });

  it("has no link to nowhere", () => {
    for (const link of linksOf(text)) {
      const [path = "", anchor] = link.split("#");
      // A file that a page includes links from its own place.
      const file = path === "" || path.startsWith("/") ? undefined : fileOf(page, path);
      if (file !== undefined) expect(() => addressOf(page, link)).not.toThrow();
      else expect(path === "" || path.startsWith("/") || path.includes("api/"), link).toBe(true);
      if (anchor === undefined || (file !== undefined && !file.endsWith(".md"))) continue;
      const target = file === undefined ? text : part(join(ROOT, file));
      expect([...anchorsOf(target)], link).toContain(anchor);
    }
  });
});

it.each(["README.md", "pkg/README.md"])("%s has code of files only", (name) => {
  const code = codeIn(part(join(ROOT, name)));
  expect(code.length).toBeGreaterThan(0);
  for (const block of code) expect(PARTS.map((known) => known.code)).toContain(block);
});

it("every snippet is on a page or in a README", () => {
  const shown = [
    ...PAGES.flatMap((page) => snippetsOf(textOf(page)).map(({ code }) => code)),
    ...["README.md", "pkg/README.md"].flatMap((name) => codeIn(part(join(ROOT, name)))),
  ];
  for (const { file, code } of PARTS) expect(shown, file).toContain(code);
});

it("every page is in the menu, but those that a page lists", () => {
  const config = part(join(ROOT, "docs/.vitepress/config.ts"));
  for (const page of PAGES.filter((name) => !/^(decisions\/\d|guide\/README|index)/.test(name))) {
    const address = addressOf(".", `docs/${page}`) ?? "";
    expect(config).toContain(`"${address}"`);
  }
});

it("finds what it is to find", () => {
  expect(codeIn("a\n```ts\nconst a = 1;\n```\n")).toEqual(["const a = 1;"]);
  expect(() => snippetsOf("<<< @/snippets/start.ts#none")).toThrow("no region none");
  expect(() => snippetsOf("<<< @/snippets/none.ts")).toThrow("is not there");
  expect(() => addressOf("guide/chat.md", "nowhere.md")).toThrow("docs/guide/chat.md links to nowhere.md");
  expect(addressOf("errors.md", "docs/guide/remote.md#errors")).toBe("/guide/remote#errors");
  expect(addressOf("guide/README.md", "../../ERRORS.md")).toBe(INCLUDED["ERRORS.md"]);
  expect(linksOf("`[a](b)` [c](d.md#e) [f](https://g)")).toEqual(["d.md#e"]);
  expect([...anchorsOf("# `hearth` & co.\n```sh\n# no heading\n```\n")]).toEqual(["hearth--co"]);
});
