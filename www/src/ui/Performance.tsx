/** The engine's speed: live, over the answers so far, and a benchmark whose result can be shared. */
import { useSignal, type Signal } from "@preact/signals";
import type { Backend, EngineStats, Fit, LocalEngine } from "hearth-llm";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { saveText } from "../lib/files.js";
import { formatBytes, formatCount, formatDuration } from "../lib/format.js";
import { answering, path } from "../state/chat.js";
import { answerings } from "../state/answers.js";
import { backend, localChoice } from "../state/model.js";
import {
  historyOf,
  measuredSpeed,
  runBenchmark,
  type BenchmarkCase,
  type BenchmarkReport,
} from "../state/performance.js";
import { keptBytes, look, predictSpeed } from "../state/plan.js";
import { language, t } from "../text/index.js";
import { Dialog } from "./Dialog.js";
import { closeDialog } from "./dialogs.js";
import { Bars, Sparkline } from "./drawings.js";
import { ErrorCard } from "./ErrorCard.js";
import { Resources, speedText } from "./Resources.js";
import { deviceName } from "./TopBar.js";

const POLL_MS = 1000;

export function PerformanceDialog(): JSX.Element {
  const running = backend.value;
  return (
    <Dialog id="performance" title={t().performance} onClose={closeDialog}>
      {running === undefined ? <p class="muted">{t().noModelRuns}</p> : <Running running={running} />}
    </Dialog>
  );
}

function Running({ running }: { running: Backend }): JSX.Element {
  const { local } = running;
  const stats = useStats(local);
  const total = running.model.n_ctx;
  const answers = historyOf(running);
  const last = answering.value?.stats.value ?? answers.at(-1);
  const open = path.value.findLast((message) => message.stats !== null)?.stats;
  const used = answering.value?.stats.value ?? open;
  const guessed = (last?.drafted ?? 0) + (last?.rejected ?? 0);
  const speeds = answers.map(({ tokensPerSecond }) => tokensPerSecond ?? 0).filter((speed) => speed > 0);
  return (
    <>
      <dl class="tiles">
        <Tile name={t().speed} value={last?.tokensPerSecond == null ? "–" : speedText(last.tokensPerSecond)} />
        <Tile name={t().timeToFirst} value={last?.firstToken == null ? "–" : formatDuration(last.firstToken)} />
        <Tile
          name={t().context}
          value={`${formatCount(used ? used.prompt + used.tokens : 0)} / ${total === undefined ? "–" : formatCount(total)}`}
        />
        <Tile name={t().reused} value={last === undefined ? "–" : `${String(last.cached)} / ${String(last.prompt)}`} />
        <Tile name={t().gpuMemory} value={local && stats.value ? memoryText(local, stats.value) : "–"} />
        <Tile
          name={t().drafts}
          value={guessed === 0 ? "–" : `${((100 * (last?.drafted ?? 0)) / guessed).toFixed(0)}%`}
        />
      </dl>
      <Sparkline values={speeds} label={t().speedSoFar} />
      {local !== undefined && (
        <>
          <Device local={local} />
          <Predicted running={running} local={local} stats={stats} />
          <Benchmark running={running} local={local} />
        </>
      )}
    </>
  );
}

function memoryText({ device }: LocalEngine, { gpu_bytes, heap_bytes }: EngineStats): string {
  return formatBytes(device.kind === "webgpu" ? gpu_bytes : heap_bytes);
}

function Tile({ name, value }: { name: string; value: string }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function useStats(local: LocalEngine | undefined): Signal<EngineStats | undefined> {
  const stats = useSignal<EngineStats | undefined>(undefined);
  useEffect(() => {
    if (local === undefined) return;
    let isClosed = false;
    const poll = (): void => {
      // If the engine has just ended, the page reports that elsewhere.
      local.stats().then(
        (found) => {
          if (!isClosed) stats.value = found;
        },
        () => undefined,
      );
    };
    poll();
    const timer = setInterval(poll, POLL_MS);
    return () => {
      isClosed = true;
      clearInterval(timer);
    };
  }, [local]);
  return stats;
}

function Device({ local }: { local: LocalEngine }): JSX.Element {
  const { device, version } = local;
  const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  const kind = device.kind === "cpu" ? t().cpuKind(device.threads) : device.software ? t().softwareGpu : "WebGPU";
  const rows: [string, string][] = [
    [t().device, deviceName(local)],
    [t().kind, kind],
    [t().backend, device.backend],
    [t().features, device.features.join(", ") || "–"],
    [t().largestBuffer, formatBytes(maxBufferSize)],
    [t().largestBinding, formatBytes(maxStorageBufferBindingSize)],
    ["Hearth", version],
  ];
  return (
    <details class="facts">
      <summary>{t().device}</summary>
      <dl>
        {rows.map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ))}
      </dl>
    </details>
  );
}

