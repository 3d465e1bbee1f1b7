/**
 * A model's needs, drawn against this device's resources: data, compute, algorithm. Measured numbers appear next to
 * predicted ones.
 */
import type { Fit } from "hearth-llm";
import type { ComponentChildren, JSX } from "preact";
import { formatBytes, formatCount } from "../lib/format.js";
import { t } from "../text/index.js";
import { Bar, SpeedScale, Tower, Waffle } from "./drawings.js";

/** Values measured by running the model; null if unknown. */
export interface Measured {
  weights: number;
  kv: number;
  /** Memory that the runtime holds on the GPU in total. */
  gpu: number | null;
  tokensPerSecond: number | null;
}

export function Resources({ fit, kept, measured }: { fit: Fit; kept: number; measured?: Measured }): JSX.Element {
  return (
    <div class="resources">
      <Data fit={fit} kept={kept} />
      <Compute fit={fit} {...(measured === undefined ? {} : { measured })} />
      <Algorithm fit={fit} />
    </div>
  );
}

function Part({ name, title, children }: { name: string; title: string; children: ComponentChildren }): JSX.Element {
  return (
    <section class="resource" data-part={name}>
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Data({ fit: { needs, has, uncached }, kept }: { fit: Fit; kept: number }): JSX.Element {
  const fetch = Math.max(0, needs.download - kept);
  const room = has.storage === null ? null : kept + has.storage;
  return (
    <Part name="data" title={t().data}>
      <Bar
        label={t().data}
        total={Math.max(room ?? 0, needs.download)}
        parts={[
          { name: t().onDisk, size: kept, kind: "kept" },
          { name: t().toFetch, size: fetch, kind: "fetch" },
        ]}
        rest={room === null ? undefined : { name: t().room, size: Math.max(0, room - needs.download) }}
      />
      {uncached && <p class="warning">{t().uncached}</p>}
    </Part>
  );
}

function Compute({ fit, measured }: { fit: Fit; measured?: Measured }): JSX.Element {
  const { needs, has, tokens_per_second: predicted, report } = fit;
  const token = report.budget?.token;
  const parts = [
    { name: t().weights, size: needs.weights, kind: "weights" },
    { name: t().kvCache, size: needs.kv + needs.state, kind: "kv" },
    { name: t().scratch, size: needs.scratch, kind: "scratch" },
  ];
  return (
    <Part name="compute" title={t().compute}>
      {has.memory === null ? (
        <Bar label={t().memory} total={needs.total} parts={parts} rest={undefined} />
      ) : (
        <>
          <p class="small">{roomText(needs.total, has.memory)}</p>
          <Waffle
            label={t().memory}
            total={has.memory}
            parts={parts}
            rest={{ name: t().free, size: Math.max(0, has.memory - needs.total) }}
          />
        </>
      )}
      <Pace predicted={predicted} measured={measured?.tokensPerSecond ?? null} />
      <table class="numbers">
        <thead>
          <tr>
            <td />
            <th scope="col">{t().predicted}</th>
            {measured !== undefined && <th scope="col">{t().measured}</th>}
          </tr>
        </thead>
        <tbody>
          <Row name={t().weights} values={[formatBytes(needs.weights), measured && formatBytes(measured.weights)]} />
          <Row
            name={t().kvCache}
            values={[formatBytes(needs.kv + needs.state), measured && formatBytes(measured.kv)]}
          />
          <Row
            name={t().memory}
            values={[formatBytes(needs.total), measured && (measured.gpu === null ? "–" : formatBytes(measured.gpu))]}
          />
          <Row
            name={t().speed}
            values={[
              predicted === null ? "–" : t().roughly(speedText(predicted)),
              measured && (measured.tokensPerSecond === null ? "–" : speedText(measured.tokensPerSecond)),
            ]}
          />
        </tbody>
      </table>
      {token !== undefined && <p class="muted small">{t().perToken(formatBytes(token.bytes), flops(token.flops))}</p>}
    </Part>
  );
}

/** Says how often what is needed fits into the memory, or what is missing. */
function roomText(needed: number, memory: number): string {
  if (needed > memory) return t().needsMore(formatBytes(needed - memory));
  const times = Math.floor(memory / needed);
  return times < 2 ? t().fitsOnce : t().fitsTimes(times);
}

/** Words of a text for each of its tokens, roughly. */
const WORDS = 0.75;
/** Words a second at which people read aloud, read, and skim. */
const READING = { aloud: 3, silent: 5, skimming: 12 };

/** Draws the speed next to those at which people read. */
function Pace({ predicted, measured }: { predicted: number | null; measured: number | null }): JSX.Element | null {
  const needles = Object.entries({ predicted, measured }).flatMap(([kind, tokens]) =>
    tokens === null ? [] : [{ kind, words: tokens * WORDS }],
  );
  const last = measured ?? predicted;
  if (last === null) return null;
  const { aloud, silent, skimming } = t().readers;
  const marks = [
    { name: aloud, words: READING.aloud },
    { name: silent, words: READING.silent },
    { name: skimming, words: READING.skimming },
  ];
  return <SpeedScale label={t().paceOf(last, READING.silent)} marks={marks} needles={needles} />;
}

function Row({ name, values }: { name: string; values: (string | undefined)[] }): JSX.Element {
  const shown = values.filter((value) => value !== undefined);
  return (
    <tr>
      <th scope="row">{name}</th>
      {shown.map((value, index) => (
        <td key={index}>{value}</td>
      ))}
    </tr>
  );
}

function Algorithm({ fit: { report } }: { fit: Fit }): JSX.Element {
  const { architecture, parameters, quants, n_ctx_train, budget } = report;
  const config = budget?.config;
  const bytes = Object.entries(quants).sort(([, a], [, b]) => b.bytes - a.bytes);
  const sum = bytes.reduce((total, [, quant]) => total + quant.bytes, 0);
  return (
    <Part name="algorithm" title={t().algorithm}>
      <div class="algorithm">
        {config !== undefined && <Tower config={config} label={t().tower(config.n_layers)} />}
        <dl>
          <dt>{t().architecture}</dt>
          <dd>{architecture}</dd>
          <dt>{t().parameters}</dt>
          <dd>{t().parameterCount(parameters)}</dd>
          {config !== undefined && (
            <>
              <dt>{t().layers}</dt>
              <dd>{t().layersOf(config.n_layers, config.d_model)}</dd>
              <dt>{t().heads}</dt>
              <dd>{t().headsOf(config.n_heads, config.n_kv_heads)}</dd>
            </>
          )}
          {config !== undefined && config.n_experts > 0 && (
            <>
              <dt>{t().experts}</dt>
              <dd>{t().expertsOf(config.n_experts_used, config.n_experts)}</dd>
            </>
          )}
          <dt>{t().context}</dt>
          <dd>{t().contextOf(formatCount(budget?.n_ctx ?? 0), formatCount(n_ctx_train ?? 0))}</dd>
          <dt>{t().quantisation}</dt>
          <dd>{bytes.map(([name, quant]) => `${name} ${((100 * quant.bytes) / sum).toFixed(0)}%`).join(", ")}</dd>
        </dl>
      </div>
    </Part>
  );
}

export function speedText(tokensPerSecond: number): string {
  return `${tokensPerSecond.toFixed(tokensPerSecond < 100 ? 1 : 0)} tok/s`;
}

function flops(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(1)} GFLOP` : `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} MFLOP`;
}
