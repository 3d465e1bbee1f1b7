/** Tiny encoder-decoders translate as transformers does, in a module and a worker of their own, and can be stopped. */
import { BASE_URL, IS_FAKE, readGolden } from "../../support/env.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test, type BrowserName } from "../../support/test.js";

type Translation = typeof import("hearth-llm/translation");

interface Golden {
  folder: string;
  runs: { text: string; source: string | null; target: string | null; input_ids: number[]; answer: string }[];
}

/** Tokens of an answer: drawn weights repeat themselves, which ends a translation. */
const TOKENS = 5;

const SETUPS: { browser: BrowserName; kind: string; family: string }[] = [
  { browser: "chromium", kind: "marian", family: "marian" },
  { browser: "firefox", kind: "nllb", family: "nllb" },
];

for (const { browser, kind, family } of SETUPS) {
  test(`${kind} translates · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const golden = readGolden(`translation/${kind}.json`) as Golden;
    const [first] = golden.runs;
    if (first === undefined) throw new Error("the golden has no runs");
    const { tab } = await launch(browser);
    await tab.goto(BASE_URL);
    const found = await tab.evaluate(
      async ({ entry, model, text, source, target, tokens }) => {
        const { Translator } = (await import(entry)) as Translation;
        const translator = await Translator.create({ model });
        const request = { input: text, source, target, max_tokens: tokens };
        const whole = await translator.translations.create(request);
        const streamed = await translator.translations.create({ ...request, stream: true });
        let deltas = "";
        for await (const event of streamed) if (event.type === "translation.text.delta") deltas += event.delta;
        const codeOf = (promise: Promise<unknown>): Promise<string> =>
          promise.then(
            () => "done",
            (error: unknown) => (error as { code: string }).code,
          );
        const controller = new AbortController();
        const long = { ...request, input: `${text} `.repeat(200), signal: controller.signal };
        const running = codeOf(translator.translations.create(long));
        setTimeout(() => {
          controller.abort();
        }, 20);
        const stopped = await running;
        const refused = await codeOf(translator.translations.create({ ...request, target: "tlh" }));
        const { model: about } = translator;
        translator.dispose();
        const disposed = await codeOf(translator.translations.create(request));
        return { whole, deltas, stopped, refused, disposed, about };
      },
      {
        entry: `${BASE_URL}pkg/dist/translation/index.js`,
        model: new URL(`/tests/goldens/data/translation/${golden.folder}/`, BASE_URL).href,
        text: first.text,
        source: first.source,
        target: first.target,
        tokens: TOKENS,
      },
    );
    expect(found.about.family).toBe(family);
    const [answer] = found.whole.data;
    expect(answer?.text.length).toBeGreaterThan(3);
    expect(first.answer.startsWith(answer?.text ?? "")).toBe(true);
    expect(answer?.finish_reason).toBe("length");
    expect(found.whole.usage).toMatchObject({ prompt_tokens: first.input_ids.length, completion_tokens: TOKENS });
    expect(found.deltas).toBe(answer?.text);
    expect([found.stopped, found.refused, found.disposed]).toEqual(["cancelled", "invalid_request", "disposed"]);
  });
}
