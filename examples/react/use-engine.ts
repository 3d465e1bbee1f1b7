/**
 * An engine for as long as a component is mounted; under StrictMode, which mounts twice, the first engine is disposed.
 */
import { Engine, type DeviceChoice, type LoadProgress } from "hearth-llm";
import { useEffect, useState } from "react";

export interface Loading {
  engine?: Engine;
  progress?: LoadProgress;
  error?: Error;
}

export function useEngine(model: string, device: DeviceChoice): Loading {
  const [state, setState] = useState<Loading>({});
  useEffect(() => {
    const controller = new AbortController();
    let made: Engine | undefined;
    Engine.create({
      model,
      device,
      signal: controller.signal,
      onProgress: (progress) => {
        if (!controller.signal.aborted) setState({ progress });
      },
    }).then(
      (engine) => {
        made = engine;
        if (controller.signal.aborted) engine.dispose();
        else setState({ engine });
      },
      (error: unknown) => {
        if (!controller.signal.aborted) setState({ error: error instanceof Error ? error : new Error(String(error)) });
      },
    );
    return () => {
      controller.abort();
      made?.dispose();
    };
  }, [model, device]);
  return state;
}
