/** Decides where a router's requests go, and loads the model on this device if it is to answer. */
import type { Backend } from "../backend/backend.js";
import { throwIfAborted, toHearthError } from "../core/errors.js";
import type { EngineOptions } from "../engine.js";
import type { Fit } from "../fit/fit.js";
import { RouterBackend, type Place } from "./routes.js";
import type { RouterOptions } from "./router.js";

export async function route(options: RouterOptions): Promise<{ backend: RouterBackend; fit: Fit | undefined }> {
  const { local, remote, prefer = "local", smaller = false, fallback = false, signal } = options;
  throwIfAborted(signal);
  const common = { remote: remote.backend, fallback, choose: options.choose, onRoute: options.onRoute };
  if ("backend" in local) {
    const place = prefer === "remote" ? "remote" : "local";
    const reason = prefer === "fit" ? "it is loaded" : `prefer is ${prefer}`;
    return { backend: new RouterBackend({ ...common, place, reason, local: local.backend }), fit: undefined };
  }
  if (prefer === "remote") {
    return { backend: new RouterBackend({ ...common, place: "remote", reason: "prefer is remote" }), fit: undefined };
  }
  const abort = new AbortController();
  const ends = signal === undefined ? [abort.signal] : [abort.signal, signal];
  const own: EngineOptions = { ...local, signal: AbortSignal.any(local.signal ? [...ends, local.signal] : ends) };
  // Loaded where it is needed: an application that only asks a server does without the engine.
  const create = async (changes: Fit["changes"]): Promise<Backend> => {
    const { Engine } = await import("../engine.js");
    return (await Engine.create({ ...own, ...changes })).backend;
  };
  const end = (): void => {
    abort.abort();
  };
  if (prefer === "local") {
    const loading = create({});
    const backend = new RouterBackend({ ...common, place: "local", reason: "prefer is local", loading, end });
    await backend.ready;
    if (backend.failed !== undefined && !fallback) throw backend.failed;
    return { backend, fit: undefined };
  }
  const { fit, place, reason } = await decide(own, smaller, fallback);
  if (place === "remote") return { backend: new RouterBackend({ ...common, place, reason, end }), fit };
  const loading = create(fit?.changes ?? {});
  return { backend: new RouterBackend({ ...common, place, reason, loading, end, isEager: true }), fit };
}

/** Asks `canRun` where the model should run. */
async function decide(
  options: EngineOptions,
  smaller: boolean,
  fallback: boolean,
): Promise<{ fit: Fit | undefined; place: Place; reason: string }> {
  const { canRun } = await import("../fit/fit.js");
  const { model, mmproj, totalBytes, download, signal, wasmUrl, workerUrl, contextSize, kvType } = options;
  const wanted = { model, mmproj, totalBytes, download, signal, wasmUrl, workerUrl, contextSize, kvType };
  const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
  let fit: Fit;
  try {
    fit = await canRun(given as { model: EngineOptions["model"] });
  } catch (error) {
    const reason = toHearthError(error);
    if (!fallback || reason.code === "cancelled") throw reason;
    return { fit: undefined, place: "remote", reason: `the local model could not be read: ${reason.message}` };
  }
  const { verdict, reasons } = fit;
  const why = reasons.join("; ");
  if (verdict === "fits") return { fit, place: "local", reason: "it fits this device" };
  if (verdict === "smaller" && smaller)
    return { fit, place: "local", reason: `it fits this device made smaller: ${why}` };
  // Nothing leaves the device for want of evidence.
  if (verdict === "unknown") return { fit, place: "local", reason: `nothing says that it does not fit: ${why}` };
  return { fit, place: "remote", reason: `the local model does not fit this device: ${why}` };
}
