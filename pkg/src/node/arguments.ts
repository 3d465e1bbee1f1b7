/** Arguments of the command `hearth-llm`. */
import { parseArgs } from "node:util";
import { HearthError, invalid } from "../core/errors.js";
import type { DeviceChoice } from "../core/protocol.js";

interface ModelArguments {
  model: string;
  device: DeviceChoice;
  contextSize?: number;
  threads?: number;
  speech?: string;
}

export interface ServeArguments extends ModelArguments {
  command: "serve";
  port: number;
  host: string;
  apiKey?: string;
  cors: string[];
}

export interface RunArguments extends ModelArguments {
  command: "run";
  question: string;
}

export type Arguments = ServeArguments | RunArguments | { command: "help" | "version" };

export const HELP = `Usage:
  hearth-llm serve MODEL [options]        serves OpenAI's API
  hearth-llm run MODEL [QUESTION]         answers one question; without one, what it reads from its input

MODEL is a path, an address (https: or file:), or a repository of the Hub: owner/name, with :Q4_K_M for a quantisation.

Options of both:
  --context N       tokens of prompt and answer together
  --device DEVICE   auto (default), cpu or webgpu
  --threads N       threads of the CPU path

Options of serve:
  --port N          default 8080
  --host ADDRESS    default 127.0.0.1, which only this machine reaches
  --api-key KEY     key that requests have to carry (or the variable HEARTH_API_KEY, which other users do not see)
  --cors ORIGIN     origin of pages that may ask, or * for all; may be given several times
  --speech MODEL    Whisper model behind /v1/audio

  --help, --version
`;

const OPTIONS = {
  context: { type: "string" },
  device: { type: "string" },
  threads: { type: "string" },
  port: { type: "string" },
  host: { type: "string" },
  "api-key": { type: "string" },
  cors: { type: "string", multiple: true },
  speech: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;
const OF_SERVE = ["port", "host", "api-key", "cors", "speech"] as const;
const HINT = "hearth-llm --help shows all of it.";

/** Reads the arguments that follow the command's name. */
export function readArguments(given: readonly string[], env: Record<string, string | undefined> = {}): Arguments {
  const { values, positionals } = parse(given);
  const [command, model, ...rest] = positionals;
  if (values.version) return { command: "version" };
  if (values.help || command === undefined || command === "help") return { command: "help" };
  if (command !== "serve" && command !== "run") throw refuse(`there is no command "${command}"`);
  if (model === undefined || model === "") throw refuse(`${command} needs a model`);
  const device = values.device ?? "auto";
  if (device !== "auto" && device !== "cpu" && device !== "webgpu") {
    throw invalid("--device", "auto, cpu or webgpu", device);
  }
  const common: ModelArguments = { model, device };
  if (values.context !== undefined) common.contextSize = whole("--context", values.context, 1, 2 ** 24);
  if (values.threads !== undefined) common.threads = whole("--threads", values.threads, 1, 64);
  if (command === "run") {
    const other = OF_SERVE.find((name) => values[name] !== undefined);
    if (other !== undefined) throw refuse(`--${other} belongs to serve`);
    return { command, ...common, question: rest.join(" ") };
  }
  if (rest[0] !== undefined) throw refuse(`serve takes one model, "${rest[0]}" is left over`);
  const { host = "127.0.0.1", cors = [], speech } = values;
  const apiKey = values["api-key"] ?? env.HEARTH_API_KEY;
  if (apiKey === "") throw invalid("--api-key", "a key", apiKey);
  for (const origin of cors) checkOrigin(origin);
  return {
    command,
    ...common,
    port: whole("--port", values.port ?? "8080", 0, 65_535),
    host,
    cors,
    ...(apiKey !== undefined && { apiKey }),
    ...(speech !== undefined && { speech }),
  };
}

function parse(
  given: readonly string[],
): ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...given], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw refuse((error as Error).message.replace(/\..*$/s, ""), error);
  }
}

function whole(name: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw invalid(name, `an integer from ${String(least)} to ${String(most)}`, text);
}

/** Refuses what no browser sends: an address with a path would never be equal. */
function checkOrigin(origin: string): void {
  if (origin === "*") return;
  const isOrigin = /^[a-z][a-z\d+.-]*:\/\/[^/?#\s]+$/i.test(origin);
  if (!isOrigin) throw invalid("--cors", "an origin such as https://example.org, or *", origin);
}

function refuse(what: string, cause?: unknown): HearthError {
  return new HearthError("invalid_request", what, { hint: HINT, cause });
}
