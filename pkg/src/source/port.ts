/**
 * Carries a ReadableStream to the worker through a MessagePort, one chunk per request.
 *
 * Only some browsers can transfer streams. Requesting each chunk gives the same back pressure everywhere.
 */
import { cancelled, deserializeError, serializeError, throwIfAborted, type SerializedError } from "../core/errors.js";
import type { ByteSource } from "./source.js";

type PortRequest = "pull" | "cancel";
type PortReply = { chunk: Uint8Array } | { done: true } | { error: SerializedError };

/** Serves the page's end: answers each `pull` with the stream's next chunk. */
export function servePort(stream: ReadableStream<Uint8Array>, port: MessagePort): void {
  const reader = stream.getReader();
  const reply = (message: PortReply): void => {
    port.postMessage(message);
  };
  port.onmessage = async (event: MessageEvent<PortRequest>) => {
    try {
      if (event.data === "cancel") {
        port.close();
        await reader.cancel();
        return;
      }
      const { done, value } = await reader.read();
      reply(done ? { done: true } : { chunk: value });
    } catch (error) {
      reply({ error: serializeError(error) });
    }
  };
}

/** Returns the worker's end as a source. */
export function portSource(port: MessagePort, total: number | undefined, signal: AbortSignal): ByteSource {
  return {
    total,
    async *chunks() {
      try {
        for (;;) {
          throwIfAborted(signal);
          const message = await pull(port, signal);
          if ("error" in message) throw deserializeError(message.error);
          if ("done" in message) return;
          yield message.chunk;
        }
      } finally {
        port.postMessage("cancel" satisfies PortRequest);
        port.close();
      }
    },
  };
}

function pull(port: MessagePort, signal: AbortSignal): Promise<PortReply> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(cancelled(signal.reason));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    port.onmessage = (event: MessageEvent<PortReply>) => {
      signal.removeEventListener("abort", onAbort);
      resolve(event.data);
    };
    port.postMessage("pull" satisfies PortRequest);
  });
}
