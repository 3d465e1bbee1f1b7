/** The whole page. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { formatBytes } from "../lib/format.js";
import { announced } from "../state/announce.js";
import { current, path } from "../state/chat.js";
import type { Choice } from "../state/choice.js";
import * as model from "../state/model.js";
import { isServerOpen } from "../state/server.js";
import { settings } from "../state/settings.js";
import { hostOf } from "../models/address.js";
import { lastChoice, look, missingBytes, refreshInstalled } from "../state/plan.js";
import { screen } from "../state/screen.js";
import { entryOf } from "../models/catalog.js";
import { t } from "../text/index.js";
import { Boundary } from "./Boundary.js";
import { Composer } from "./Composer.js";
import { Dialog } from "./Dialog.js";
import { closeDialog, dialog } from "./dialogs.js";
import { DropVeil } from "./DropVeil.js";
import { ErrorCard, type ErrorAction } from "./ErrorCard.js";
import { lazily } from "./lazily.js";
import { Loading } from "./Loading.js";
import { Log } from "./Log.js";
import { ModelPicker } from "./ModelPicker.js";
import { PerformanceDialog } from "./Performance.js";
import { SettingsDialog } from "./Settings.js";
import { isSidebarOpen, Sidebar } from "./Sidebar.js";
import { Toasts } from "./Toasts.js";
import { Banner, TopBar } from "./TopBar.js";

const DocumentsDialog = lazily(async () => (await import("./Documents.js")).DocumentsDialog);
const SpeechDialog = lazily(async () => (await import("./SpeechDialog.js")).SpeechDialog);
const TranslateDialog = lazily(async () => (await import("../translate/TranslateDialog.js")).TranslateDialog);
const PictureDialog = lazily(async () => (await import("./PictureDialog.js")).PictureDialog);
const CameraDialog = lazily(async () => (await import("./CameraDialog.js")).CameraDialog);
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
      <div class="page">
        <TopBar />
        <Banner />
        <main id="main" tabIndex={-1}>
          {shown !== "welcome" && <h1 class="unseen">{current.value?.title ?? "Hearth"}</h1>}
          <div class="middle">
            <Boundary key={shown}>
              <Middle />
            </Boundary>
          </div>
          {shown === "chat" && <Composer />}
          {shown === "reading" && <Waking />}
        </main>
      </div>
      {dialog.value === "settings" && <SettingsDialog />}
      {dialog.value === "performance" && <PerformanceDialog />}
      {dialog.value === "documents" && <DocumentsDialog />}
      {dialog.value === "passage" && <PassageDialog />}
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
  switch (state.name) {
    case "loading":
    case "paused":
      return <Loading choice={state.choice} isPaused={state.name === "paused"} />;
    case "failed":
    case "ended":
      return <Failure {...state} />;
    case "running":
      return <Log />;
    case "none":
      if (model.isStarting.value) return <></>;
      return path.value.length > 0 ? <Log /> : <Welcome />;
  }
}

function Welcome(): JSX.Element {
  return (
    <section id="welcome" class="welcome" aria-labelledby="welcome-title">
      <h1 id="welcome-title">{t().welcome}</h1>
      <p class="lead">{t().lead}</p>
      <ModelPicker />
    </section>
  );
}

function Failure({ name, choice, error }: { name: "failed" | "ended"; choice: Choice; error: unknown }): JSX.Element {
  const again = { label: name === "ended" ? t().loadAgain : t().tryAgain, run: () => void model.load(choice) };
  const actions: ErrorAction[] = [again, { label: t().otherModel, run: chooseOther }];
  if (model.canUseCpu(error)) {
    const onCpu = { ...choice, options: { ...choice.options, device: "cpu" as const } };
    actions.unshift({ label: t().useCpu, run: () => void model.load(onCpu) });
  }
  return (
    <section id="failure">
      <ErrorCard error={error} actions={actions} />
    </section>
  );
}

/** Opens the picker over the conversation if there is one, and otherwise in its place. */
function chooseOther(): void {
  model.cancel();
  if (path.value.length > 0) dialog.value = "models";
}

/** The offer below a conversation that is read without a model. */
function Waking(): JSX.Element {
  const choice = lastChoice();
  const missing = missingBytes(choice.source);
  useEffect(() => void refreshInstalled(), []);
  const wake = (): void => {
    if (missing !== undefined) void model.load(choice);
    else {
      // The visitor should first see what loading would take.
      dialog.value = "models";
      void look(choice.source);
    }
  };
  const { isOnServer, server: last } = settings.value;
  return (
    <div class="composer waking row">
      {isOnServer && (
        <button
          id="wake-server"
          type="button"
          class="primary"
          onClick={() => {
            isServerOpen.value = true;
            dialog.value = "models";
          }}
        >
          {t().useServer(hostOf(last.server))}
        </button>
      )}
      <button id="wake" type="button" class={isOnServer ? "" : "primary"} onClick={wake}>
        {missing === undefined || missing === 0
          ? t().wake(entryOf(choice.source)?.name ?? model.modelName(choice.source))
          : t().fetchAndGoOn(formatBytes(missing))}
      </button>
      <button
        type="button"
        onClick={() => {
          dialog.value = "models";
        }}
      >
        {t().otherModel}
      </button>
    </div>
  );
}
