/** The camera: what it sees, the picture that was taken, and a choice among several. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { frameOf } from "../lib/frame.js";
import { addPictures } from "../state/add-pictures.js";
import { cameras, openCamera, type Camera } from "../state/camera.js";
import { failureOfCamera, type PictureFailure } from "../state/picture-failure.js";
import { change } from "../state/settings.js";
import { t } from "../text/index.js";
import { p } from "../text/pictures.js";
import { Dialog } from "./Dialog.js";
import { closeDialog } from "./dialogs.js";
import type { ErrorAction } from "./ErrorCard.js";
import { PictureFaults } from "./PictureFaults.js";
import { useAddress } from "./use-picture.js";
import "../styles/pictures.css";

type State =
  | { name: "starting" }
  | { name: "live"; camera: Camera }
  | { name: "taken"; picture: Blob }
  | { name: "failed"; failure: PictureFailure };

export function CameraDialog(): JSX.Element {
  const [state, setState] = useState<State>({ name: "starting" });
  /** Counts the attempts: a camera that comes too late is given back. */
  const attempt = useRef(0);
  const open = useRef<Camera | undefined>(undefined);
  const close = (): void => {
    attempt.current++;
    open.current?.close();
    open.current = undefined;
  };
  const start = async (): Promise<void> => {
    close();
    const mine = attempt.current;
    setState({ name: "starting" });
    try {
      const camera = await openCamera(() => {
        if (mine !== attempt.current) return;
        close();
        setState({ name: "failed", failure: { fault: "unplugged", names: [] } });
      });
      if (mine !== attempt.current) {
        camera.close();
        return;
      }
      open.current = camera;
      setState({ name: "live", camera });
    } catch (error) {
      if (mine === attempt.current) setState({ name: "failed", failure: failureOfCamera(error) });
    }
  };
  useEffect(() => {
    void start();
    return close;
  }, []);
  const take = async (video: HTMLVideoElement | null): Promise<void> => {
    const mine = attempt.current;
    const picture = video === null ? undefined : await frameOf(video);
    if (mine !== attempt.current) return;
    // The browser's sign that the page films goes out while the visitor looks at the picture.
    close();
    setState(
      picture === undefined
        ? { name: "failed", failure: { fault: "no_frame", names: [] } }
        : { name: "taken", picture },
    );
  };
  const use = (picture: Blob): void => {
    closeDialog();
    void addPictures([new File([picture], p().takenPicture, { type: picture.type })], false);
  };
  const again = (): void => void start();
  return (
    <Dialog id="camera" title={p().camera} onClose={closeDialog}>
      <p class="unseen" role="status">
        {state.name === "live" ? p().isLive : state.name === "taken" ? p().isTaken : ""}
      </p>
      {state.name === "starting" && <p class="muted">{p().allow}</p>}
      {state.name === "live" && <View camera={state.camera} onTake={(video) => void take(video)} onChange={again} />}
      {state.name === "taken" && <Taken picture={state.picture} onUse={use} onAgain={again} />}
      {state.name === "failed" && (
        <PictureFaults failures={[state.failure]} actions={actionsOf(state.failure, again)} />
      )}
    </Dialog>
  );
}

function actionsOf({ fault }: PictureFailure, again: () => void): ErrorAction[] {
  const close = { label: t().close, run: closeDialog };
  // Neither changes by trying.
  return fault === "insecure" || fault === "unsupported" ? [close] : [{ label: t().tryAgain, run: again }, close];
}

function View({
  camera,
  onTake,
  onChange,
}: {
  camera: Camera;
  onTake: (video: HTMLVideoElement | null) => void;
  onChange: () => void;
}): JSX.Element {
  const video = useRef<HTMLVideoElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (video.current === null) return;
    video.current.srcObject = camera.stream;
    // Some browsers do not play by themselves.
    void Promise.resolve(video.current.play()).catch(() => undefined);
    button.current?.focus();
  }, [camera]);
  return (
    <>
      <video class="camera-view" ref={video} muted playsInline autoPlay aria-label={p().view} />
      <div class="row end">
        <CameraChoice camera={camera} onChange={onChange} />
        <button
          id="take"
          ref={button}
          type="button"
          class="primary"
          onClick={() => {
            onTake(video.current);
          }}
        >
          {p().take}
        </button>
      </div>
    </>
  );
}

function CameraChoice({ camera, onChange }: { camera: Camera; onChange: () => void }): JSX.Element | null {
  const all = cameras.value;
  if (all.length < 2) return null;
  return (
    <select
      id="camera-choice"
      aria-label={p().camera}
      value={camera.deviceId}
      onChange={(event) => {
        change({ camera: event.currentTarget.value });
        onChange();
      }}
    >
      {!all.some(({ deviceId }) => deviceId === camera.deviceId) && <option value="">{p().byBrowser}</option>}
      {all.map(({ deviceId, label }, index) => (
        <option key={deviceId} value={deviceId}>
          {label || p().unnamed(index + 1)}
        </option>
      ))}
    </select>
  );
}

function Taken({
  picture,
  onUse,
  onAgain,
}: {
  picture: Blob;
  onUse: (picture: Blob) => void;
  onAgain: () => void;
}): JSX.Element {
  const url = useAddress(picture);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    button.current?.focus();
  }, []);
  return (
    <>
      <div class="large-picture">{url !== undefined && <img src={url} alt={p().takenPicture} />}</div>
      <div class="row end">
        <button id="retake" type="button" onClick={onAgain}>
          {p().again}
        </button>
        <button
          id="use-picture"
          ref={button}
          type="button"
          class="primary"
          onClick={() => {
            onUse(picture);
          }}
        >
          {p().use}
        </button>
      </div>
    </>
  );
}
