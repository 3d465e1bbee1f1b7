/**
 * An answer that is hostile while it streams: the page's renderer alone, given each text one character at a time, which
 * no core is asked to do. `markdown.spec.ts` covers whole answers on the page. The one-line bug that only this spec
 * finds: a text that is shown before it is sanitised, however briefly.
 */
import { join } from "node:path";
import { build, type Rolldown } from "vite";
import { root } from "../../support/env.js";
import { expect, test, type BrowserName } from "../../support/test.js";

const BROWSERS: BrowserName[] = ["chromium", "firefox"];

const LONG = "a wall of text without an end ".repeat(300);

const HOSTILE = [
  "Look: <img src=x onerror=\"globalThis.hit = 'img'\"> there",
  "<img src='x' onerror=globalThis.hit='bare'>\n\nand on",
  "<script>globalThis.hit = 'script'</script>",
  "<scr<script>ipt>globalThis.hit = 'nested'</scr</script>ipt>",
  "<svg><animate onbegin=globalThis.hit='svg' attributeName=x dur=1s></svg>",
  "<svg/onload=globalThis.hit='slash'><math><mtext><style><img src onerror=globalThis.hit='mx'></style></mtext></math>",
  "<details open ontoggle=globalThis.hit='toggle'><summary>x</summary></details>",
  "<iframe srcdoc='<script>parent.hit = 1</script>'></iframe>",
  "<a href=\"javascript:globalThis.hit='a'\" onclick=\"globalThis.hit='click'\">go</a>",
  "<a href='&#106;ava&#10;script:globalThis.hit=1'>go</a> <a href='jAvAsCrIpT&colon;1'>go</a>",
  "[go](javascript:globalThis.hit='md') [go](<javascript:1>) [go]( java\tscript:1 ) [vb](vbscript:1) [d](data:text/html,x)",
  "[go][ref] and [ref]\n\n[ref]: javascript:globalThis.hit='ref'",
  "<javascript:globalThis.hit=1> and ![x](javascript:1) and ![x](https://example.com/x.png)",
  "```html\n<img src=x onerror=globalThis.hit='fence'>\n```\n\nthen <img src=x onerror=globalThis.hit='after'>",
  "`<img src=x onerror=globalThis.hit='code'>` and ``half <img src=x onerror=globalThis.hit='half'>",
  "| a | b |\n| - | - |\n| <img src=x onerror=globalThis.hit='cell'> | [x](javascript:1) |",
  "- [ ] <input type=text autofocus onfocus=globalThis.hit='focus'>\n- <button formaction=javascript:1>x</button>",
  "$\\href{javascript:globalThis.hit='katex'}{x}$ and $$<img src=x onerror=globalThis.hit='math'>$$",
  '<p class="toast" id="composer" style="position:fixed">over <b>everything</b></p>',
  "<!-- --><img src=x onerror=globalThis.hit='comment'> <!--> <img src=x onerror=globalThis.hit='half'> -->",
  `${LONG}<img src=x onerror=globalThis.hit='long'> [x](javascript:1)`,
];

/** Returns the length of the first piece: a long prefix is not streamed character by character. */
const firstCut = (text: string): number => (text.startsWith(LONG) ? LONG.length : 1);

interface Renderer {
  MarkdownView: new (root: HTMLElement) => { update(text: string): void };
}

async function rendererSource(): Promise<string> {
  const built = (await build({
    configFile: false,
    root: join(root, "www"),
    logLevel: "error",
    build: {
      write: false,
      lib: { entry: "src/markdown/render.ts", formats: ["iife"], name: "renderer", cssFileName: "style" },
    },
  })) as Rolldown.RolldownOutput[];
  const chunk = built.flatMap(({ output }) => output).find(({ type }) => type === "chunk");
  return (chunk as Rolldown.OutputChunk).code;
}

for (const browser of BROWSERS) {
  test(`no hostile answer does anything while it comes · ${browser}`, async ({ launch }) => {
    const { tab } = await launch(browser);
    // KaTeX requires a page with a doctype.
    await tab.goto("data:text/html,<!doctype html>");
    await tab.run(`${await rendererSource()};globalThis.renderer = renderer; 0`);
    const found = await tab.evaluate(
      async ({ texts, cuts }) => {
        const { MarkdownView } = (globalThis as unknown as { renderer: Renderer }).renderer;
        const show = (): { element: HTMLElement; view: InstanceType<Renderer["MarkdownView"]> } => {
          const element = document.createElement("div");
          document.body.append(element);
          return { element, view: new MarkdownView(element) };
        };
        // Formulas and highlighting are fetched on first use; from then on they are set at once.
        const first = show();
        first.view.update("$x$\n\n```js\nconst x = 1;\n```");
        while (
          first.element.querySelector(".katex") === null ||
          first.element.querySelector(".hljs-keyword") === null
        ) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        first.element.remove();

        const bad =
          "img, script, style, iframe, object, embed, form, svg, video, audio, details, meta, link, base, .toast, [id]";
        const wrong: string[] = [];
        let states = 0;
        const look = (element: HTMLElement, text: string): void => {
          states++;
          for (const one of element.querySelectorAll(bad)) {
            // KaTeX draws roots and braces as SVG.
            if (one.closest(".katex") === null) wrong.push(`${one.tagName} in ${text.slice(-80)}`);
          }
          for (const one of element.querySelectorAll("*")) {
            for (const { name, value } of one.attributes) {
              const isAddress = /^(href|src|action|formaction|xlink:href)$/.test(name);
              const isBad = name.startsWith("on") || (isAddress && !/^(https?|mailto):/.test(value));
              if (isBad) wrong.push(`${name}=${value} in ${text.slice(-80)}`);
            }
          }
        };
        for (const [index, text] of texts.entries()) {
          const { element, view } = show();
          for (let cut = cuts[index] ?? 1; cut <= text.length; cut++) {
            view.update(text.slice(0, cut));
            look(element, text.slice(0, cut));
          }
          view.update(text);
          // The streamed result equals rendering the whole text at once.
          const whole = show();
          whole.view.update(text);
          if (whole.element.innerHTML !== element.innerHTML) wrong.push(`grown otherwise: ${text}`);
          // A handler or a script would run in a separate task.
          await new Promise((resolve) => setTimeout(resolve, 0));
          element.remove();
          whole.element.remove();
        }
        return { wrong, states, hit: (globalThis as { hit?: unknown }).hit };
      },
      { texts: HOSTILE, cuts: HOSTILE.map(firstCut) },
    );
    expect(found.wrong).toEqual([]);
    expect(found.hit).toBeUndefined();
    expect(found.states).toBeGreaterThan(1500);
  });
}
