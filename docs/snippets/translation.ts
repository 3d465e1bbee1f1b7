/** Texts in another language, by chat and by models made for it. */
import { Engine } from "hearth-llm";
import { Translator } from "hearth-llm/translation";

export async function byChat(): Promise<void> {
  // #region chat
  const engine = await Engine.create({ model: "Qwen/Qwen3-4B-GGUF" });
  const input = ["Good morning.", "Where is the station?"];
  const { data } = await engine.translations.create({ input, source: "en", target: "de" });
  console.log(data.map(({ text }) => text));
  // #endregion chat
}

export async function byTranslator(): Promise<void> {
  // #region translator
  const translator = await Translator.create({ model: "Helsinki-NLP/opus-mt-en-de" });
  const { data } = await translator.translations.create({ input: "Good morning.", target: "de" });
  console.log(data[0]?.text);

  translator.dispose();
  // #endregion translator
}
