/** OpenAI's client, whose audio routes a transcriber serves. */
import type { Engine } from "hearth-llm";
import type { Transcriber } from "hearth-llm/audio";
// #region client
import OpenAI from "openai";
import { createFetch } from "hearth-llm/openai";

export async function transcribe(engine: Engine, transcriber: Transcriber, file: File): Promise<string> {
  const client = new OpenAI({
    apiKey: "none",
    baseURL: "https://hearth.invalid/v1",
    fetch: createFetch(engine, { audio: transcriber }),
    dangerouslyAllowBrowser: true,
  });
  const { text } = await client.audio.transcriptions.create({ model: "whisper-1", file });
  return text;
}
// #endregion client
