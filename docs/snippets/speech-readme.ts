import { Transcriber } from "hearth-llm/audio";

export async function listen(file: File): Promise<void> {
  const transcriber = await Transcriber.create({ model: "openai/whisper-base" });
  const { text } = await transcriber.audio.transcriptions.create({ file }); // a File, Blob, Response, ArrayBuffer, AudioBuffer or samples
  console.log(text);
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  for await (const { type, text } of transcriber.audio.live({ stream })) console.log(type, text);
}
