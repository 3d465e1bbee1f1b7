/** Builds `src/sw.ts` along with the page and inlines the lists of the page's files. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { build, type Plugin } from "vite";
import { ON_DEMAND } from "./on-demand.js";

/** Files not needed offline: fonts in formats for old browsers, source maps, the host's configuration. */
const LEFT_OUT = /\.(woff|ttf|map)$|^sw\.js$|^_headers$/;
/** Vite puts a hash of the content into the names in this folder. */
const HASHED = "assets/";

export function serviceWorker(entry: string): Plugin {
  let outDir = "";
  return {
    name: "service-worker",
    apply: "build",
    configResolved: (config) => {
      outDir = join(config.root, config.build.outDir);
    },
    closeBundle: {
      sequential: true,
      handler: async () => {
        const all = readdirSync(outDir, { recursive: true, withFileTypes: true })
          .filter((file) => file.isFile())
          .map((file) => relative(outDir, join(file.parentPath, file.name)).replaceAll("\\", "/"))
          .filter((name) => !LEFT_OUT.test(name))
          .sort();
        const onDemand = all.filter((name) => name.startsWith(ON_DEMAND));
        const files = all.filter((name) => !name.startsWith(ON_DEMAND));
        const list = files.map((url) => ({ url, revision: url.startsWith(HASHED) ? null : hash(join(outDir, url)) }));
        await build({
          configFile: false,
          publicDir: false,
          logLevel: "warn",
          define: {
            "self.__PRECACHE": JSON.stringify(list),
            "self.__ON_DEMAND": JSON.stringify(onDemand),
            "process.env.NODE_ENV": '"production"',
          },
          build: {
            outDir,
            emptyOutDir: false,
            target: "es2022",
            rolldownOptions: { input: entry, output: { format: "iife", entryFileNames: "sw.js" } },
          },
        });
      },
    },
  };
}

function hash(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 16);
}
