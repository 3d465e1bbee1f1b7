/** The whole page. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { announced } from "../state/announce.js";
import { current, path } from "../state/chat.js";
import * as model from "../state/model.js";
import { screen } from "../state/screen.js";
import { t } from "../text/index.js";
import { Boundary } from "./Boundary.js";
import { Composer } from "./Composer.js";
import { ContextWays } from "./ContextRing.js";
import { Dialog } from "./Dialog.js";
import { closeDialog, dialog } from "./dialogs.js";
import { watchDock } from "./dock.js";
import { DropVeil } from "./DropVeil.js";
import { lazily } from "./lazily.js";
import { Loading } from "./Loading.js";
import { Log } from "./Log.js";
import { ModelPicker } from "./ModelPicker.js";
import { Failure, ModelStrip } from "./ModelStrip.js";
import { PerformanceDialog } from "./Performance.js";
import { Queue } from "./Queue.js";
import { SettingsDialog } from "./Settings.js";
import { isSidebarOpen, Sidebar } from "./Sidebar.js";
import { Toasts } from "./Toasts.js";
import { Banner, TopBar } from "./TopBar.js";
import { Welcome } from "./Welcome.js";

const DocumentsDialog = lazily(async () => (await import("./Documents.js")).DocumentsDialog);
const SpeechDialog = lazily(async () => (await import("./SpeechDialog.js")).SpeechDialog);
const TranslateDialog = lazily(async () => (await import("../translate/TranslateDialog.js")).TranslateDialog);
const PictureDialog = lazily(async () => (await import("./PictureDialog.js")).PictureDialog);
const CameraDialog = lazily(async () => (await import("./CameraDialog.js")).CameraDialog);
const TrustDialog = lazily(async () => (await import("./TrustDialog.js")).TrustDialog);
const PassageDialog = lazily(async () => (await import("./PassageDialog.js")).PassageDialog);

export function App(): JSX.Element {
  const shown = screen.value;
  const title = current.value?.title;
  useEffect(() => {
    document.body.dataset.screen = shown;
  }, [shown]);
  useEffect(() => {
    document.title = title === undefined ? "Hearth" : `${title} · Hearth`;
  }, [title]);
  return (
    <>
      <a class="skip" href="#main">
        {t().skip}
      </a>
      <Sidebar />
      {isSidebarOpen.value && (
        <div
          class="scrim"
          onClick={() => {
            isSidebarOpen.value = false;
          }}
        />
      )}
      <div class="page" inert={isSidebarOpen.value}>
        <TopBar />
        <Banner />
        <main id="main" tabIndex={-1}>
          {shown !== "welcome" && <h1 class="unseen">{current.value?.title ?? "Hearth"}</h1>}
          <div class="middle">
            <Boundary key={path.value.length > 0 ? "log" : shown}>
              <Middle />
            </Boundary>
          </div>
          <div class="dock" ref={watchDock}>
            <Boundary key={shown}>
              <ModelStrip />
            </Boundary>
            <ContextWays />
            <Queue />
            <Composer />
          </div>
        </main>
      </div>
      {dialog.value === "settings" && <SettingsDialog />}
      {dialog.value === "performance" && <PerformanceDialog />}
      {dialog.value === "documents" && <DocumentsDialog />}
      {dialog.value === "passage" && <PassageDialog />}
      {dialog.value === "trust" && <TrustDialog />}
      {dialog.value === "speech" && <SpeechDialog />}
      {dialog.value === "translate" && <TranslateDialog />}
      {dialog.value === "picture" && <PictureDialog />}
      {dialog.value === "camera" && <CameraDialog />}
      {dialog.value === "models" && (
        <Dialog id="models" title={t().models} onClose={closeDialog}>
          <Boundary>
            <ModelPicker />
          </Boundary>
        </Dialog>
      )}
      {dialog.value === undefined && <Toasts />}
      <p id="announced" class="unseen" role="status">
        {announced.value}
      </p>
      <DropVeil />
    </>
  );
}

function Middle(): JSX.Element {
  const state = model.model.value;
  // Nothing takes the place of a conversation; what happens to the model is told below it.
  if (path.value.length > 0) return <Log />;
  switch (state.name) {
    case "loading":
    case "paused":
      return <Loading choice={state.choice} name={state.name} />;
    case "failed":
    case "ended":
      return <Failure {...state} />;
    case "running":
      return <Log />;
    case "none":
      return model.isStarting.value ? <></> : <Welcome />;
  }
}
