// @vitest-environment happy-dom
/** The camera: its picture, a choice among several, and each way in which it fails. */
import { act } from "preact/test-utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { cameras } from "../src/state/camera.js";
import { draftPictures } from "../src/state/pictures.js";
import { settings } from "../src/state/settings.js";
import { dialog } from "../src/ui/dialogs.js";
import { FakeTrack, setMedia } from "./microphones.js";
import { find, png, press, settle, usePage } from "./picture-page.js";

vi.hoisted(() => {
  // happy-dom has null, which no browser has.
  Object.defineProperty(navigator, "locks", { value: undefined });
});
const frame = vi.hoisted(() => ({ take: (): Promise<Blob | undefined> => Promise.resolve(undefined) }));
vi.mock("../src/lib/picture-check.js", () => ({ canDraw: () => Promise.resolve(true) }));
vi.mock("../src/lib/frame.js", () => ({ frameOf: () => frame.take() }));

usePage();

class CameraTrack extends FakeTrack {
  constructor(readonly deviceId: string) {
    super();
  }

  getSettings(): { deviceId: string } {
    return this;
  }
}

let tracks: CameraTrack[];
let asked: MediaStreamConstraints[];
/** Answers a request in the browser’s place. */
let answer: () => Promise<void>;

const FRONT = { kind: "videoinput", deviceId: "front", label: "Front" };
const BACK = { kind: "videoinput", deviceId: "back", label: "" };

beforeEach(() => {
  tracks = [];
  asked = [];
  answer = () => Promise.resolve();
  cameras.value = [];
  frame.take = () => Promise.resolve(png("frame"));
  HTMLVideoElement.prototype.play = () => Promise.resolve();
  // A double is no stream to happy-dom.
  Object.defineProperty(HTMLVideoElement.prototype, "srcObject", { value: null, writable: true, configurable: true });
  const media = Object.assign(new EventTarget(), {
    getUserMedia: async (constraints: MediaStreamConstraints) => {
      asked.push(constraints);
      await answer();
      const { deviceId } = constraints.video as { deviceId?: { ideal: string } };
      const track = new CameraTrack(deviceId?.ideal ?? "front");
      tracks.push(track);
      return { getVideoTracks: () => [track] };
    },
    enumerateDevices: () => Promise.resolve([FRONT, BACK, { kind: "audioinput", deviceId: "m", label: "" }]),
  });
  setMedia(media);
});

async function open(): Promise<void> {
  await press("#open-camera");
  await settle();
}

const alert = (): HTMLElement | null => find("#camera [role=alert]");
const live = (): boolean[] => tracks.map(({ readyState }) => readyState === "live");

describe("the camera", () => {
  it("shows what it sees, takes a picture, and is off as soon as it is taken", async () => {
    await open();
    expect(dialog.value).toBe("camera");
    expect(asked[0]).toMatchObject({ video: { facingMode: { ideal: "environment" } } });
    expect(find("video")?.getAttribute("aria-label")).toBe("What the camera sees");
    expect(find("#camera [role=status]")?.textContent).toBe("The camera is on.");
    expect(document.activeElement?.id).toBe("take");
    await press("#take");
    expect(live()).toEqual([false]);
    expect(find("#camera img")?.getAttribute("alt")).toBe("The picture that you took");
    expect(document.activeElement?.id).toBe("use-picture");
    await press("#retake");
    expect(live()).toEqual([false, true]);
    await press("#take");
    await press("#use-picture");
    expect(dialog.value).toBeUndefined();
    expect(draftPictures.value).toMatchObject([{ part: { name: "", mime: "image/png" } }]);
    expect(live()).toEqual([false, false]);
  });

  it("is given back when the dialog is closed, even if the browser still asks", async () => {
    await open();
    await act(() => {
      dialog.value = undefined;
    });
    expect(live()).toEqual([false]);
    let allow = (): void => undefined;
    answer = () =>
      new Promise((resolve) => {
        allow = resolve;
      });
    await open();
    expect(find("#camera")?.textContent).toContain("Waiting for the camera");
    await act(() => {
      dialog.value = undefined;
    });
    allow();
    await settle();
    expect(live()).toEqual([false, false]);
  });

  it("is chosen among several, and the choice is kept", async () => {
    await open();
    const choice = find("#camera-choice") as HTMLSelectElement | null;
    if (choice === null) throw new Error("there is no choice");
    expect([...choice.options].map(({ text }) => text)).toEqual(["Front", "Camera 2"]);
    expect(choice.value).toBe("front");
    choice.value = "back";
    choice.dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    expect(asked[1]).toMatchObject({ video: { deviceId: { ideal: "back" } } });
    expect(settings.value.camera).toBe("back");
    expect(live()).toEqual([false, true]);
  });
});

describe("a camera that fails says why", () => {
  it.each([
    ["insecure", "address is not secure"],
    ["unsupported", "gives pages no camera"],
  ] as const)("%s, for which there is no other try", async (fault, words) => {
    setMedia(undefined, fault === "unsupported");
    await open();
    expect(alert()?.dataset.code).toBe(fault);
    expect(alert()?.textContent).toContain(words);
    expect(find("#camera .error-actions .primary")?.textContent).toBe("Close");
  });

  it.each([
    ["denied", "NotAllowedError", "Permission denied", "Allow the camera in the browser’s settings"],
    ["denied_by_system", "NotAllowedError", "Permission denied by system", "The operating system"],
    ["no_camera", "NotFoundError", "", "No camera was found"],
    ["taken", "NotReadableError", "Could not start video source", "another program may be using it"],
  ])("%s, and another try works", async (fault, name, message, words) => {
    answer = () => Promise.reject(new DOMException(message, name));
    await open();
    expect(alert()?.dataset.code).toBe(fault);
    expect(alert()?.textContent).toContain(words);
    answer = () => Promise.resolve();
    await press("#camera .error-actions .primary");
    expect(alert()).toBeNull();
    expect(live()).toEqual([true]);
  });

  it("unplugged", async () => {
    await open();
    await act(() => {
      tracks[0]?.unplug();
    });
    await settle();
    expect(alert()?.dataset.code).toBe("unplugged");
  });

  it("no_frame", async () => {
    frame.take = () => Promise.resolve(undefined);
    await open();
    await press("#take");
    expect(alert()?.dataset.code).toBe("no_frame");
    expect(live()).toEqual([false]);
  });
});
