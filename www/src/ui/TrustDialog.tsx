/** Dialog about trust: what was sent where, a mode that lets nothing leave, what is kept and who sees what, and the end of all of it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { formatBytes } from "../lib/format.js";
import { unload } from "../state/model.js";
import { eraseAll } from "../state/erase.js";
import { canWatch, isOffline, isStrict, isWatched, messagesSent, sent, setStrict, traffic } from "../state/trust.js";
import { t } from "../text/index.js";
import { trustTexts } from "../text/trust.js";
import { Dialog } from "./Dialog.js";
import { closeDialog } from "./dialogs.js";

export function TrustDialog(): JSX.Element {
  const texts = trustTexts();
  return (
    <Dialog id="trust-dialog" title={texts.title} onClose={closeDialog}>
      <p id="messages-sent" class="sent">
        {texts.sent(messagesSent.value)}
      </p>
      {[...sent.value].map(([host, count]) => (
        <p key={host}>{texts.sentTo(host, count)}</p>
      ))}
      {messagesSent.value === 0 && <p>{texts.stays}</p>}
      {isOffline.value && <p>{texts.offline}</p>}
      <Requests />
      <Strict />
      <section>
        <h3>{texts.kept}</h3>
        <p class="small">{texts.keptNote}</p>
      </section>
      <section>
        <h3>{texts.seen}</h3>
        <p class="small">{texts.seenNote}</p>
        <p class="small">{texts.open}</p>
      </section>
      <Erase />
    </Dialog>
  );
}

function Requests(): JSX.Element {
  const texts = trustTexts();
  const all = [...traffic.value.values()];
  return (
    <section aria-labelledby="requests-title">
      <h3 id="requests-title">{texts.since}</h3>
      {all.length > 0 ? (
        <table id="requests" class="numbers">
          <thead>
            <tr>
              <th scope="col">{texts.host}</th>
              <th scope="col">{texts.requests}</th>
              <th scope="col">{texts.up}</th>
              <th scope="col">{texts.refused}</th>
            </tr>
          </thead>
          <tbody>
            {all.map(({ host, requests, up, refused }) => (
              <tr key={host}>
                <th scope="row">{host}</th>
                <td>{requests}</td>
                <td>{formatBytes(up)}</td>
                <td>{refused}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p class="small">{isWatched.value ? texts.none : canWatch.value ? texts.unwatched : texts.cannotWatch}</p>
      )}
    </section>
  );
}

function Strict(): JSX.Element {
  const texts = trustTexts();
  return (
    <section>
      <label>
        <input
          id="strict"
          type="checkbox"
          checked={isStrict.value}
          disabled={!isWatched.value}
          aria-describedby="strict-note"
          onChange={(event) => {
            void setStrict(event.currentTarget.checked);
          }}
        />{" "}
        {texts.strict}
      </label>
      <p id="strict-note" class="muted small">
        {isWatched.value ? texts.strictNote : texts.strictUnavailable}
      </p>
    </section>
  );
}

function Erase(): JSX.Element {
  const texts = trustTexts();
  const isAsked = useSignal(false);
  const cancel = (): void => {
    isAsked.value = false;
  };
  const erase = async (): Promise<void> => {
    unload();
    await eraseAll();
    location.reload();
  };
  return (
    <div class="row">
      <button
        id="erase"
        type="button"
        onClick={() => {
          isAsked.value = true;
        }}
      >
        {texts.erase}
      </button>
      {isAsked.value && (
        <Dialog id="erase-dialog" title={texts.eraseSure} isInner onClose={cancel}>
          <p>{texts.eraseNote}</p>
          <div class="row end">
            <button type="button" onClick={cancel}>
              {t().cancel}
            </button>
            <button id="erase-now" type="button" class="primary" onClick={() => void erase()}>
              {t().delete}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}
