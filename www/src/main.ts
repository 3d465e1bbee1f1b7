/** The page: from picking a model to the conversation, and back when something ends. */
import { Engine, HearthError, type Notice } from "hearth";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { hideDevice, showDevice, showNotices } from "./device-view.js";
import { byId } from "./dom.js";
import { errorCard, type ErrorAction } from "./error-view.js";
import { formatCount } from "./format.js";
import { LoadView } from "./load-view.js";
import { LogView } from "./log-view.js";
import { DEFAULT_MODEL, modelName, setUpModelPicker } from "./model-picker.js";
import { readParams } from "./params.js";

declare global {
  /** For tests and the console: the engine that the page uses, undefined while there is none. */
  var hearth: { engine: Engine | undefined };
}
globalThis.hearth = { engine: undefined };

const params = readParams(location.search);
const log = new LogView();
const loadView = new LoadView(() => {
  loading?.abort();
});
const composer = new Composer({
  onSend: (text) => void conversation?.send(text),
  onStop: () => conversation?.stop(),
});
const newChat = byId("new-chat", HTMLButtonElement);
const changeModel = byId("change-model", HTMLButtonElement);

let loading: AbortController | undefined;
let conversation: Conversation | undefined;

type Screen = "welcome" | "loading" | "failure" | "chat";

function show(screen: Screen): void {
  document.body.dataset.screen = screen;
  byId("welcome", HTMLElement).hidden = screen !== "welcome";
  const failure = byId("failure", HTMLElement);
  failure.hidden = screen !== "failure";
  // An old error is no longer true; nothing should read it, not even a test.
  if (screen !== "failure") failure.replaceChildren();
  byId("log", HTMLElement).hidden = screen !== "chat";
  if (screen !== "loading") loadView.hide();
  newChat.hidden = screen !== "chat";
  changeModel.hidden = screen !== "chat";
  if (screen === "chat") {
    composer.show();
  } else {
    composer.hide();
    hideDevice();
  }
}

function showFailure(error: unknown, actions: ErrorAction[]): void {
  show("failure");
  const other: ErrorAction = {
    label: "Choose another model",
    run: () => {
      show("welcome");
    },
  };
  byId("failure", HTMLElement).replaceChildren(errorCard(error, [...actions, other]));
}

async function load(model: string | File | File[], device = params.engine.device): Promise<void> {
  loading?.abort();
  endEngine();
  const controller = new AbortController();
  loading = controller;
  show("loading");
  loadView.show(modelName(model));
  // Those of the load, and later that a lost device was replaced.
  const notices: Notice[] = [];
  try {
    const engine = await Engine.create({
      ...params.engine,
      model,
      ...(device === undefined ? {} : { device }),
      signal: controller.signal,
      onProgress: (progress) => {
        if (loading === controller) loadView.update(progress);
      },
      onNotice: (notice) => {
        notices.push(notice);
        const { engine } = globalThis.hearth;
        if (engine !== undefined && loading === undefined) showNotices(engine, notices);
      },
    });
    startChat(engine, model, device);
    showNotices(engine, notices);
  } catch (error) {
    // Another load has taken over the page.
    if (loading !== controller) return;
    if (controller.signal.aborted) {
      show("welcome");
      return;
    }
    const actions: ErrorAction[] = [{ label: "Try again", run: () => void load(model, device) }];
    if (error instanceof HearthError && error.code === "no_webgpu") {
      actions.unshift({ label: "Use the CPU (slow)", run: () => void load(model, "cpu") });
    }
    showFailure(error, actions);
  } finally {
    if (loading === controller) loading = undefined;
  }
}

function startChat(engine: Engine, model: string | File | File[], device: typeof params.engine.device): void {
  globalThis.hearth.engine = engine;
  show("chat");
  showDevice(engine);
  startConversation(engine);
  void engine.closed.then((reason) => {
    if (globalThis.hearth.engine !== engine) return;
    endEngine();
    showFailure(reason, [{ label: "Load the model again", run: () => void load(model, device) }]);
  });
}

function startConversation(engine: Engine): void {
  conversation?.stop();
  log.clear();
  showContext(engine, 0);
  const current = new Conversation(engine, log, params.sampling, {
    onRunning: (isRunning) => {
      if (conversation === current) composer.isRunning = isRunning;
    },
    onUsage: (usage) => {
      if (conversation === current) showContext(engine, usage.total_tokens);
    },
    onError: (error, question) => {
      if (conversation !== current) return;
      const retry: ErrorAction = { label: "Try again", run: () => void current.send(question, true) };
      const fresh: ErrorAction = {
        label: "New chat",
        run: () => {
          startConversation(engine);
        },
      };
      // A conversation that has outgrown the context fails again however often it is sent.
      const isFull = error instanceof HearthError && error.code === "context_overflow";
      log.add(errorCard(error, isFull ? [fresh, retry] : [retry]));
    },
  });
  conversation = current;
  composer.isRunning = false;
}

function showContext(engine: Engine, used: number): void {
  byId("context", HTMLElement).textContent = `${formatCount(used)} of ${formatCount(engine.model.n_ctx)} tokens`;
}

/** Forgets the engine before ending it, so that its end is not taken for a failure. */
function endEngine(): void {
  const { engine } = globalThis.hearth;
  globalThis.hearth.engine = undefined;
  conversation = undefined;
  engine?.dispose();
}

newChat.addEventListener("click", () => {
  const { engine } = globalThis.hearth;
  if (engine !== undefined) startConversation(engine);
});
changeModel.addEventListener("click", () => {
  endEngine();
  show("welcome");
});
setUpModelPicker((model) => void load(model));

if (params.model === undefined) show("welcome");
else void load(params.model === "default" ? DEFAULT_MODEL : params.model);
