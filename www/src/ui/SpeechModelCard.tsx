/** The speech model in the dialog: which ones there are, the progress of its download, and the one that is ready. */
import type { JSX } from "preact";
import { formatBytes } from "../lib/format.js";
import { languageName } from "../lib/language-name.js";
import { toSource } from "../models/catalog.js";
import { SPEECH_LICENCE, SPEECH_OFFERS, type SpeechOffer } from "../models/speech.js";
import { isDictating } from "../state/dictating.js";
import { isKeptWhole } from "../state/plan.js";
import { change, settings } from "../state/settings.js";
import {
  loadSpeech,
  speechModel,
  speechName,
  unloadSpeech,
  type SpeechModelState,
  type SpeechSource,
} from "../state/transcriber.js";
import { language, t } from "../text/index.js";
import { s } from "../text/speech.js";
import { Select } from "./fields.js";
import { SpeechFault } from "./SpeechFault.js";

export function SpeechModelCard(): JSX.Element {
  const state = speechModel.value;
  switch (state.name) {
    case "none":
      return <Choices />;
    case "loading":
      return <Loading {...state} />;
    case "failed":
      return (
        <SpeechFault
          failure={{ fault: "model", error: state.error }}
          actions={[
            { label: t().tryAgain, run: () => void loadSpeech(state.source) },
            { label: t().otherModel, run: unloadSpeech },
          ]}
        />
      );
    case "ready":
      return <Ready {...state} />;
  }
}

function Choices(): JSX.Element {
  const take = (source: SpeechSource): void => void loadSpeech(source);
  return (
    <section id="speech-models" class="speech-models">
      <p>{s().choose}</p>
      <ul class="models">
        {SPEECH_OFFERS.map((offer) => (
          <Offer key={offer.source} offer={offer} onTake={take} />
        ))}
      </ul>
      <form
        id="speech-address-form"
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          const text = new FormData(event.currentTarget).get("address");
          if (typeof text === "string" && text.trim() !== "") take(toSource(text));
        }}
      >
        <input
          id="speech-address"
          name="address"
          dir="ltr"
          placeholder="openai/whisper-base"
          aria-label={s().address}
          title={s().address}
          required
        />
        <button type="submit">{t().start}</button>
      </form>
      <label class="drop">
        <input
          id="speech-files"
          class="unseen"
          type="file"
          accept=".bin,.safetensors,.json,.txt"
          multiple
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])];
            event.currentTarget.value = "";
            if (files.length > 0) take(files);
          }}
        />
        <span>{s().files}</span>
      </label>
    </section>
  );
}

function Offer({ offer, onTake }: { offer: SpeechOffer; onTake: (source: string) => void }): JSX.Element {
  const { name, source, bytes, languages } = offer;
  const label = isKeptWhole(source) ? s().load(name) : s().fetch(name, formatBytes(bytes));
  return (
    <li class="entry">
      <button
        type="button"
        class="entry-title"
        data-source={source}
        onClick={() => {
          onTake(source);
        }}
      >
        <span>{label}</span>
        <small>{s().languages(languages)}</small>
      </button>
      <a class="small" href={SPEECH_LICENCE.url} target="_blank" rel="noopener noreferrer">
        {SPEECH_LICENCE.name}
      </a>
    </li>
  );
}

function Loading({ source, isFetching, loaded, total }: Extract<SpeechModelState, { name: "loading" }>): JSX.Element {
  const title = s().loading(speechName(source));
  const hasAmount = isFetching && total > 0;
  return (
    <section id="speech-loading" class="speech-models">
      <p>{title}</p>
      {/* Without a value the bar only shows that something is in progress. */}
      <progress max={1} aria-label={title} {...(hasAmount ? { value: loaded / total } : {})} />
      <p class="muted small">{isFetching ? amount(loaded, total) : s().preparing}</p>
      <div class="row">
        <button id="speech-cancel" type="button" onClick={unloadSpeech}>
          {t().cancel}
        </button>
      </div>
    </section>
  );
}

function amount(loaded: number, total: number): string {
  return total > 0 ? t().amountOf(formatBytes(loaded), formatBytes(total)) : formatBytes(loaded);
}

function Ready({ source, transcriber }: Extract<SpeechModelState, { name: "ready" }>): JSX.Element {
  const { isMultilingual, languages, bytes } = transcriber.model;
  const facts = [formatBytes(bytes), s().languages(isMultilingual ? languages.length : 1)];
  return (
    <section id="speech-ready" class="speech-models">
      <p>{s().ready(speechName(source))}</p>
      <p class="muted small">{facts.join(" · ")}</p>
      {isMultilingual && <SpokenLanguage languages={languages} />}
      <div class="row">
        <button id="speech-change" type="button" disabled={isDictating.value} onClick={unloadSpeech}>
          {s().change}
        </button>
      </div>
    </section>
  );
}

function SpokenLanguage({ languages }: { languages: readonly string[] }): JSX.Element {
  const shownIn = language.value;
  const named = languages.map((code): [string, string] => [code, languageName(code, shownIn)]);
  named.sort(([, a], [, b]) => a.localeCompare(b, shownIn));
  const { speechLanguage } = settings.value;
  return (
    <Select
      id="speech-language"
      label={s().spoken}
      value={languages.includes(speechLanguage) ? speechLanguage : ""}
      options={Object.fromEntries([["", s().found], ...named])}
      onChange={(value) => {
        change({ speechLanguage: value });
      }}
    />
  );
}
