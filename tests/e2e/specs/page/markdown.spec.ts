/** A model's text as the page shows it: formatted where it is Markdown, and harmless in any case. */
import { importConversation } from "../../support/conversations.js";
import { BASE_URL, screenshotFile } from "../../support/env.js";
import { oneBrowser } from "../../support/full.js";
import { expect, test, type BrowserName } from "../../support/test.js";

const BROWSERS: BrowserName[] = ["chromium", "firefox"];

const HOSTILE = [
  '<script>globalThis.hit = "script"</script>',
  '<img src="x" onerror="globalThis.hit = \'onerror\'">',
  '<img src="data:image/svg+xml,<svg onload=alert(1)>">',
  "![x](https://example.com/track.png) ![y](data:image/png;base64,iVBORw0KGgo=)",
  "[link](javascript:globalThis.hit='link') [data](data:text/html,<script>1</script>) [vb](vbscript:x)",
  '<a href="&#106;avascript:globalThis.hit=1" onclick="globalThis.hit=\'onclick\'">go</a>',
  '<iframe srcdoc="<script>parent.hit = 1</script>"></iframe><object data="x"></object><embed src="x">',
  "<style>body { display: none }</style><link rel=stylesheet href=https://example.com/x.css>",
  '<form action="https://example.com"><input name=q value=1><button>Log in</button></form>',
  '<svg><script>globalThis.hit = "svg"</script><use href="data:x"/></svg><math><mi xlink:href="javascript:1">x</mi></math>',
  '<div style="position:fixed;inset:0" class="toast" id="composer">over everything</div>',
  "$\\href{javascript:globalThis.hit='math'}{x}$ $\\includegraphics{https://example.com/x.png}$ $\\htmlClass{toast}{x}$",
  '<meta http-equiv="refresh" content="0;url=https://example.com"><base href="https://example.com/">',
].join("\n\n");

for (const browser of BROWSERS) {
  test(`hostile output does nothing · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.open();
    await importConversation(chat, "<img src=x onerror=globalThis.hit=1>", [
      { user: HOSTILE, assistant: HOSTILE, reasoning: HOSTILE },
      { user: "next", assistant: "Here: `<script>` and\n\n```html\n<script>globalThis.hit = 1</script>\n```" },
    ]);
    await chat.tab.waitVisible(".answer .katex", 30_000);
    // Loads an image and a frame after the answer's: when these have ended, any images, scripts and frames in it have
    // run.
    await chat.tab.evaluate(async () => {
      const ended = ["img", "iframe"].map((tag) => {
        const element = document.createElement(tag) as HTMLImageElement | HTMLIFrameElement;
        const done = new Promise((resolve) => {
          for (const type of ["load", "error"]) element.addEventListener(type, resolve);
        });
        element.src = `${location.origin}/not-there-${tag}`;
        document.body.append(element);
        return done.then(() => {
          element.remove();
        });
      });
      await Promise.all(ended);
      for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    }, null);
    const found = await chat.tab.evaluate(() => {
      const bad = "img, script, style, iframe, object, embed, form, link, meta, base, button:not(.quiet), use";
      const answers = [...document.querySelectorAll(".answer")];
      const attributes = answers.flatMap((answer) =>
        [...answer.querySelectorAll("*")].flatMap((element) => [...element.attributes].map(({ name }) => name)),
      );
      return {
        hit: (globalThis as { hit?: string }).hit,
        elements: answers.flatMap((answer) => [...answer.querySelectorAll(bad)].map(({ tagName }) => tagName)),
        handlers: attributes.filter((name) => name.startsWith("on")),
        links: [...document.querySelectorAll<HTMLAnchorElement>(".answer a")].map((link) => link.getAttribute("href")),
        composers: document.querySelectorAll("#composer").length,
        disguised: document.querySelectorAll(".answer .toast, .answer [id]").length,
        shown: getComputedStyle(document.body).display,
        elsewhere: performance.getEntriesByType("resource").map(({ name }) => name),
        address: location.href,
      };
    }, null);
    expect(found.hit).toBeUndefined();
    expect(found.elements).toEqual([]);
    expect(found.handlers).toEqual([]);
    expect(found.links.filter((href) => href !== null)).toEqual([]);
    expect(found.composers).toBe(1);
    expect(found.disguised).toBe(0);
    expect(found.shown).toBe("grid");
    for (const name of found.elsewhere) expect(name.startsWith(BASE_URL) || name.startsWith("blob:")).toBe(true);
    expect(found.address.startsWith(BASE_URL)).toBe(true);
  });
}

for (const browser of oneBrowser("firefox")) {
  test(`tables, code, formulas, lists and links · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.open();
    const answer = [
      "# Title",
      "A [link](https://example.org), **bold**, `code`, $5 and $6, and $e^{i\\pi} = -1$.",
      "$$\\int_0^1 x^2\\,dx = \\frac{1}{3}$$",
      "\\[ a^2 + b^2 = c^2 \\]",
      "| fruit | price |\n| --- | ---: |\n| apple | 1 |",
      "```python\ndef f(x):\n    return x + 1  # one more\n```",
      "- [x] done\n- [ ] not yet",
      "1. one\n2. two\n   - inner",
    ].join("\n\n");
    await importConversation(chat, "Markdown", [{ user: "Show all", assistant: answer, reasoning: "I should." }]);
    await chat.tab.waitVisible(".answer .katex-display", 30_000);
    await chat.tab.waitVisible(".answer .hljs-keyword", 30_000);
    expect(await chat.count(".answer .katex")).toBe(3);
    expect(await chat.count(".answer .katex-display")).toBe(2);
    expect(await chat.text(".answer .block:nth-child(2)")).toContain("$5 and $6");
    expect(await chat.text(".answer td")).toBe("apple");
    expect(await chat.count('.answer input[type="checkbox"][disabled]')).toBe(2);
    expect(await chat.text(".answer .code-head")).toContain("python");
    const link = await chat.tab.evaluate(() => {
      const { href = "", target = "", rel = "" } = document.querySelector<HTMLAnchorElement>(".answer a") ?? {};
      return { href, target, rel };
    }, null);
    expect(link).toEqual({ href: "https://example.org/", target: "_blank", rel: "noopener noreferrer nofollow" });
    expect(await chat.tab.evaluate(() => document.querySelector<HTMLDetailsElement>(".reasoning")?.open, null)).toBe(
      false,
    );
    expect(chat.tab.errors).toEqual([]);
    await chat.tab.screenshot(screenshotFile(`markdown-${browser}`));
  });
}
