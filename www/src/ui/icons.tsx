/** The page's icons, drawn in the text's colour. */
import type { JSX } from "preact";

const PATHS = {
  send: "M12 20V5M5.5 11.5 12 5l6.5 6.5",
  menu: "M4 7h16M4 12h16M4 17h16",
  plus: "M12 5v14M5 12h14",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14Zm5-2 4 4",
  edit: "M4 20h4L19 9l-4-4L4 16v4Z",
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 12.5 10 17.5 19.5 7",
  fork: "M6 4v6a6 6 0 0 0 6 6h6M14 12l4 4-4 4M6 10v10",
  again: "M20 12a8 8 0 1 1-2.5-5.8M20 3v4.5h-4.5",
  next: "m9 5 7 7-7 7",
  previous: "m15 5-7 7 7 7",
  down: "M12 5v14M6 13l6 6 6-6",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  settings: "M5 7h8M17 7h2M5 17h2M11 17h8M15 5v4M9 15v4",
  gauge: "M4 17a8 8 0 1 1 16 0M12 17l4-6",
  close: "M6 6l12 12M18 6 6 18",
  goOn: "M6 5v14l11-7L6 5Z",
  clip: "M20 11.5 12 19a5 5 0 0 1-7-7l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7L10 16.5a1.6 1.6 0 0 1-2.3-2.3L15 7",
  book: "M5 5a2 2 0 0 1 2-2h12v18H7a2 2 0 0 1-2-2V5Zm0 14a2 2 0 0 1 2-2h12M9 7h6",
  microphone: "M12 15a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3ZM6 11v1a6 6 0 0 0 12 0v-1M12 18v3",
  languages: "M4 6h9M8.5 4v2M11 6c-1 4-3.5 6.5-7 8M6 9c1 2.5 3.5 4.5 6 5.5M12.5 20l4-10 4 10M14 16.5h5",
  swap: "M5 8h14M15 4l4 4-4 4M19 16H5M9 12l-4 4 4 4",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
  camera: "M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM12 16.5a3.3 3.3 0 1 0 0-6.6 3.3 3.3 0 0 0 0 6.6Z",
  bulb: "M9 17h6M10 20h4M8.5 13.5a5.5 5.5 0 1 1 7 0c-.7.6-1 1.3-1 2.5h-5c0-1.2-.3-1.9-1-2.5Z",
  shield: "M12 3 5 6v5c0 5 3 8.5 7 10 4-1.5 7-5 7-10V6l-7-3Zm-3 9 2.2 2.2L15.5 10",
  heart: "M12 20S4 15 4 9.5A4.2 4.2 0 0 1 12 7a4.2 4.2 0 0 1 8 2.5C20 15 12 20 12 20Z",
  files: "M12 4v11M7 10l5 5 5-5M5 20h14",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** A button with an icon only; its label is read out by screen readers. */
export function IconButton({
  name,
  label,
  onClick,
  id,
  disabled = false,
  isExpanded,
}: {
  name: IconName;
  label: string;
  onClick: () => void;
  id?: string;
  disabled?: boolean;
  /** Whether what it opens is open. */
  isExpanded?: boolean;
}): JSX.Element {
  return (
    <button
      id={id}
      type="button"
      class="icon-button"
      aria-label={label}
      aria-expanded={isExpanded}
      title={label}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={name} />
    </button>
  );
}
