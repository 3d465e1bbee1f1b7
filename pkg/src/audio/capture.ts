/**
 * Sound of a microphone or another live stream, as blocks of samples at the device's own rate: Firefox refuses others, and the
 * module resamples better than browsers do in passing.
 */
import { HearthError } from "../core/errors.js";
import type { AudioSamples } from "./protocol.js";

/** Returns the sound of a stream until its track ends. Cancelling it frees everything but the stream, which is the caller's. */
export async function capture(stream: MediaStream): Promise<ReadableStream<AudioSamples>> {
  const [track] = stream.getAudioTracks();
  if (track === undefined) throw failed("the stream has no audio track", "Ask for one: getUserMedia({ audio: true }).");
  const Context = (globalThis as { AudioContext?: typeof AudioContext }).AudioContext;
  if (Context === undefined)
    throw failed("there is no AudioContext here", "Transcribe live on a page, not in a worker.");
  const context = new Context();
  try {
    const node = await open(context, stream);
    return blocks(context, node, track);
  } catch (error) {
    void context.close();
    throw error;
  }
}

async function open(context: AudioContext, stream: MediaStream): Promise<AudioWorkletNode> {
  const { audioWorklet } = context as { audioWorklet?: AudioWorklet };
  if (audioWorklet === undefined) throw failed("there are no audio worklets here", "Serve the page by HTTPS.");
  try {
    // Bundlers search for exactly this expression, so it must stay in one piece.
    await audioWorklet.addModule(new URL("../audio-capture.js", import.meta.url));
  } catch (cause) {
    const hint = "Check that the server has audio-capture.js beside the package's other files.";
    throw failed("the script of the audio thread was not loaded", hint, cause);
  }
  try {
    const node = new AudioWorkletNode(context, "hearth-capture", { channelCountMode: "max" });
    context.createMediaStreamSource(stream).connect(node);
    // It writes nothing: without a way to the speakers some browsers do not call it.
    node.connect(context.destination);
    // A page that has the permission for its microphone needs no gesture; otherwise sound begins with the next one.
    if (context.state === "suspended") void context.resume();
    return node;
  } catch (cause) {
    throw failed("the stream could not be heard", "Ask for the stream again, with the devices as they are now.", cause);
  }
}

function blocks(context: AudioContext, node: AudioWorkletNode, track: MediaStreamTrack): ReadableStream<AudioSamples> {
  let end = (): void => undefined;
  const free = (): void => {
    node.port.onmessage = null;
    track.removeEventListener("ended", end);
    node.disconnect();
    void context.close();
  };
  return new ReadableStream<AudioSamples>({
    start(controller) {
      end = (): void => {
        free();
        controller.close();
      };
      track.addEventListener("ended", end);
      node.port.onmessage = ({ data }: MessageEvent<Float32Array>) => {
        controller.enqueue({ samples: data, sampleRate: context.sampleRate });
        // A page that stops its own track gets no event.
        if (track.readyState === "ended") end();
      };
      if (track.readyState === "ended") end();
    },
    cancel: free,
  });
}

function failed(message: string, hint: string, cause?: unknown): HearthError {
  return new HearthError("capture_failed", `sound could not be captured: ${message}`, { hint, cause });
}
