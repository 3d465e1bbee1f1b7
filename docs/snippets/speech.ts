/** Speech written down: recordings, and a microphone. */
import { Transcriber } from "hearth-llm/audio";

export async function recording(file: File): Promise<string> {
  // #region recording
  const transcriber = await Transcriber.create({
    model: "openai/whisper-base",
    onProgress: ({ phase, loaded, total }) => {
      console.log(phase, loaded, total);
    },
  });
  const { text } = await transcriber.audio.transcriptions.create({ file });

  transcriber.dispose();
  // #endregion recording
  return text;
}

export async function microphone(
  transcriber: Transcriber,
  append: (text: string) => void,
  show: (text: string, tentative: string) => void,
): Promise<void> {
  // #region microphone
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: true, noiseSuppression: true },
  });
  const live = transcriber.audio.live({ stream, language: "en" });
  for await (const text of live) {
    if (text.type === "final") append(text.text);
    else show(text.text, text.tentative);
  }
  // #endregion microphone
}
