/** Addresses of the site's pages by the files of the repository that they are made of, and the links between them. */
import { existsSync } from "node:fs";
import { join, posix } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

/** Files outside `docs` that have a page: those pages include them. */
export const INCLUDED: Record<string, string> = {
  "ARCHITECTURE.md": "/architecture",
  "BENCHMARKS.md": "/benchmarks/",
  "CHANGELOG.md": "/changelog",
  "CONTRIBUTING.md": "/contributing",
  "ERRORS.md": "/errors",
  "MIGRATING.md": "/migrating",
  "README.md": "/",
  "SECURITY.md": "/security",
  "pkg/README.md": "/guide/entries",
};

/** Address of the repository, to which links to its other files lead; without one they are plain text. */
const { HEARTH_REPOSITORY, GITHUB_REPOSITORY } = process.env;
const repository = HEARTH_REPOSITORY ?? (GITHUB_REPOSITORY && `https://github.com/${GITHUB_REPOSITORY}`);

/** Folders from which the links of a page may be meant: its own, and those of the files that pages include. */
const bases = (page: string): string[] => [posix.dirname(`docs/${page}`), "", "pkg"];

/** Returns the file of the repository that a relative link on a page leads to, or undefined if there is none. */
export function fileOf(page: string, path: string): string | undefined {
  return bases(page)
    .map((base) => posix.normalize(posix.join(base, path)).replace(/\/$/, ""))
    .find((file) => !file.startsWith("..") && existsSync(join(ROOT, file)));
}

/**
 * Returns the address for a link on a page (its path within `docs`), or undefined if it is to be plain text.
 *
 * @throws Error if the link leads nowhere.
 */
export function addressOf(page: string, href: string): string | undefined {
  if (/^(?:[a-z]+:|#|\/)/.test(href)) return href;
  const [path = "", hash] = href.split("#");
  const anchor = hash === undefined ? "" : `#${hash}`;
  // The reference is made when the site is built; VitePress looks for its pages.
  if (posix.join(posix.dirname(page), path).startsWith("api/")) return href;
  const file = fileOf(page, path);
  if (file === undefined) throw new Error(`docs/${page} links to ${href}, which is not there`);
  const included = INCLUDED[file];
  if (included !== undefined) return included + anchor;
  if (file.startsWith("docs/") && file.endsWith(".md")) {
    return (
      file
        .replace(/^docs/, "")
        .replace(/(?:README|index)\.md$/, "")
        .replace(/\.md$/, "") + anchor
    );
  }
  return repository && `${repository}/blob/main/${file}${anchor}`;
}
