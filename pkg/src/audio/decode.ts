/**
 * Recordings as sound of one channel: WAV is read by the module, all else by the browser. Channels are mixed down to their mean,
 * as openai/whisper has it.
 */
import { HearthError, invalid, throwIfAborted, toHearthError } from "../core/errors.js";
import type { AudioFile } from "./openai.js";
import { SAMPLE_RATE, type AudioSamples } from "./protocol.js";

const HERE_HINT =
  "Decode it on a page, or give a WAV file, or { samples, sampleRate } as Float32Array of one channel and its rate.";
const UNKNOWN_HINT =
  "Save it as WAV, MP3, M4A, Ogg or FLAC; not every browser has every format. A video needs a sound track.";

/** Reads a WAV file at 16 kHz, in the module. */
export type DecodeWav = (bytes: Uint8Array) => Promise<Float32Array>;

/** Returns the sound of a recording, in memory of its own. */
export async function toSound(file: AudioFile, decodeWav: DecodeWav, signal: AbortSignal): Promise<AudioSamples> {
  // Types do not hold what plain JavaScript passes.
  const given: unknown = file;
  if (typeof given !== "object" || given === null) throw notOne(given);
  if ("getChannelData" in file) return { samples: mixed(file), sampleRate: file.sampleRate };
  if ("samples" in file) return copied(file);
  const bytes = await bytesOf(file);
  throwIfAborted(signal);
  if (bytes.byteLength === 0) {
    throw new HearthError("bad_audio", "the sound cannot be read: the file is empty");
  }
  const sound = await decoded(bytes, decodeWav);
  throwIfAborted(signal);
  return sound;
}

async function bytesOf(file: Blob | Response | ArrayBuffer): Promise<ArrayBuffer> {
  // The browser takes the buffer that it decodes away.
  if (file instanceof ArrayBuffer) return file.slice(0);
  if (file instanceof Blob) {
    try {
      return await file.arrayBuffer();
    } catch (cause) {
      throw new HearthError("io_error", "reading the recording failed", { cause });
    }
  }
  if (!(file instanceof Response)) throw notOne(file);
  if (!file.ok) {
    const { status, url } = file;
    throw new HearthError("download_http", `the server answered ${String(status)} for the recording ${url}`, {
      status,
      hint: "Check the address of the recording.",
    });
  }
  if (file.bodyUsed) throw invalid("file", "a Response that was not read yet", "one that was");
  try {
    return await file.arrayBuffer();
  } catch (cause) {
    throw new HearthError("download_broken", `the recording broke off: ${file.url}`, { cause });
  }
}

async function decoded(bytes: ArrayBuffer, decodeWav: DecodeWav): Promise<AudioSamples> {
  if (!isWav(bytes)) return await byBrowser(bytes);
  try {
    return { samples: await decodeWav(new Uint8Array(bytes)), sampleRate: SAMPLE_RATE };
  } catch (error) {
    const reason = toHearthError(error);
    if (reason.code !== "bad_audio") throw reason;
    // WAV is a container: the browser may know an encoding that the module does not. Otherwise the module said what is wrong.
    return await byBrowser(bytes).catch(() => {
      throw reason;
    });
  }
}

function isWav(bytes: ArrayBuffer): boolean {
  const name = String.fromCharCode(...new Uint8Array(bytes, 0, Math.min(12, bytes.byteLength)));
  return name.startsWith("RIFF") && name.slice(8) === "WAVE";
}

async function byBrowser(bytes: ArrayBuffer): Promise<AudioSamples> {
  const { OfflineAudioContext: Context } = globalThis as { OfflineAudioContext?: typeof OfflineAudioContext };
  if (Context === undefined) {
    throw new HearthError("audio_undecodable", "there is nothing here that decodes this recording", {
      hint: HERE_HINT,
    });
  }
  try {
    // Its length does not matter: it plays nothing, and gives what it decodes its rate.
    const buffer = await new Context(1, 1, SAMPLE_RATE).decodeAudioData(bytes);
    return { samples: mixed(buffer), sampleRate: buffer.sampleRate };
  } catch (cause) {
    throw new HearthError("audio_undecodable", "the browser cannot decode this recording", {
      cause,
      hint: UNKNOWN_HINT,
    });
  }
}

/** Returns the mean of the channels. */
function mixed(buffer: AudioBuffer): Float32Array {
  const [first, ...others] = Array.from({ length: buffer.numberOfChannels }, (_, i) => buffer.getChannelData(i));
  const mean = Float32Array.from(first ?? []);
  for (const channel of others) for (const [i, sample] of channel.entries()) mean[i] = (mean[i] ?? 0) + sample;
  const channels = others.length + 1;
  return channels === 1 ? mean : mean.map((sum) => sum / channels);
}

function copied({ samples, sampleRate }: AudioSamples): AudioSamples {
  if (!((samples as unknown) instanceof Float32Array)) {
    throw invalid("file.samples", "a Float32Array", Object.prototype.toString.call(samples));
  }
  const isRate = Number.isFinite(sampleRate) && sampleRate > 0;
  if (!isRate) throw invalid("file.sampleRate", "the rate of the samples in hertz", String(sampleRate));
  return { samples: Float32Array.from(samples), sampleRate };
}

function notOne(found: unknown): HearthError {
  const kind = Object.prototype.toString.call(found);
  return invalid("file", "a File, Blob, Response, ArrayBuffer, AudioBuffer or { samples, sampleRate }", kind);
}
