import type { Engine } from "hearth-llm";

export async function translate(engine: Engine, text: string): Promise<void> {
  const { data } = await engine.translations.create({
    input: "Guten Morgen.\n\nWo ist der Bahnhof?",
    source: "de",
    target: "en",
  });
  console.log(data[0]?.text); // two lines, with the blank one between them
  for await (const event of await engine.translations.create({ input: text, target: "zh-Hant", stream: true })) {
    if (event.type === "translation.text.delta") console.log(event.index, event.delta);
  }
}
