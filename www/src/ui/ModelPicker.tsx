/** The model picker: the chosen model's needs with the button that starts it, next to the models available. */
import { signal, useSignal } from "@preact/signals";
import type { CachedFile } from "hearth-llm/cache";
import { HearthError, type Fit } from "hearth-llm";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { formatBytes } from "../lib/format.js";
import { CATALOG, DEFAULT_MODEL, entryOf, toSource, type CatalogEntry } from "../models/catalog.js";
import type { Source } from "../state/choice.js";
import * as model from "../state/model.js";
import {
  choiceOf,
  installed,
  isKeptWhole,
  look,
  plan,
  offers,
  refreshInstalled,
  wish,
  wishes,
  type PlanState,
} from "../state/plan.js";
import { isServerOpen } from "../state/server.js";
import { settings } from "../state/settings.js";
import { language, t } from "../text/index.js";
import { BuiltInOffer } from "./BuiltInOffer.js";
import { ErrorCard } from "./ErrorCard.js";
import { IconButton } from "./icons.js";
import { takeFiles } from "./intake.js";
import { RemoveModel } from "./RemoveModel.js";
import { Resources } from "./Resources.js";
import { SearchField } from "./SearchField.js";
import { ServerForm } from "./ServerForm.js";
import { start } from "./start.js";

/** Search words for the list of models. */
const words = signal("");

export function ModelPicker(): JSX.Element {
  useEffect(() => {
    // `look` also reads the list of files.
    if (plan.value.name === "none") void look(settings.value.model || DEFAULT_MODEL);
    else void refreshInstalled();
  }, []);
  return (
    <div class="picker">
      <Panel />
      <Choices />
    </div>
  );
}

/** Shows what the chosen model needs. */
function Panel(): JSX.Element {
  const state = plan.value;
  if (state.name === "none") return <div class="plan" />;
  const { source } = state;
  const entry = entryOf(source);
  return (
    <section id="plan" class="plan" data-state={state.name} aria-labelledby="plan-title">
      <h2 id="plan-title" class="wrap">
        {entry?.name ?? ((state.name === "known" && state.fit.report.name) || model.modelName(source))}
      </h2>
      {entry === undefined && <p class="muted small wrap">{model.modelName(source)}</p>}
      <Verdict state={state} />
      {state.name === "failed" && (
        <ErrorCard
          error={state.error}
          actions={[
            { label: t().tryAgain, run: () => void look(source) },
            {
              label: t().loadAnyway,
              run: () => {
                start(choiceOf(source));
              },
            },
          ]}
        />
      )}
      {state.name === "known" && <Known source={source} fit={state.fit} kept={state.kept} />}
    </section>
  );
}

/** The one part of the panel whose changes are announced; so it is a single element, whatever its text. */
function Verdict({ state }: { state: PlanState }): JSX.Element | null {
  const fit = state.name === "known" && state.fit.report.unsupported === undefined ? state.fit : undefined;
  if (fit === undefined && state.name !== "reading") return null;
  return (
    <p class={fit === undefined ? "muted" : "verdict"} data-verdict={fit?.verdict} aria-live="polite">
      {fit === undefined ? t().readingHeader : saying(fit)}
    </p>
  );
}

function Known({ source, fit, kept }: { source: Source; fit: Fit; kept: number }): JSX.Element {
  const { verdict, needs, report } = fit;
  if (report.unsupported !== undefined) {
    const { code, message, hint } = report.unsupported;
    return <ErrorCard error={new HearthError(code, message, { hint })} actions={[]} />;
  }
  const running = model.backend.value;
  const isLocal = typeof source !== "string";
  const rest = isLocal ? 0 : Math.max(0, needs.download - kept);
  const isWhole = typeof source === "string" && isKeptWhole(source);
  const label = rest === 0 || isWhole ? t().start : t().fetchAndStart(formatBytes(rest));
  return (
    <>
      {fit.reasons.map((reason) => (
        <p key={reason} class="muted small">
          {reason}
        </p>
      ))}
      <button
        id="start"
        type="button"
        class={verdict === "does_not_fit" ? "" : "primary"}
        onClick={() => {
          start(choiceOf(source, fit));
        }}
      >
        {verdict === "does_not_fit" ? t().loadAnyway : label}
      </button>
      {verdict === "does_not_fit" && (
        <button id="offer-server" type="button" class="primary" onClick={openServer}>
          {t().useServerInstead}
        </button>
      )}
      {running !== undefined && <p class="muted small">{t().replaces(model.runningName(running))}</p>}
      <Wishes trained={report.n_ctx_train ?? 0} />
      {report.license !== null && <p class="muted small">{t().licence(report.license)}</p>}
      <Resources fit={fit} kept={isLocal ? needs.download : kept} />
    </>
  );
}

/** Opens the form for a server and moves the focus there. */
function openServer(): void {
  isServerOpen.value = true;
  requestAnimationFrame(() => {
    document.querySelector<HTMLInputElement>("#server-address")?.focus();
  });
}

function saying(fit: Fit): string {
  switch (fit.verdict) {
    case "fits":
      return t().fits;
    case "smaller":
      return t().fitsSmaller(changes(fit));
    case "does_not_fit":
      return t().doesNotFit;
    case "unknown":
      return t().fitsUnknown;
  }
}