/** The panel from before the download, completed with measurements. */
function Predicted({
  running,
  local,
  stats,
}: {
  running: Backend;
  local: LocalEngine;
  stats: Signal<EngineStats | undefined>;
}): JSX.Element | null {
  const { source, options = {} } = localChoice.value ?? {};
  const fit = useSignal<Fit | undefined>(undefined);
  useEffect(() => {
    if (source === undefined) return;
    const { contextSize, kvType } = options;
    const asItRuns = {
      ...(contextSize === undefined ? {} : { contextSize }),
      ...(kvType === undefined ? {} : { kvType }),
    };
    void look(source, asItRuns).then((found) => {
      fit.value = found;
    });
  }, [source]);
  if (fit.value === undefined || source === undefined) return null;
  const measured = {
    weights: local.model.weight_bytes,
    kv: local.model.kv_bytes,
    gpu: local.device.kind === "webgpu" ? (stats.value?.gpu_bytes ?? null) : null,
    tokensPerSecond: measuredSpeed(running) ?? null,
  };
  return (
    <details class="facts" open>
      <summary>{t().predictedAndMeasured}</summary>
      <Resources fit={fit.value} kept={keptBytes(source)} measured={measured} />
    </details>
  );
}

function Benchmark({ running, local }: { running: Backend; local: LocalEngine }): JSX.Element {
  const cases = useSignal<BenchmarkCase[]>([]);
  const report = useSignal<BenchmarkReport | undefined>(undefined);
  const failed = useSignal<unknown>(undefined);
  const isRunning = useSignal(false);
  const abort = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => abort.current?.abort(), []);

  const run = async (): Promise<void> => {
    const controller = new AbortController();
    abort.current = controller;
    cases.value = [];
    report.value = undefined;
    failed.value = undefined;
    isRunning.value = true;
    try {
      report.value = await runBenchmark(running, local, {
        signal: controller.signal,
        onCase: (found) => {
          cases.value = found;
        },
        predict: async (positions) => {
          const source = localChoice.value?.source;
          return source === undefined ? undefined : predictSpeed(source, local.model, positions);
        },
      });
    } catch (error) {
      if (!controller.signal.aborted) failed.value = error;
    }
    isRunning.value = false;
  };
  // Read here, so that the names follow the language.
  const names = t().benchmarkCases;
  const text = report.value === undefined ? "" : JSON.stringify(report.value, null, 1);
  return (
    <section class="benchmark" lang={language.value}>
      <div class="row">
        {isRunning.value ? (
          <button type="button" id="stop-benchmark" onClick={() => abort.current?.abort()}>
            {t().stop}
          </button>
        ) : (
          <button
            type="button"
            id="benchmark"
            class="primary"
            disabled={answerings.value.size > 0}
            onClick={() => void run()}
          >
            {t().benchmark}
          </button>
        )}
        {report.value !== undefined && (
          <>
            <button type="button" onClick={() => void navigator.clipboard.writeText(text)}>
              {t().copyJson}
            </button>
            <button
              id="save-benchmark"
              type="button"
              aria-describedby="benchmark-note"
              onClick={() => {
                saveText("hearth-benchmark.json", "application/json", text);
              }}
            >
              {t().saveJson}
            </button>
          </>
        )}
      </div>
      <p role="status" class="muted small">
        {isRunning.value ? t().benchmarkRuns(cases.value.length) : ""}
      </p>
      {cases.value.length > 0 && (
        <Bars
          unit="tok/s"
          rows={cases.value.map(({ name, tokens_per_second }) => ({ name: names[name], value: tokens_per_second }))}
        />
      )}
      {report.value !== undefined && <Outcome report={report.value} />}
      {report.value !== undefined && (
        <details class="facts">
          <summary>JSON</summary>
          <pre id="benchmark-json" tabIndex={0}>
            {text}
          </pre>
        </details>
      )}
      {failed.value !== undefined && <ErrorCard error={failed.value} actions={[]} />}
    </section>
  );
}

/** Sets the decode speed next to its prediction, and says what the file is for. */
function Outcome({ report: { decode } }: { report: BenchmarkReport }): JSX.Element {
  const { measured, predicted = null } = decode?.tokens_per_second ?? {};
  return (
    <>
      {measured !== undefined && predicted !== null && (
        <p id="benchmark-decode">{t().decodeAgainst(speedText(measured), t().roughly(speedText(predicted)))}</p>
      )}
      <p id="benchmark-note" class="muted small">
        {t().benchmarkNote}
      </p>
    </>
  );
}
