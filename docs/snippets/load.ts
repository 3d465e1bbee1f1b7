/** Loading with progress, by a button that stops it. */
import { Engine } from "hearth-llm";

export async function load(show: (text: string) => void, controller: AbortController): Promise<Engine> {
  // #region load
  const engine = await Engine.create({
    model: "Qwen/Qwen3-0.6B-GGUF", // or an address, a File, a Blob, a file handle, a ReadableStream
    onProgress: ({ phase, loaded, total }) => {
      show(`${phase}: ${String(loaded)} of ${String(total)}`);
    },
    onNotice: ({ message }) => {
      show(message);
    },
    signal: controller.signal,
  });
  // #endregion load
  return engine;
}

export async function onEitherDevice(): Promise<Engine> {
  // #region device
  const engine = await Engine.create({ model: "Qwen/Qwen3-0.6B-GGUF", device: "auto" });
  console.log(engine.device.kind, engine.notice?.code); // "cpu" and "cpu_fallback" where there is no WebGPU
  // #endregion device
  return engine;
}
