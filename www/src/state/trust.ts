/** A record of what has left this device, as far as it can be seen from here; a mode that lets nothing leave; and a clean slate. */
import { computed, signal } from "@preact/signals";
import type { Passed } from "../lib/gate.js";
import { placeOf } from "./place.js";
import type { Backend } from "hearth-llm";

/** Requests to one host. */
export interface Traffic {
  host: string;
  requests: number;
  /** Bytes of their bodies. */
  up: number;
  refused: number;
}

/** Requests since the page was opened, by host. */
export const traffic = signal<ReadonlyMap<string, Traffic>>(new Map());
/** Messages sent to servers since the page was opened, by host; a model on this device sends none. */
export const sent = signal<ReadonlyMap<string, number>>(new Map());
export const messagesSent = computed(() => [...sent.value.values()].reduce((sum, count) => sum + count, 0));
export const isOffline = signal(false);
/** Whether a service worker sees every request of the page and of its workers. */
export const isWatched = signal(false);
/** Whether there is a service worker that will see them at the next visit. */
export const canWatch = signal(false);
/** Whether requests are refused. */
export const isStrict = signal(false);

/** Methods of a backend that send texts. */
const SENDING: ReadonlySet<PropertyKey> = new Set<keyof Backend>([
  "chat",
  "streamChat",
  "complete",
  "streamCompletion",
  "embed",
  "rerank",
]);

/** Returns the backend with a count of what is sent through it, whichever part of the page sends it. */
export function counted(backend: Backend): Backend {
  return new Proxy(backend, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        if (SENDING.has(name)) noteMessage(target);
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}

/** Notes that a message goes to the model that answers next. */
function noteMessage(backend: Backend): void {
  const { where, server = "" } = placeOf(backend);
  if (where !== "server") return;
  sent.value = new Map(sent.peek()).set(server, (sent.peek().get(server) ?? 0) + 1);
}

function note({ host, up, isRefused }: Pick<Passed, "host" | "up" | "isRefused">): void {
  const before = traffic.peek().get(host) ?? { host, requests: 0, up: 0, refused: 0 };
  const next = {
    host,
    requests: before.requests + 1,
    up: before.up + up,
    refused: before.refused + (isRefused ? 1 : 0),
  };
  traffic.value = new Map(traffic.peek()).set(host, next);
}

/** Watches the network from now on. */
export function watchNetwork(): void {
  const see = (): void => {
    isOffline.value = !navigator.onLine;
  };
  see();
  addEventListener("online", see);
  addEventListener("offline", see);
  const workers = (navigator as Partial<Navigator>).serviceWorker;
  if (workers === undefined) return;
  // Without one, this never resolves.
  void workers.ready.then(() => {
    canWatch.value = true;
  });
  const begin = (): void => {
    isWatched.value = workers.controller !== null;
    if (isWatched.value) void setStrict(undefined);
  };
  workers.addEventListener("controllerchange", begin);
  workers.addEventListener("message", ({ data }: MessageEvent<Partial<Passed>>) => {
    const { type, host = "", up = 0, isRefused = false } = data;
    if (type === "REQUEST") note({ host, up, isRefused });
  });
  begin();
}

/** Turns the strict mode on or off, or asks for it; it is off where no service worker enforces it. */
export async function setStrict(wanted: boolean | undefined): Promise<void> {
  const { controller } = navigator.serviceWorker;
  if (controller === null) return;
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise<boolean>((resolve) => {
    port1.onmessage = ({ data }: MessageEvent<boolean>) => {
      resolve(data);
    };
  });
  controller.postMessage({ type: "STRICT", isStrict: wanted }, [port2]);
  isStrict.value = await answer;
}
