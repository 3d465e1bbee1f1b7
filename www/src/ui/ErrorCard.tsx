/** An error for the reader: what happened, what to do about it, and the code to search for. */
import { HearthError } from "hearth-llm";
import type { JSX } from "preact";
import { language, t } from "../text/index.js";
import { zhErrors } from "../text/zh-errors.js";

export interface ErrorAction {
  label: string;
  run: () => void;
}

export function ErrorCard({ error, actions }: { error: unknown; actions: ErrorAction[] }): JSX.Element {
  const { message, hint, code } = describe(error);
  return (
    <div class="error" role="alert" data-code={code}>
      <p class="error-message">{message}</p>
      {hint !== "" && <p class="error-hint">{hint}</p>}
      <div class="error-actions">
        {actions.map(({ label, run }, index) => (
          <button key={label} type="button" class={index === 0 ? "primary" : ""} onClick={run}>
            {label}
          </button>
        ))}
        <code class="error-code">{code}</code>
      </div>
    </div>
  );
}

function describe(error: unknown): { message: string; hint: string; code: string } {
  if (!(error instanceof HearthError)) return { message: String(error), hint: t().pageErrorHint, code: "page_error" };
  const { message, hint, code } = error;
  const own = message.charAt(0).toUpperCase() + message.slice(1);
  const translated = language.value === "zh-CN" ? zhErrors[code] : undefined;
  // The numbers and names are in the English text, so it is shown alongside the translation.
  if (translated === undefined) return { message: own, hint, code };
  // The hint of a server's error may hold the very command that helps.
  return { message: translated, hint: code === "remote_unreachable" ? `${own}. ${hint}` : own, code };
}
