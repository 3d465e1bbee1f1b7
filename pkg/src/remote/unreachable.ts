/** Names why a server cannot be reached. Loaded where one is not: most pages reach theirs. */
import { HearthError } from "../core/errors.js";
import { isLoopback, isNear, pageLocation, pageOrigin } from "./addresses.js";
import type { ServerKind } from "./servers.js";

const VLLM = "start it with --allowed-origins '[\"{origin}\"]'";

/** Advice on how each server is made to allow a page of another origin; `{origin}` stands for the page's. */
const CORS: Record<ServerKind, string> = {
  "llama.cpp":
    "llama.cpp's server allows every page unless it was started with other origins, so it may not be running",
  vllm: VLLM,
  ray: "Ray Serve allows every page, so it may not be running",
  transformers: "start it with --enable-cors",
  ollama: 'set OLLAMA_ORIGINS="{origin}" and start it again',
  lmstudio: "turn on CORS in LM Studio's server settings",
  openai: "it must send Access-Control-Allow-Origin for {origin}, which OpenAI's own service does not",
};

/** Usual ports, to guess which server does not answer. */
const PORTS: Record<string, ServerKind> = {
  "11434": "ollama",
  "1234": "lmstudio",
  "8080": "llama.cpp",
  "8000": "vllm",
};

/**
 * Returns the error of a fetch that failed without an answer. Browsers do not tell a page whether nothing listens, or
 * the server does not allow the page (CORS), so the hint names both, after what can be known.
 */
export async function unreachable(url: URL, cause: unknown, blocked: boolean, kind?: ServerKind): Promise<HearthError> {
  const { host, protocol } = url;
  const fail = (why: string, hint: string): HearthError =>
    new HearthError("remote_unreachable", `${host} cannot be reached: ${why}`, { hint, cause });
  if (blocked) {
    return fail(
      "this page's Content-Security-Policy does not allow it",
      `Add ${url.origin} to the policy's connect-src, or use an address that it allows.`,
    );
  }
  if (pageLocation()?.protocol === "https:" && protocol === "http:" && !isLoopback(url)) {
    return fail(
      "a page on https may not ask a server on http (mixed content)",
      "Serve the model by https, or open this page from this machine.",
    );
  }
  if (isNear(url) && (await isDenied())) {
    return fail(
      "the browser does not let this page reach the local network",
      "Allow the local network in the browser's settings for this page.",
    );
  }
  return fail(
    "it is not running at this address, or does not allow this page (CORS)",
    `Check that it runs. If it does: ${CORS[kind ?? PORTS[url.port] ?? "openai"].replace("{origin}", pageOrigin())}.`,
  );
}

/** Whether the visitor has refused this page the local network, which Chromium asks for. */
async function isDenied(): Promise<boolean> {
  const { permissions } = ((globalThis as { navigator?: object }).navigator ?? {}) as { permissions?: Permissions };
  for (const name of ["loopback-network", "local-network", "local-network-access"]) {
    try {
      const found = await permissions?.query({ name: name as PermissionName });
      if (found?.state === "denied") return true;
    } catch {
      // This browser has no such permission.
    }
  }
  return false;
}
