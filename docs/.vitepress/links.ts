/** A rule of markdown-it: links between files of the repository become links between pages. */
import type { MarkdownRenderer } from "vitepress";
import { addressOf } from "./pages.js";

type Tokens = ReturnType<MarkdownRenderer["parse"]>;

export function links(md: MarkdownRenderer): void {
  md.core.ruler.push("repository-links", ({ tokens, env }: { tokens: Tokens; env: { relativePath?: string } }) => {
    const page = (env.relativePath ?? "").replace(/index\.md$/, "README.md");
    for (const { children } of tokens) {
      let isPlain = false;
      for (const token of children ?? []) {
        if (token.type === "link_open") {
          const address = addressOf(page, decodeURI(token.attrGet("href") ?? ""));
          isPlain = address === undefined;
          if (address !== undefined) token.attrSet("href", address);
        }
        if (!isPlain || !token.type.startsWith("link_")) continue;
        isPlain = token.type === "link_open";
        // Tokens of an empty text stand where the link was.
        Object.assign(token, { type: "text", tag: "", nesting: 0, content: "" });
      }
    }
  });
}
