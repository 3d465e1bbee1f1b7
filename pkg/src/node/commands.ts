/** The command `hearth-llm`: `serve` and `run`. */
import { readFileSync } from "node:fs";
import { text as textOf } from "node:stream/consumers";
import { Transcriber } from "../audio/index.js";
import { invalid, toHearthError } from "../core/errors.js";
import { Engine, type EngineOptions } from "../engine.js";
import { HELP, readArguments, type RunArguments, type ServeArguments } from "./arguments.js";
import { checkPort, serve } from "./serve.js";

/** Surroundings of a command, which tests replace. */
export interface Surroundings {
  args: readonly string[];
  env: Record<string, string | undefined>;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  /** Returns false if the reader is slow, as streams do. */
  out(text: string): void;
  err(text: string): void;
  /** Whether progress may be redrawn in place. */
  isTerminal: boolean;
  /** Calls a function at each request to stop; returns how to end that. */
  onStop(stop: () => void): () => void;
}

/** Runs a command; returns its exit status: 2 for wrong arguments, 1 for any other failure. */
export async function main(around: Surroundings): Promise<number> {
  let read;
  try {
    read = readArguments(around.args, around.env);
  } catch (error) {
    return explain(error, around, 2);
  }
  try {
    switch (read.command) {
      case "help":
        around.out(HELP);
        return 0;
      case "version":
        around.out(`${version()}\n`);
        return 0;
      case "serve":
        await runServe(read, around);
        return 0;
      case "run":
        await runRun(read, around);
        return 0;
    }
  } catch (error) {
    return explain(error, around, 1);
  }
}

function explain(error: unknown, around: Surroundings, status: number): number {
  const { code, message, hint } = toHearthError(error);
  // (128 + SIGINT)
  if (code === "cancelled") return 130;
  around.err(`hearth-llm: ${message} (${code})\n${hint === "" ? "" : `${hint}\n`}`);
  return status;
}

function version(): string {
  const file = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(file) as { version: string }).version;
}

/** Loads what the arguments name, and shows how far it is. */
function toOptions(read: ServeArguments | RunArguments, around: Surroundings, signal: AbortSignal): EngineOptions {
  const { model, device, contextSize, threads } = read;
  let isDrawn = false;
  return {
    model,
    device,
    signal,
    ...(contextSize !== undefined && { contextSize }),
    ...(threads !== undefined && { threads }),
    onNotice: ({ message }) => {
      around.err(`${message}\n`);
    },
    onProgress: ({ phase, loaded, total }) => {
      if (!around.isTerminal || (phase !== "download" && !isDrawn)) return;
      const share = total > 0 ? ` ${String(Math.floor((100 * loaded) / total))} %` : "";
      isDrawn = phase !== "ready";
      around.err(isDrawn ? `\r\x1b[K${phase}${share}` : "\r\x1b[K");
    },
  };
}

async function runServe(read: ServeArguments, around: Surroundings): Promise<void> {
  const { port, host, apiKey, cors, speech } = read;
  const stopping = new AbortController();
  let stops = 0;
  let onStop = (): void => undefined;
  const unlink = around.onStop(() => {
    stops++;
    stopping.abort();
    onStop();
  });
  let engine: Engine | undefined;
  let transcriber: Transcriber | undefined;
  try {
    await checkPort(port, host);
    engine = await Engine.create(toOptions(read, around, stopping.signal));
    if (speech !== undefined) transcriber = await Transcriber.create({ model: speech, signal: stopping.signal });
    const serving = await serve(engine, {
      port,
      host,
      cors,
      ...(apiKey !== undefined && { apiKey }),
      ...(transcriber !== undefined && { audio: transcriber }),
    });
    const where = serving.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
    around.out(`${engine.model.name} at ${where}, on ${engine.device.name}. Ctrl+C stops it.\n`);
    around.out(`${example(engine, where, apiKey !== undefined)}\n`);
    const ended = await Promise.race([
      engine.closed,
      new Promise<undefined>((resolve) => {
        onStop = () => {
          resolve(undefined);
        };
        if (stops > 0) resolve(undefined);
      }),
    ]);
    const closing = serving.close({ abort: ended !== undefined });
    if (ended !== undefined) {
      await closing;
      throw ended;
    }
    around.err("Stopping when the running answers are done; Ctrl+C again stops them.\n");
    const again = new Promise<void>((resolve) => {
      onStop = () => {
        void serving.close({ abort: true }).then(resolve);
      };
    });
    await Promise.race([closing, again]);
  } finally {
    unlink();
    transcriber?.dispose();
    engine?.dispose();
  }
}

/** Returns a line for a shell that asks the server. */
function example(engine: Engine, url: string, hasKey: boolean): string {
  const key = hasKey ? ' -H "Authorization: Bearer $HEARTH_API_KEY"' : "";
  const { pooling } = engine.model;
  const [route, body] =
    pooling === null
      ? ["chat/completions", { messages: [{ role: "user", content: "Hello" }], stream: true }]
      : pooling === "rank"
        ? ["rerank", { query: "Hello", documents: ["Good day", "Rain"] }]
        : ["embeddings", { input: "Hello" }];
  return `curl -N ${url}/${route}${key} -H "Content-Type: application/json" -d '${JSON.stringify(body)}'`;
}

async function runRun(read: RunArguments, around: Surroundings): Promise<void> {
  const question = read.question !== "" || around.stdin.isTTY ? read.question : (await textOf(around.stdin)).trim();
  if (question === "") throw invalid("the question", "a text, as an argument or from a pipe", question);
  const stopping = new AbortController();
  const unlink = around.onStop(() => {
    stopping.abort();
  });
  const { signal } = stopping;
  let engine: Engine | undefined;
  try {
    engine = await Engine.create(toOptions(read, around, signal));
    const messages = [{ role: "user" as const, content: question }];
    const stream = await engine.chat.completions.create({ messages, stream: true }, { signal });
    let end: string | null = null;
    for await (const { choices } of stream) {
      around.out(choices[0]?.delta.content ?? "");
      end = choices[0]?.finish_reason ?? end;
    }
    around.out("\n");
    if (end === "length") around.err("The context is full: --context gives more.\n");
  } finally {
    unlink();
    engine?.dispose();
  }
}