const CONTEXTS = [2048, 4096, 8192, 16384, 32768, 65536, 131072];
const KV_TYPES = ["f16", "q8", "f32"] as const;

/** Controls for the length of the context and the precision of the KV cache. */
function Wishes({ trained }: { trained: number }): JSX.Element {
  const { contextSize, kvType } = wishes.value;
  return (
    <div class="wishes">
      <label>
        {t().contextWish}
        <select
          id="wish-context"
          value={contextSize ?? ""}
          onChange={(event) => {
            wish("contextSize", Number(event.currentTarget.value) || undefined);
          }}
        >
          <option value="">{t().byDefault}</option>
          {CONTEXTS.filter((size) => size <= trained).map((size) => (
            <option key={size} value={size}>
              {size.toLocaleString(language.value)}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t().kvWish}
        <select
          id="wish-kv"
          value={kvType ?? ""}
          onChange={(event) => {
            const { value } = event.currentTarget;
            wish(
              "kvType",
              KV_TYPES.find((type) => type === value),
            );
          }}
        >
          <option value="">{t().byDefault}</option>
          {KV_TYPES.map((type) => (
            <option key={type}>{type}</option>
          ))}
        </select>
      </label>
    </div>
  );
}

function changes({ changes: { contextSize, quantize } }: Fit): string {
  const parts = contextSize === undefined ? [] : [t().contextChange(contextSize)];
  if (quantize !== undefined) parts.push(t().quantizeChange(quantize.toUpperCase()));
  return parts.join(", ");
}

/** Models to choose from: a short list, those on this device, a link, files. */
function Choices(): JSX.Element {
  const wanted = words.value.trim().toLowerCase();
  const isWanted = (text: string): boolean => text.toLowerCase().includes(wanted);
  const known = CATALOG.filter(({ name, source, licence }) => isWanted(`${name} ${source} ${licence}`));
  const files = installed.value.filter(({ url }) => isModel(url) && isWanted(url));
  return (
    <div class="choices">
      <SearchField id="model-search" label={t().searchModels} words={words} />
      <ul class="models">
        {known.map((entry) => (
          <Offer key={entry.id} entry={entry} />
        ))}
      </ul>
      {files.length > 0 && (
        <>
          <h3>{t().onThisDevice}</h3>
          <ul id="installed" class="models">
            {files.map((file) => (
              <Installed key={file.url} file={file} />
            ))}
          </ul>
        </>
      )}
      <LinkForm />
      <ServerForm />
      <BuiltInOffer />
      <label class="drop">
        <input
          id="file"
          class="unseen"
          type="file"
          accept=".gguf,.safetensors,.json,.jinja"
          multiple
          onChange={(event) => {
            const chosen = [...(event.currentTarget.files ?? [])];
            event.currentTarget.value = "";
            void takeFiles(chosen);
          }}
        />
        <span>{t().dropHere}</span>
      </label>
    </div>
  );
}

function isChosen(source: string): boolean {
  return plan.value.name !== "none" && plan.value.source === source;
}

function Offer({ entry }: { entry: CatalogEntry }): JSX.Element {
  const { name, bytes, licence, licenceUrl, about, source } = entry;
  return (
    <li class="entry" data-open={isChosen(source)}>
      <button type="button" class="entry-title" aria-pressed={isChosen(source)} onClick={() => void look(source)}>
        <span>{name}</span>
        <small>{`${formatBytes(bytes)} · ${t().about[about]}`}</small>
        {offers.value?.recommended === entry && <small class="recommended">{t().recommended}</small>}
        {isKeptWhole(source) && <small>{t().isHere}</small>}
      </button>
      <a class="small" href={licenceUrl} target="_blank" rel="noopener noreferrer">
        {licence}
      </a>
    </li>
  );
}

function Installed({ file }: { file: CachedFile }): JSX.Element {
  const { url, bytes, complete, total } = file;
  const name = model.modelName(url);
  const isAsked = useSignal(false);
  const address = url.startsWith(location.origin) ? url.slice(location.origin.length) : url;
  return (
    <li class="entry" data-open={isChosen(address)}>
      <button type="button" class="entry-title" aria-pressed={isChosen(address)} onClick={() => void look(address)}>
        <span>{name}</span>
        <small>{complete ? formatBytes(bytes) : t().amountOf(formatBytes(bytes), formatBytes(total ?? 0))}</small>
      </button>
      <IconButton
        name="trash"
        label={t().remove(name)}
        onClick={() => {
          isAsked.value = true;
        }}
      />
      {isAsked.value && (
        <RemoveModel
          file={file}
          onDone={() => {
            isAsked.value = false;
          }}
        />
      )}
    </li>
  );
}

const isModel = (url: string): boolean => /\.(gguf|safetensors)($|\?)/.test(url);

function LinkForm(): JSX.Element {
  return (
    <form
      id="url-form"
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        const text = new FormData(event.currentTarget).get("url");
        if (typeof text === "string" && text.trim() !== "") void look(toSource(text));
      }}
    >
      <input id="url" name="url" dir="ltr" placeholder="https://huggingface.co/…" aria-label={t().linkLabel} required />
      <button type="submit">{t().look}</button>
    </form>
  );
}
