/** A dialog over the page: the browser's own, which traps the keyboard focus and closes with Escape. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../text/index.js";
import { IconButton } from "./icons.js";
import { Toasts } from "./Toasts.js";

export function Dialog({
  id,
  title,
  isInner = false,
  onClose,
  children,
}: {
  id: string;
  title: string;
  /** Whether the dialog is opened within another one. */
  isInner?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      id={id}
      ref={ref}
      class="dialog"
      aria-labelledby={titleId}
      onClose={onClose}
      onClick={(event) => {
        // Only a click outside the content hits the dialog element itself.
        if (event.target === ref.current) onClose();
      }}
    >
      <div class="dialog-body">
        <header>
          <h2 id={titleId}>{title}</h2>
          <IconButton name="close" label={t().close} onClick={onClose} />
        </header>
        {children}
      </div>
      {/* Inside the dialog, since everything outside a modal dialog is out of reach. */}
      {!isInner && <Toasts />}
    </dialog>
  );
}
