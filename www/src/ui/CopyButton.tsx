/** The button that copies a message, and says whether it did. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { showToast } from "../state/toast.js";
import { t } from "../text/index.js";
import { IconButton } from "./icons.js";

/** Milliseconds for which the button says that the text was copied. */
const SAID_MS = 2000;

export function CopyButton({ text }: { text: string }): JSX.Element {
  const isCopied = useSignal(false);
  useEffect(() => {
    if (!isCopied.value) return;
    const timer = setTimeout(() => {
      isCopied.value = false;
    }, SAID_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [isCopied.value]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      isCopied.value = true;
    } catch {
      // Absent without https, or refused.
      showToast({ text: t().notCopied });
    }
  };
  return (
    <>
      <IconButton
        name={isCopied.value ? "check" : "copy"}
        label={isCopied.value ? t().copied : t().copy}
        onClick={() => void copy()}
      />
      <span class="unseen" role="status">
        {isCopied.value ? t().copied : ""}
      </span>
    </>
  );
}
