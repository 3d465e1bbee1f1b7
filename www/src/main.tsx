/** The page's entry point. */
import type { Engine } from "hearth-llm";
import type { SharedEngine } from "hearth-llm/shared";
import { render } from "preact";
import { DEFAULT_MODEL } from "./models/catalog.js";
import { params } from "./params.js";
import { announceAll } from "./state/announce.js";
import { tellReplacements } from "./state/better.js";
import { openConversations } from "./state/chat.js";
import { isStarting, lastLoadCrashed, load, noteLastCrash, runningEngine } from "./state/model.js";
import { keepAnswering, resumeInterrupted } from "./state/interrupted.js";
import { keepDrafts } from "./state/draft.js";
import { keepOffline } from "./state/offline.js";
import { keepDraftPictures } from "./state/pictures.js";
import { keepQueue } from "./state/queue.js";
import { countContext } from "./state/context.js";
import { choiceOf, isKeptWhole, lastChoice, look, mayStart, refreshInstalled } from "./state/plan.js";
import { applySettings, settings } from "./state/settings.js";
import { watchStorage } from "./state/storage.js";
import { keepAwake } from "./state/wake.js";
import { watchNetwork } from "./state/trust.js";
import { applyLanguage } from "./text/index.js";
import { App } from "./ui/App.js";
import { watchKeyboard } from "./ui/dock.js";
import { watchShortcuts } from "./ui/shortcuts.js";
import { watchWidth } from "./ui/Sidebar.js";
import "./styles/main.css";

declare global {
  /** The page's engine, for tests and the console; undefined while there is none. */
  var hearth: { readonly engine: Engine | SharedEngine | undefined };
}
globalThis.hearth = {
  get engine() {
    return runningEngine();
  },
};

applySettings();
noteLastCrash();
applyLanguage();
announceAll();
keepDrafts();
keepDraftPictures();
keepAnswering();
keepQueue();
tellReplacements();
countContext();
void watchStorage();
watchNetwork();
keepAwake();
watchWidth();
watchShortcuts();
watchKeyboard();
render(<App />, document.body);
void openConversations().then(resumeInterrupted);
void begin().finally(() => {
  isStarting.value = false;
});
keepOffline();

/** Starts the model named in the address, or the one that ran last, if it is stored here. */
async function begin(): Promise<void> {
  const named = params.model === "default" ? DEFAULT_MODEL : params.model;
  const source = named ?? settings.value.model;
  // A server is asked only when the visitor says so, and another model is not loaded in its place.
  if (source === "" || (named === undefined && settings.value.isOnServer)) return;
  await refreshInstalled();
  const isStarted = mayStart(source) && (named !== undefined || (isKeptWhole(source) && !lastLoadCrashed()));
  if (isStarted) void load(named === undefined ? lastChoice() : choiceOf(source));
  else if (named !== undefined) void look(source);
}
