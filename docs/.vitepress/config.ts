/** The documentation site: pages of this folder, files of the repository's root, and the reference from the types. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type DefaultTheme, type UserConfig } from "vitepress";
import llms from "vitepress-plugin-llms";
import { links } from "./links.js";
import { ROOT } from "./pages.js";
import { slug } from "./slug.js";

type Items = DefaultTheme.SidebarItem[];
type Plugins = NonNullable<NonNullable<UserConfig["vite"]>["plugins"]>;
type Exports = Record<string, string | { default: string }>;

const item = (text: string, link: string): DefaultTheme.SidebarItem => ({ text, link });

const GUIDE: Items = [
  {
    text: "Begin",
    items: [
      item("Getting started", "/guide/start"),
      item("Models", "/guide/models"),
      item("Bundlers", "/guide/bundlers"),
      item("CDN, one script tag", "/guide/cdn"),
      item("Node", "/guide/node"),
      item("Entries of the package", "/guide/entries"),
    ],
  },
  {
    text: "Answers",
    items: [
      item("Chat", "/guide/chat"),
      item("Streaming", "/guide/streaming"),
      item("Requests and answers", "/guide/answers"),
      item("Structured output", "/guide/structured-output"),
      item("Tools", "/guide/tools"),
      item("Pictures", "/guide/pictures"),
      item("Speech", "/guide/speech"),
      item("Translation", "/guide/translation"),
      item("Documents", "/guide/documents"),
      item("Adapters (LoRA)", "/guide/adapters"),
      item("Embeddings and reranking", "/guide/embeddings"),
    ],
  },
  {
    text: "Where models run",
    items: [
      item("Downloads, cache, offline", "/guide/downloads"),
      item("One model for all tabs", "/guide/shared"),
      item("Remote engines", "/guide/remote"),
      item("The CPU and its threads", "/guide/cpu-threads"),
      item("From Rust", "/guide/rust"),
    ],
  },
  {
    text: "With other code",
    items: [
      item("React, and an element", "/guide/interfaces"),
      item("Vercel's AI SDK", "/guide/ai-sdk"),
      item("The Prompt API", "/guide/prompt-api"),
      item("The chat page", "/guide/page"),
    ],
  },
  {
    text: "When something fails",
    items: [item("Errors", "/errors"), item("Migrating", "/migrating"), item("Changelog", "/changelog")],
  },
];

const INTERNALS: Items = [
  {
    text: "Inside",
    items: [
      item("How it works", "/guide/how-it-works"),
      item("Architecture", "/architecture"),
      item("Kernels", "/kernels"),
      item("Decisions", "/decisions/"),
      item("Kinds of faults", "/kinds"),
      item("The page, point by point", "/page"),
      item("What is tested", "/tests"),
      item("Contributing", "/contributing"),
      item("Security", "/security"),
    ],
  },
  {
    text: "Benchmarks",
    items: [
      item("Results", "/benchmarks/"),
      item("Method", "/benchmarks/method"),
      item("History", "/benchmarks/history"),
      item("Cost of a token", "/benchmarks/cost"),
      item("Compilers of GPUs", "/benchmarks/gpu-stats"),
      item("Point by point", "/benchmarks/gpu-points"),
      item("A trial on a GPU", "/benchmarks/gpu-trial"),
    ],
  },
];

/** Pages of the reference, which `npm run api` writes: one for each entry that has types. */
function reference(): Items {
  const { exports } = JSON.parse(readFileSync(join(ROOT, "pkg/package.json"), "utf8")) as { exports: Exports };
  const items = Object.entries(exports).flatMap(([name, to]) => {
    if (typeof to === "string") return [];
    const page = /^\.\/dist\/(.+?)(?:\/index)?\.js$/.exec(to.default)?.[1] ?? "";
    return [item(`hearth-llm${name.slice(1)}`, page === "index" ? "/api/" : `/api/${page}`)];
  });
  return [{ text: "Reference", items }];
}

/** Icon of the page, which is the site's as well; without one, browsers ask for a file that is not there. */
const icon = encodeURIComponent(readFileSync(join(ROOT, "www/public/favicon.svg"), "utf8"));

export default defineConfig({
  head: [["link", { rel: "icon", type: "image/svg+xml", href: `data:image/svg+xml,${icon}` }]],
  title: "Hearth",
  description: "Open language models in the browser, on the visitor's own GPU.",
  lang: "en",
  cleanUrls: true,
  ignoreDeadLinks: false,
  rewrites: { "guide/README.md": "guide/index.md", "decisions/README.md": "decisions/index.md" },
  markdown: { config: links, anchor: { slugify: slug } },
  vite: {
    // A model reads the guide and the numbers; histories and single decisions would be most of the text.
    // Its types are those of another version of Vite.
    plugins: llms({
      sidebar: [...GUIDE, ...INTERNALS],
      ignoreFiles: ["api/**", "ask.md", "changelog.md", "decisions/**", "benchmarks/history.md", "kinds.md"],
    }) as unknown as Plugins,
    build: { target: "es2022", chunkSizeWarningLimit: 2000 },
    worker: { format: "es" },
    optimizeDeps: { exclude: ["hearth-llm"] },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      item("Guide", "/guide/start"),
      item("Reference", "/api/"),
      item("Inside", "/guide/how-it-works"),
      item("Ask these docs", "/ask"),
    ].map((entry) => ({ text: entry.text ?? "", link: entry.link ?? "" })),
    sidebar: {
      "/guide/how-it-works": INTERNALS,
      "/benchmarks/": INTERNALS,
      "/decisions/": INTERNALS,
      "/architecture": INTERNALS,
      "/kernels": INTERNALS,
      "/kinds": INTERNALS,
      "/page": INTERNALS,
      "/tests": INTERNALS,
      "/contributing": INTERNALS,
      "/security": INTERNALS,
      "/api/": reference(),
      "/": GUIDE,
    },
  },
});
