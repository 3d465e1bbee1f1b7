// @vitest-environment happy-dom
/** The microphone: who refuses it, and what is known of it once it is given. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { mediaObstacle } from "../src/lib/media-access.js";
import { loudness, microphones, openMicrophone } from "../src/state/microphone.js";
import { change } from "../src/state/settings.js";
import { faultOfAccess, SpeechError } from "../src/state/speech-failure.js";
import { setMedia, useMicrophones } from "./microphones.js";

afterEach(() => {
  vi.unstubAllGlobals();
  change({ microphone: "" });
});

describe("a microphone that is not given", () => {
  it.each([
    [new DOMException("Permission denied", "NotAllowedError"), "denied"],
    [new DOMException("Permission dismissed", "NotAllowedError"), "denied"],
    [new DOMException("Permission denied by system", "NotAllowedError"), "denied_by_system"],
    [new DOMException("", "SecurityError"), "denied"],
    [new DOMException("Requested device not found", "NotFoundError"), "no_microphone"],
    [new DOMException("", "OverconstrainedError"), "no_microphone"],
    [new DOMException("Could not start audio source", "NotReadableError"), "taken"],
    [new DOMException("Starting audioinput failed", "AbortError"), "taken"],
    [new TypeError("something else"), "taken"],
  ])("%s: %s", async (error, fault) => {
    expect(faultOfAccess(error)).toBe(fault);
    const fake = useMicrophones();
    fake.answer = () => Promise.reject(error);
    const refused: unknown = await openMicrophone(() => undefined).catch((reason: unknown) => reason);
    expect(refused).toBeInstanceOf(SpeechError);
    expect(refused).toMatchObject({ fault, cause: error });
  });

  it("is not even asked for where pages have none", () => {
    setMedia(undefined, false);
    expect(mediaObstacle()).toBe("insecure");
    setMedia(undefined, true);
    expect(mediaObstacle()).toBe("unsupported");
    useMicrophones();
    expect(mediaObstacle()).toBeUndefined();
  });
});

describe("a microphone that is given", () => {
  it("is the chosen one if it is there, and can be changed if there are others", async () => {
    const fake = useMicrophones();
    fake.devices = [
      { kind: "audioinput", deviceId: "default", label: "Default" },
      { kind: "audioinput", deviceId: "a", label: "Desk" },
      { kind: "videoinput", deviceId: "v", label: "Camera" },
      { kind: "audioinput", deviceId: "b", label: "Head" },
      { kind: "audioinput", deviceId: "", label: "" },
    ];
    (await openMicrophone(() => undefined)).close();
    change({ microphone: "b" });
    const { close } = await openMicrophone(() => undefined);
    expect(fake.asked.map(({ audio }) => (audio as MediaTrackConstraints).deviceId)).toEqual([
      undefined,
      { ideal: "b" },
    ]);
    expect(fake.asked[0]?.audio).toMatchObject({ echoCancellation: true, noiseSuppression: true });
    await vi.waitFor(() => {
      expect(microphones.value.map(({ label }) => label)).toEqual(["Desk", "Head"]);
    });
    fake.devices = [];
    navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    await vi.waitFor(() => {
      expect(microphones.value).toEqual([]);
    });
    close();
  });

  it("tells when it is unplugged, and not when it is closed", async () => {
    const fake = useMicrophones();
    const onUnplugged = vi.fn();
    const first = await openMicrophone(onUnplugged);
    fake.tracks[0]?.unplug();
    expect(onUnplugged).toHaveBeenCalledOnce();
    first.close();
    const second = await openMicrophone(onUnplugged);
    second.close();
    expect(fake.tracks[1]?.readyState).toBe("ended");
    fake.tracks[1]?.unplug();
    expect(onUnplugged).toHaveBeenCalledOnce();
  });

  it("is heard without a meter where there is none", async () => {
    useMicrophones();
    vi.stubGlobal("AudioContext", undefined);
    const { level, close } = await openMicrophone(() => undefined);
    expect(level()).toBe(0);
    close();
  });
});

describe("loudness", () => {
  it.each([
    [0, 0],
    [0.0001, 0],
    [0.001, 0],
    [0.0316, 0.5],
    [1, 1],
  ])("of %s is %s", (amplitude, expected) => {
    expect(loudness(new Float32Array(64).fill(amplitude))).toBeCloseTo(expected, 2);
  });
});
