/** The switch in the composer for a model's thoughts before its answers. */
import type { JSX } from "preact";
import { settings } from "../state/settings.js";
import { canSwitch, setThinks } from "../state/thinking.js";
import { t } from "../text/index.js";
import { Icon } from "./icons.js";

export function ThinkButton(): JSX.Element | null {
  if (!canSwitch.value) return null;
  const { thinks } = settings.value;
  return (
    <button
      id="think"
      type="button"
      class="asking"
      aria-pressed={thinks}
      title={t().thinkHint}
      onClick={() => {
        setThinks(!thinks);
      }}
    >
      <Icon name="bulb" />
      {t().think}
    </button>
  );
}
