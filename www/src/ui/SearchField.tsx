/** A search field. */
import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import { Icon } from "./icons.js";

export function SearchField({
  id,
  label,
  words,
  keys,
}: {
  id: string;
  label: string;
  words: Signal<string>;
  /** Keys that lead here. */
  keys?: string;
}): JSX.Element {
  return (
    <label class="search">
      <Icon name="search" />
      <input
        id={id}
        type="search"
        placeholder={label}
        aria-label={label}
        {...(keys === undefined ? {} : { "aria-keyshortcuts": keys })}
        value={words.value}
        onInput={(event) => {
          words.value = event.currentTarget.value;
        }}
      />
    </label>
  );
}
