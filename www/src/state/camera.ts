/** The camera: asked for, chosen among several, and gone when it is unplugged. Loaded on demand. */
import { signal } from "@preact/signals";
import { mediaDevices, mediaObstacle } from "../lib/media-access.js";
import { CameraError, faultOfCamera } from "./picture-failure.js";
import { settings } from "./settings.js";

export interface Camera {
  stream: MediaStream;
  /** Id of the device that the browser gave; empty if it does not tell. */
  deviceId: string;
  close: () => void;
}

/** The cameras to choose from; empty until the browser has given one of them, since it hides their names before. */
export const cameras = signal<readonly Pick<MediaDeviceInfo, "deviceId" | "label">[]>([]);

/** Asks for the camera that the visitor chose last, or else for one that looks away from the visitor. */
export async function openCamera(onUnplugged: () => void): Promise<Camera> {
  const fault = mediaObstacle();
  const media = mediaDevices();
  if (fault !== undefined || media === undefined) throw new CameraError(fault ?? "unsupported");
  const { camera } = settings.peek();
  let stream: MediaStream;
  try {
    stream = await media.getUserMedia({
      video: {
        // Enough for a page of text. Not exact: any size will do.
        width: { ideal: 1920 },
        height: { ideal: 1080 },
        ...(camera === "" ? { facingMode: { ideal: "environment" } } : { deviceId: { ideal: camera } }),
      },
    });
  } catch (error) {
    throw new CameraError(faultOfCamera(error), error);
  }
  const list = (): void => void listCameras(media);
  list();
  media.addEventListener("devicechange", list);
  const tracks = stream.getVideoTracks();
  // Stopping a track oneself fires no such event.
  for (const track of tracks) track.addEventListener("ended", onUnplugged);
  return {
    stream,
    deviceId: tracks[0]?.getSettings().deviceId ?? "",
    close: () => {
      media.removeEventListener("devicechange", list);
      for (const track of tracks) {
        track.removeEventListener("ended", onUnplugged);
        track.stop();
      }
    },
  };
}

async function listCameras(media: MediaDevices): Promise<void> {
  const all = await media.enumerateDevices().catch(() => []);
  cameras.value = all.filter(({ kind, deviceId }) => kind === "videoinput" && deviceId !== "");
}
