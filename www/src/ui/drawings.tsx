/** Small charts. */
import type { ModelReport } from "hearth-llm";
import type { JSX } from "preact";
import { formatBytes } from "../lib/format.js";

interface BarPart {
  name: string;
  size: number;
  kind: string;
}

interface Rest {
  name: string;
  size: number;
}

/** Sizes within a whole, and what is left of it. */
interface Sizes<R extends Rest | undefined> {
  label: string;
  total: number;
  parts: BarPart[];
  rest: R;
}

/** Sizes next to each other within a whole, with a legend that gives the same in words. */
export function Bar({ label, total, parts, rest }: Sizes<Rest | undefined>): JSX.Element {
  // A nonzero size must be visible, however small.
  const width = (size: number): string => `${String(size === 0 ? 0 : Math.max(1, (100 * size) / total))}%`;
  return (
    <div class="bar" role="group" aria-label={label}>
      <div class="bar-track" aria-hidden="true">
        {parts.map(({ kind, size }) => (
          <span key={kind} data-kind={kind} style={{ width: width(size) }} />
        ))}
      </div>
      <Legend parts={parts} rest={rest} />
    </div>
  );
}

function Legend({ parts, rest }: { parts: BarPart[]; rest: Rest | undefined }): JSX.Element {
  return (
    <ul class="legend">
      {parts.map(({ kind, name, size }) => (
        <li key={kind} data-kind={kind}>
          {name} <b>{formatBytes(size)}</b>
        </li>
      ))}
      {rest !== undefined && (
        <li data-kind="rest">
          {rest.name} <b>{formatBytes(rest.size)}</b>
        </li>
      )}
    </ul>
  );
}

/** Cells of a waffle, and the most that are drawn of what goes beyond it. */
const CELLS = 100;
const MOST_BEYOND = 60;

/**
 * Sizes as cells, each a hundredth of the whole, so that two hundredths can be told from one; what the whole has no room for
 * lies beyond its frame.
 */
export function Waffle({ label, total, parts, rest }: Sizes<Rest>): JSX.Element {
  const kinds = parts.flatMap(({ kind, size }) => {
    // A nonzero size has a cell, however small.
    const cells = size === 0 ? 0 : Math.max(1, Math.round((CELLS * size) / total));
    return Array<string>(Math.min(cells, CELLS + MOST_BEYOND)).fill(kind);
  });
  const within = Array.from({ length: CELLS }, (_, cell) => kinds[cell] ?? "rest");
  const beyond = kinds.slice(CELLS, CELLS + MOST_BEYOND);
  return (
    <div class="bar" role="group" aria-label={label}>
      <div class="waffle" aria-hidden="true">
        {within.map((kind, cell) => (
          <span key={cell} data-kind={kind} />
        ))}
      </div>
      {beyond.length > 0 && (
        <div class="waffle waffle-beyond" aria-hidden="true">
          {beyond.map((kind, cell) => (
            <span key={cell} data-kind={kind} />
          ))}
        </div>
      )}
      <Legend parts={parts} rest={rest} />
    </div>
  );
}

/** Ends of the scale of speed, in words a second. */
const SLOWEST = 1;
const FASTEST = 150;

function placeOf(words: number): string {
  const share = Math.log(words / SLOWEST) / Math.log(FASTEST / SLOWEST);
  return `${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`;
}

/** Speeds on a scale on which each step is as many times the one before, next to those at which people read. */
export function SpeedScale({
  label,
  marks,
  needles,
}: {
  label: string;
  /** Names of speeds that people know, in words a second. */
  marks: { name: string; words: number }[];
  needles: { kind: string; words: number }[];
}): JSX.Element {
  return (
    <div class="scale" role="img" aria-label={label}>
      <div class="scale-track">
        {needles.map(({ kind, words }) => (
          <i key={kind} class="needle" data-needle={kind} style={{ insetInlineStart: placeOf(words) }} />
        ))}
      </div>
      {marks.map(({ name, words }, i) => {
        // The slowest two are close to each other: the first one's name stands before its mark.
        const place =
          i > 0 ? { insetInlineStart: placeOf(words) } : { insetInlineEnd: `calc(100% - ${placeOf(words)})` };
        return (
          <span key={name} style={place}>
            {name}
          </span>
        );
      })}
    </div>
  );
}

type Shape = NonNullable<ModelReport["budget"]>["config"];

const TOWER = { width: 96, height: 150, gap: 1 };

/**
 * The model as a tower: embedding at the bottom, a storey for each layer with its shares of attention and feed-forward,
 * the head on top.
 */
export function Tower({ config, label }: { config: Shape; label: string }): JSX.Element {
  const { n_layers, d_model, n_heads, n_kv_heads, head_dim, d_ff, n_experts, vocab_size } = config;
  const attention = d_model * head_dim * (2 * n_heads + 2 * n_kv_heads);
  const forward = 3 * d_model * d_ff * Math.max(1, n_experts);
  const embedding = vocab_size * d_model;
  // The height of the tables reflects their size relative to the layers, within bounds.
  const { width, height, gap } = TOWER;
  const share = embedding / (2 * embedding + n_layers * (attention + forward));
  const table = Math.min(30, Math.max(4, share * height));
  const storey = (height - 2 * (table + gap)) / n_layers;
  const split = (width * attention) / (attention + forward);
  const y = (layer: number): number => table + gap + layer * storey;
  return (
    <svg class="tower" viewBox={`0 0 ${String(width)} ${String(height)}`} role="img" aria-label={label}>
      <rect class="table" width={width} height={table} rx="2" />
      {Array.from({ length: n_layers }, (_, layer) => (
        <g key={layer}>
          <rect class="attention" y={y(layer)} width={split} height={Math.max(0.5, storey - gap)} />
          <rect
            class="forward"
            x={split + 1}
            y={y(layer)}
            width={width - split - 1}
            height={Math.max(0.5, storey - gap)}
          />
        </g>
      ))}
      <rect class="table" y={height - table} width={width} height={table} rx="2" />
    </svg>
  );
}

/** Numbers of the same unit, one below another; the largest has the longest bar. */
export function Bars({ rows, unit }: { rows: { name: string; value: number }[]; unit: string }): JSX.Element {
  const most = Math.max(...rows.map(({ value }) => value), 1e-9);
  return (
    <ul class="bars">
      {rows.map(({ name, value }) => (
        <li key={name}>
          <span>{name}</span>
          <span class="bar-track" aria-hidden="true">
            <span data-kind="weights" style={{ width: `${String((100 * value) / most)}%` }} />
          </span>
          <b>{`${value.toFixed(value < 100 ? 1 : 0)} ${unit}`}</b>
        </li>
      ))}
    </ul>
  );
}

/** The course of a number over time, the newest at the right. */
export function Sparkline({ values, label }: { values: readonly number[]; label: string }): JSX.Element | null {
  if (values.length < 2) return null;
  const most = Math.max(...values, 1e-9);
  const points = values.map((value, i) => {
    const x = (200 * i) / (values.length - 1);
    return `${x.toFixed(1)},${(38 - (34 * value) / most).toFixed(1)}`;
  });
  return (
    <svg class="sparkline" viewBox="0 0 200 40" preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={points.join(" ")} />
    </svg>
  );
}
