/** The first visit: what this is, three models for this device and language, and all others folded away. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { formatBytes } from "../lib/format.js";
import { DEFAULT_MODEL, type CatalogEntry } from "../models/catalog.js";
import { isOnHub } from "../models/address.js";
import { speedOf } from "../models/recommend.js";
import { params } from "../params.js";
import { choiceOf, device, isKeptWhole, look, offers, plan } from "../state/plan.js";
import { isServerOpen } from "../state/server.js";
import { settings } from "../state/settings.js";
import { t } from "../text/index.js";
import { Icon, type IconName } from "./icons.js";
import { ModelPicker } from "./ModelPicker.js";
import { start } from "./start.js";

/** Whether the visitor has unfolded all models. */
const isUnfolded = signal(params.model !== undefined);

const FACT_ICONS: readonly IconName[] = ["shield", "files", "heart"];

export function Welcome(): JSX.Element {
  const first = settings.value.model || DEFAULT_MODEL;
  useEffect(() => {
    if (plan.peek().name === "none") void look(first);
  }, []);
  // A file was dropped, or a link looked at: that model is in the fold.
  const isOther = plan.value.name !== "none" && plan.value.source !== first;
  const isOpen = isUnfolded.value || isOther || isServerOpen.value || settings.value.model !== "";
  return (
    <section id="welcome" class="welcome" aria-labelledby="welcome-title">
      <h1 id="welcome-title">{t().welcome}</h1>
      <p class="lead">{t().lead}</p>
      <ul class="promises">
        {t().promises.map((promise, index) => (
          <li key={promise}>
            <Icon name={FACT_ICONS[index] ?? "shield"} />
            {promise}
          </li>
        ))}
      </ul>
      <Cards />
      <details
        id="more-models"
        class="more-models"
        open={isOpen}
        onToggle={(event) => {
          isUnfolded.value = event.currentTarget.open;
        }}
      >
        <summary>{t().moreModels}</summary>
        <ModelPicker />
      </details>
    </section>
  );
}

function Cards(): JSX.Element | null {
  const found = offers.value;
  if (found === undefined) return null;
  const { now, recommended, best } = found;
  // Another card may be recommended once the device is known.
  const isLooking = plan.value.name === "none" || plan.value.name === "reading";
  const hasHub = [now, recommended, best].some((entry) => entry !== undefined && isOnHub(entry.source));
  return (
    <>
      <ul class="offers" aria-label={t().models} aria-busy={isLooking}>
        {recommended !== undefined && <Card kind="recommended" entry={recommended} isFirst />}
        <Card kind="now" entry={now} isFirst={recommended === undefined} />
        {best !== undefined && <Card kind="best" entry={best} isFirst={false} />}
      </ul>
      {hasHub && <p class="muted small">{t().fromHub}</p>}
    </>
  );
}

function Card({
  kind,
  entry,
  isFirst,
}: {
  kind: "now" | "recommended" | "best";
  entry: CatalogEntry;
  isFirst: boolean;
}): JSX.Element {
  const { name, bytes, about, languages, licence, licenceUrl, source } = entry;
  const speed = speedOf(entry, device.value);
  const isHere = isKeptWhole(source);
  const facts = [
    isHere ? t().isHere : formatBytes(bytes),
    ...(speed === undefined ? [] : [t().pace(Math.max(1, Math.round(speed)))]),
    languages === "many" ? t().manyLanguages : t().languages(languages.length),
  ];
  const begin = (): void => {
    const state = plan.peek();
    start(choiceOf(source, state.name === "known" && state.source === source ? state.fit : undefined));
  };
  return (
    <li class="offer" data-kind={kind} aria-labelledby={`offer-${kind}`}>
      <p class="offer-kind">{t().offerKinds[kind]}</p>
      <h2 id={`offer-${kind}`}>{name}</h2>
      <p class="muted small">{t().about[about]}</p>
      <p class="small">{facts.join(" · ")}</p>
      <button id={`start-${kind}`} type="button" class={isFirst ? "primary" : ""} onClick={begin}>
        {isHere ? t().start : t().fetchAndStart(formatBytes(bytes))}
        <span class="unseen">{name}</span>
      </button>
      <a class="small muted" href={licenceUrl} target="_blank" rel="noopener noreferrer">
        {t().licence(licence)}
      </a>
    </li>
  );
}
