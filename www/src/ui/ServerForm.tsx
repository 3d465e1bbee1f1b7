/** The form that takes a model on a server: its address, a key if it wants one, and one of its models. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { hostOf } from "../models/address.js";
import { backend, runningName } from "../state/model.js";
import { connect, forget, isKeyKept, isServerOpen, keyOf, list, originOf, server, setKey } from "../state/server.js";
import { settings } from "../state/settings.js";
import { t } from "../text/index.js";
import { closeDialog } from "./dialogs.js";
import { ErrorCard } from "./ErrorCard.js";

/** Contents of the fields; the address is that of the last server until another one is entered. */
const typed = signal<string | undefined>(undefined);
const key = signal<string | undefined>(undefined);
const isKept = signal<boolean | undefined>(undefined);
const chosen = signal<string | undefined>(undefined);

const addressNow = (): string => (typed.value ?? settings.value.server.server).trim();

/** Sets the address. Another server must not get the key that was meant for this one. */
function setAddress(text: string): void {
  if (originOf(text) !== originOf(addressNow())) {
    // A key that was entered first has no address yet.
    if (originOf(addressNow()) !== undefined) key.value = undefined;
    isKept.value = undefined;
    forget();
  }
  typed.value = text;
}

export function ServerForm(): JSX.Element {
  return (
    <details
      id="server"
      class="facts"
      open={isServerOpen.value}
      onToggle={(event) => {
        isServerOpen.value = event.currentTarget.open;
      }}
    >
      <summary>{t().aServer}</summary>
      {isServerOpen.value && <Fields />}
    </details>
  );
}

function Fields(): JSX.Element {
  const state = server.value;
  const address = addressNow();
  const isAsking = state.name === "asking";
  const takeKey = (): void => {
    setKey(address, (key.value ?? keyOf(address)).trim(), isKept.value ?? isKeyKept(address));
  };
  const ask = (): void => {
    if (address === "") return;
    typed.value = address;
    takeKey();
    chosen.value = undefined;
    void list(address);
  };
  return (
    <div class="server">
      <p id="server-note" class="muted small">
        {t().serverNote}
      </p>
      <form
        id="server-form"
        class="server"
        onSubmit={(event) => {
          event.preventDefault();
          ask();
        }}
      >
        <div class="field">
          <label for="server-address">{t().serverAddress}</label>
          <input
            id="server-address"
            type="text"
            dir="ltr"
            inputMode="url"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            placeholder="http://localhost:8080/v1"
            required
            aria-describedby="server-note"
            value={typed.value ?? settings.value.server.server}
            onInput={(event) => {
              setAddress(event.currentTarget.value);
            }}
          />
        </div>
        <div class="field">
          <label for="server-key">{t().serverKey}</label>
          <input
            id="server-key"
            type="password"
            autocomplete="off"
            aria-describedby="server-key-note"
            value={key.value ?? keyOf(address)}
            onInput={(event) => {
              key.value = event.currentTarget.value;
              // The models were listed with another key.
              forget();
            }}
          />
        </div>
        <label class="small">
          <input
            id="server-key-kept"
            type="checkbox"
            checked={isKept.value ?? isKeyKept(address)}
            onChange={(event) => {
              isKept.value = event.currentTarget.checked;
              takeKey();
            }}
          />{" "}
          {t().serverKeyKept}
        </label>
        <p id="server-key-note" class="muted small">
          {t().serverKeyNote}
        </p>
        <div class="row">
          {isAsking ? (
            <button id="server-cancel" type="button" onClick={forget}>
              {t().cancel}
            </button>
          ) : (
            <button id="server-list" type="submit">
              {t().listModels}
            </button>
          )}
        </div>
      </form>
      <p id="server-status" class="muted small" role="status">
        {isAsking ? t().asking : state.name === "listed" ? t().hasModels(state.models.length) : ""}
      </p>
      {state.name === "failed" && <ErrorCard error={state.error} actions={[{ label: t().tryAgain, run: ask }]} />}
      {state.name === "listed" && <Models address={state.address} models={state.models} />}
      {state.name === "failed" && state.isListless && <Models address={state.address} models={[]} />}
    </div>
  );
}

/** The choice among a server's models; where it does not list them, a field for the model's name. */
function Models({ address, models }: { address: string; models: readonly string[] }): JSX.Element {
  const last = settings.value.server;
  const before = last.server === address ? last.model : "";
  const model = chosen.value ?? (models.length === 0 || models.includes(before) ? before : (models[0] ?? ""));
  const running = backend.value;
  const choose = (event: { currentTarget: { value: string } }): void => {
    chosen.value = event.currentTarget.value;
  };
  return (
    <form
      id="server-models"
      class="server"
      onSubmit={(event) => {
        event.preventDefault();
        if (model.trim() === "") return;
        void connect(address, model.trim()).then((isConnected) => {
          if (isConnected) closeDialog();
        });
      }}
    >
      <div class="field">
        <label for="server-model">{t().serverModel}</label>
        {models.length === 0 ? (
          <input id="server-model" type="text" autocomplete="off" required value={model} onInput={choose} />
        ) : (
          <select id="server-model" value={model} onChange={choose}>
            {models.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
      </div>
      <button id="server-use" type="submit" class="primary">
        {t().useServer(hostOf(address))}
      </button>
      {running !== undefined && <p class="muted small">{t().replaces(runningName(running))}</p>}
    </form>
  );
}
