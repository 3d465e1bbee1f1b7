/**
 * Models on servers of OpenAI's API. Nothing is sent to a server before the visitor has entered its address and asked
 * for it, and its key goes to that server's origin only. The code that talks to servers is loaded then, too.
 */
import { signal } from "@preact/signals";
import { HearthError } from "hearth-llm";
import { use } from "./model.js";
import { change, settings } from "./settings.js";

/** State of the server in the form. */
export type ServerState =
  | { name: "none" }
  | { name: "asking"; address: string }
  | { name: "listed"; address: string; models: readonly string[] }
  /** `isListless`: the server may answer all the same, if a model is named. */
  | { name: "failed"; address: string; error: unknown; isListless: boolean };

export const server = signal<ServerState>({ name: "none" });
/** Whether the form is open. */
export const isServerOpen = signal(false);

/** Keys of this visit by origin; they are forgotten with the page. */
const keys = new Map<string, string>();

let controller: AbortController | undefined;

/** Returns the origin of an address that is complete enough to have one. */
export function originOf(address: string): string | undefined {
  try {
    const { protocol, origin } = new URL(address.trim());
    return /^https?:$/.test(protocol) ? origin : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the key of an address's origin; "" if there is none. */
export function keyOf(address: string): string {
  const origin = originOf(address) ?? "";
  const kept = settings.value.serverKeys;
  return keys.get(origin) ?? (Object.hasOwn(kept, origin) ? kept[origin] : undefined) ?? "";
}

/** Whether the key of an address's origin is kept on this device. */
export function isKeyKept(address: string): boolean {
  return Object.hasOwn(settings.value.serverKeys, originOf(address) ?? "");
}

/** Sets the key of an address's origin: for this visit, or until it is removed. */
export function setKey(address: string, key: string, isKept: boolean): void {
  const origin = originOf(address);
  if (origin === undefined) return;
  keys.set(origin, key);
  const { [origin]: before, ...others } = settings.value.serverKeys;
  const isToKeep = isKept && key !== "";
  if (isToKeep || before !== undefined) change({ serverKeys: isToKeep ? { ...others, [origin]: key } : others });
}

/** Errors of the list of models after which the server may answer all the same. */
const LISTLESS: readonly string[] = ["remote_error", "remote_model", "unsupported_by_server"];

/** Asks a server for its models. */
export async function list(address: string): Promise<void> {
  await ask(address, async (options) => {
    const { Remote } = await import("hearth-llm/remote");
    const models = await Remote.list(options);
    return () => {
      server.value = { name: "listed", address, models };
    };
  });
}

/** Takes a server's model in place of the current one; returns whether that has worked. */
export async function connect(address: string, model: string): Promise<boolean> {
  return ask(address, async (options) => {
    const { Remote } = await import("hearth-llm/remote");
    const remote = await Remote.connect({ ...options, model });
    if (options.signal.aborted) remote.dispose();
    const choice = { server: address, model: remote.model.name };
    return () => {
      server.value = { name: "none" };
      use(choice, remote.backend);
      change({ server: choice, isOnServer: true });
    };
  });
}

/** Whether the browser has a model of its own that is ready; undefined until that is known. */
export const hasBuiltIn = signal<boolean | undefined>(undefined);

/** Asks the browser, and nobody else, for its own model. */
export async function lookForBuiltIn(): Promise<void> {
  const { LanguageModel } = globalThis as { LanguageModel?: { availability(): Promise<string> } };
  const state = await LanguageModel?.availability().catch(() => undefined);
  hasBuiltIn.value = state === "available";
}

/** Takes the browser's own model in place of the current one. */
export async function useBuiltIn(): Promise<void> {
  const { BuiltIn } = await import("hearth-llm/remote");
  const { backend } = await BuiltIn.connect();
  forget();
  use({ server: "", model: backend.model.name }, backend);
  change({ isOnServer: false });
}

/** Ends the request to the server. */
export function forget(): void {
  controller?.abort();
  controller = undefined;
  server.value = { name: "none" };
}

interface Options {
  baseURL: string;
  apiKey: string;
  signal: AbortSignal;
}

/** Asks a server, in place of what is being asked; returns whether it has answered and was still wanted. */
async function ask(address: string, question: (options: Options) => Promise<() => void>): Promise<boolean> {
  controller?.abort();
  const current = new AbortController();
  controller = current;
  server.value = { name: "asking", address };
  try {
    const done = await question({ baseURL: address, apiKey: keyOf(address), signal: current.signal });
    if (controller !== current) return false;
    done();
    return true;
  } catch (error) {
    if (controller !== current) return false;
    const isListless = error instanceof HearthError && LISTLESS.includes(error.code) && originOf(address) !== undefined;
    server.value = { name: "failed", address, error, isListless };
    return false;
  } finally {
    if (controller === current) controller = undefined;
  }
}
