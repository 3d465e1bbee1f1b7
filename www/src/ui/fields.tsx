/** Form fields of the settings. */
import type { JSX } from "preact";

export function Select<V extends string>({
  id,
  label,
  value,
  options,
  areLanguages = false,
  onChange,
}: {
  id: string;
  label: string;
  value: V;
  options: Record<V, string>;
  /** Whether each option is written in the language that it names. */
  areLanguages?: boolean;
  onChange: (value: V) => void;
}): JSX.Element {
  const names = Object.entries(options) as [V, string][];
  return (
    <div class="field inline">
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value}
        onChange={(event) => {
          onChange(event.currentTarget.value as V);
        }}
      >
        {names.map(([own, name]) => (
          <option key={own} value={own} lang={areLanguages && own !== "auto" ? own : undefined}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}
