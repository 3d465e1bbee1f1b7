/** Components that are fetched when they are first shown. */
import { useSignal } from "@preact/signals";
import type { ComponentType, FunctionComponent, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { t } from "../text/index.js";
import { ErrorCard } from "./ErrorCard.js";

/** Returns a component that shows nothing until it has loaded, and an error with another try if it does not. */
export function lazily<P extends object>(load: () => Promise<ComponentType<P>>): FunctionComponent<P> {
  let Loaded: ComponentType<P> | undefined;
  return function Lazy(props: P): JSX.Element | null {
    const isLoaded = useSignal(Loaded !== undefined);
    const error = useSignal<unknown>(undefined);
    const tries = useSignal(0);
    useEffect(() => {
      if (Loaded !== undefined) return;
      error.value = undefined;
      load().then(
        (found) => {
          Loaded = found;
          isLoaded.value = true;
        },
        (reason: unknown) => {
          error.value = reason;
        },
      );
    }, [tries.value]);
    if (isLoaded.value && Loaded !== undefined) return <Loaded {...props} />;
    if (error.value === undefined) return null;
    const again = (): void => {
      tries.value++;
    };
    return <ErrorCard error={error.value} actions={[{ label: t().tryAgain, run: again }]} />;
  };
}
