/** Small charts. */
import type { ModelReport } from "hearth-llm";
import type { JSX } from "preact";
import { formatBytes } from "../lib/format.js";

interface BarPart {
  name: string;
  size: number;
  kind: string;
}

/** Sizes next to each other within a whole, with a legend that gives the same in words. */
export function Bar({
  label,
  total,
  parts,
  rest,
}: {
  label: string;
  total: number;
  parts: BarPart[];
  rest: { name: string; size: number } | undefined;
}): JSX.Element {
  // A nonzero size must be visible, however small.
  const width = (size: number): string => `${String(size === 0 ? 0 : Math.max(1, (100 * size) / total))}%`;
  return (
    <div class="bar" role="group" aria-label={label}>
      <div class="bar-track" aria-hidden="true">
        {parts.map(({ kind, size }) => (
          <span key={kind} data-kind={kind} style={{ width: width(size) }} />
        ))}
      </div>
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
