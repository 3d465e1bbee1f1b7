/** The worker's end: reads one file after another, and reports what became of it. */
import { serializeError } from "../../core/errors.js";
import { ingest } from "../ingest.js";
import type { FromReader, ReadJob } from "./protocol.js";

export async function serve(
  { id, name, bytes, limits, password, cMapUrl }: ReadJob,
  post: (message: FromReader, transfer: Transferable[]) => void,
): Promise<void> {
  try {
    const document = await ingest(
      { id, name, bytes },
      {
        limits,
        password,
        ...(cMapUrl === undefined ? {} : { cMapUrl }),
        onProgress: (progress) => {
          post({ type: "progress", progress }, []);
        },
      },
    );
    post({ type: "done", document }, [document.bounds.buffer]);
  } catch (error) {
    post({ type: "failed", error: serializeError(error) }, []);
  }
}
