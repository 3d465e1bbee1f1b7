/**
 * The state of the model above the message field, wherever there is a conversation: a load, a failure, or that a model
 * has to be loaded first. The conversation itself stays in its place.
 */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { formatBytes } from "../lib/format.js";
import { hostOf } from "../models/address.js";
import { entryOf } from "../models/catalog.js";
import { better, decline } from "../state/better.js";
import { path } from "../state/chat.js";
import type { Choice } from "../state/choice.js";
import * as model from "../state/model.js";
import { choiceOf, lastChoice, look, missingBytes, refreshInstalled } from "../state/plan.js";
import { isServerOpen } from "../state/server.js";
import { settings } from "../state/settings.js";
import { t } from "../text/index.js";
import { dialog } from "./dialogs.js";
import { ErrorCard, type ErrorAction } from "./ErrorCard.js";
import { Loading } from "./Loading.js";

export function ModelStrip(): JSX.Element | null {
  const next = model.incoming.value;
  if (next !== undefined) {
    return next.name === "failed" ? <Refused {...next} /> : <Loading choice={next.choice} name={next.name} isStrip />;
  }
  const state = model.model.value;
  // Without a conversation all this is in the middle of the page.
  if (path.value.length === 0 && state.name !== "running") return null;
  switch (state.name) {
    case "loading":
    case "paused":
      return <Loading choice={state.choice} name={state.name} isStrip />;
    case "failed":
    case "ended":
      return <Failure {...state} isStrip />;
    case "none":
      return model.isStarting.value ? null : <Waking />;
    case "running":
      return <Better />;
  }
}

/** The offer of a better model than the one to try, which answers until that one is here. */
function Better(): JSX.Element | null {
  const entry = better.value;
  if (entry === undefined) return null;
  return (
    <section id="better" class="strip" aria-label={t().recommended}>
      <p class="strip-line small">{t().betterOffer(entry.name, formatBytes(entry.bytes))}</p>
      <div class="row">
        <button id="get-better" type="button" onClick={() => void model.load(choiceOf(entry.source))}>
          {t().getBetter}
        </button>
        <button id="decline-better" type="button" class="quiet" onClick={decline}>
          {t().notNow}
        </button>
      </div>
    </section>
  );
}

interface Failed {
  name: "failed" | "ended";
  choice: Choice;
  error: unknown;
  before?: Choice;
}

/** A model that could not be loaded, or that ended by itself. */
export function Failure({ name, choice, error, before, isStrip = false }: Failed & { isStrip?: boolean }): JSX.Element {
  const again = { label: name === "ended" ? t().loadAgain : t().tryAgain, run: () => void model.load(choice) };
  const actions: ErrorAction[] = [again];
  if (before !== undefined) {
    actions.push({ label: t().backTo(nameOf(before)), run: () => void model.load(before) });
  }
  actions.push({ label: t().otherModel, run: chooseOther });
  if (model.canUseCpu(error)) {
    const onCpu = { ...choice, options: { ...choice.options, device: "cpu" as const } };
    actions.unshift({ label: t().useCpu, run: () => void model.load(onCpu) });
  }
  return (
    <section id="failure" class={isStrip ? "strip-error" : ""}>
      <ErrorCard error={error} actions={actions} />
    </section>
  );
}

/** A model that could not be fetched; the one that was to be replaced goes on. */
function Refused({ choice, error }: { choice: Choice; error: unknown }): JSX.Element {
  const actions = [
    { label: t().tryAgain, run: () => void model.load(choice) },
    { label: t().dismiss, run: model.cancel },
  ];
  return (
    <section id="incoming-failure" class="strip-error">
      <ErrorCard error={error} actions={actions} />
    </section>
  );
}

const nameOf = ({ source }: Choice): string => entryOf(source)?.name ?? model.modelName(source);

/** Opens the picker over the conversation if there is one, and otherwise in its place. */
function chooseOther(): void {
  model.cancel();
  if (path.value.length > 0) dialog.value = "models";
}

/** Loads the last model if it is here, and otherwise shows what loading it takes. */
export function wake(): void {
  const choice = lastChoice();
  if (missingBytes(choice.source) !== undefined) {
    void model.load(choice);
    return;
  }
  dialog.value = "models";
  void look(choice.source);
}

/** The offer below a conversation that is read without a model. */
function Waking(): JSX.Element {
  const choice = lastChoice();
  const missing = missingBytes(choice.source);
  useEffect(() => void refreshInstalled(), []);
  const { isOnServer, server: last } = settings.value;
  return (
    <div class="waking row">
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
        {missing === undefined || missing === 0 ? t().wake(nameOf(choice)) : t().fetchAndGoOn(formatBytes(missing))}
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
