/** The microphone: asked for, measured, chosen among several, and gone when it is unplugged. */
import { signal } from "@preact/signals";
import { mediaDevices, mediaObstacle } from "../lib/media-access.js";
import { faultOfAccess, SpeechError } from "./speech-failure.js";
import { settings } from "./settings.js";

export interface Microphone {
  stream: MediaStream;
  /** Returns the loudness of this moment, from 0 to 1. */
  level: () => number;
  close: () => void;
}

/** The inputs to choose from; empty until the browser has given one of them, since it hides their names before. */
export const microphones = signal<readonly Pick<MediaDeviceInfo, "deviceId" | "label">[]>([]);

/** Chromium's names for whichever device the system prefers. */
const ALIASES = new Set(["default", "communications"]);
/** Loudness that counts as silence, in decibels below the loudest possible. */
const SILENCE_DB = -60;

/** Asks for the microphone that the visitor chose last, or else for the one that the browser prefers. */
export async function openMicrophone(onUnplugged: () => void): Promise<Microphone> {
  const fault = mediaObstacle();
  const media = mediaDevices();
  if (fault !== undefined || media === undefined) throw new SpeechError(fault ?? "unsupported");
  const { microphone } = settings.peek();
  let stream: MediaStream;
  try {
    stream = await media.getUserMedia({
      audio: {
        echoCancellation: true,
        noiseSuppression: true,
        // Not exact: if the chosen one is gone, another will do.
        ...(microphone === "" ? {} : { deviceId: { ideal: microphone } }),
      },
    });
  } catch (error) {
    throw new SpeechError(faultOfAccess(error), error);
  }
  const list = (): void => void listMicrophones(media);
  list();
  media.addEventListener("devicechange", list);
  const tracks = stream.getAudioTracks();
  // Stopping a track oneself fires no such event.
  for (const track of tracks) track.addEventListener("ended", onUnplugged);
  const meter = meterOf(stream);
  return {
    stream,
    level: meter.level,
    close: () => {
      media.removeEventListener("devicechange", list);
      for (const track of tracks) {
        track.removeEventListener("ended", onUnplugged);
        track.stop();
      }
      meter.close();
    },
  };
}

async function listMicrophones(media: MediaDevices): Promise<void> {
  const all = await media.enumerateDevices().catch(() => []);
  microphones.value = all.filter(
    ({ kind, deviceId }) => kind === "audioinput" && deviceId !== "" && !ALIASES.has(deviceId),
  );
}

/** Measures the loudness; where that fails, dictation goes on without it. */
function meterOf(stream: MediaStream): { level: () => number; close: () => void } {
  try {
    // At the device's own rate: Firefox connects no stream to a context of another one.
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    return {
      level: () => {
        analyser.getFloatTimeDomainData(samples);
        return loudness(samples);
      },
      close: () => void context.close().catch(() => undefined),
    };
  } catch {
    return { level: () => 0, close: () => undefined };
  }
}

/** Returns how loud the samples are: 0 for silence, 1 for the loudest possible, as ears hear it. */
export function loudness(samples: Float32Array): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  if (power === 0) return 0;
  return Math.min(1, Math.max(0, 1 - (10 * Math.log10(power)) / SILENCE_DB));
}
