/** Microphones without sound, in place of the browser's. */
import { vi } from "vitest";

/** A track that a test can unplug. */
export class FakeTrack extends EventTarget {
  readyState: "live" | "ended" = "live";

  stop(): void {
    this.readyState = "ended";
  }

  unplug(): void {
    this.readyState = "ended";
    this.dispatchEvent(new Event("ended"));
  }
}

export interface FakeMicrophones {
  /** All tracks that were given. */
  tracks: FakeTrack[];
  /** The constraints of each request. */
  asked: MediaStreamConstraints[];
  devices: Partial<MediaDeviceInfo>[];
  /** Answers a request in the browser’s place; by default at once. */
  answer: () => Promise<void>;
}

/** Gives the page microphones. */
export function useMicrophones(): FakeMicrophones {
  const fake: FakeMicrophones = { tracks: [], asked: [], devices: [], answer: () => Promise.resolve() };
  const media = Object.assign(new EventTarget(), {
    getUserMedia: async (constraints: MediaStreamConstraints) => {
      fake.asked.push(constraints);
      await fake.answer();
      const track = new FakeTrack();
      fake.tracks.push(track);
      return { getAudioTracks: () => [track] };
    },
    enumerateDevices: () => Promise.resolve(fake.devices),
  });
  setMedia(media);
  return fake;
}

/** Sets what the page finds as `navigator.mediaDevices`; undefined as on unsafe addresses. */
export function setMedia(media: unknown, isSecure = true): void {
  Object.defineProperty(navigator, "mediaDevices", { value: media, configurable: true });
  vi.stubGlobal("isSecureContext", isSecure);
}
