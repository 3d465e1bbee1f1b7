/** A server of OpenAI's API that does what a test says, with the faults of real ones. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface Asked {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: Record<string, unknown>;
  /** Resolves when the client's connection has closed. */
  closed: Promise<void>;
}

type Answer = (response: ServerResponse, asked: Asked) => void;

export const MODELS = { object: "list", data: [{ id: "m", object: "model", owned_by: "vllm", max_model_len: 2048 }] };

export class LlmServer {
  readonly asked: Asked[] = [];
  /** Answers by the end of their route; `models` has one from the beginning. */
  readonly answers: Record<string, Answer> = { models: json(MODELS) };
  readonly #sockets = new Set<Socket>();
  // A busy machine may pause for longer than a connection is kept by default, and the next request then meets its end.
  readonly #server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    void this.#answer(request, response);
  });

  async listen(): Promise<string> {
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this.address;
  }

  get address(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}/v1`;
  }

  /** Number of requests to a route. */
  count(route: string): number {
    return this.asked.filter(({ url }) => url.endsWith(route)).length;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    request.setEncoding("utf8");
    for await (const piece of request) text += String(piece);
    const { method = "", url = "", headers } = request;
    const closed = new Promise<void>((resolve) => {
      response.on("close", () => {
        resolve();
      });
    });
    const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    const asked = { method, url, headers, body, closed };
    this.asked.push(asked);
    const route = Object.keys(this.answers).find((name) => url.endsWith(`/v1/${name}`));
    if (route === undefined) response.writeHead(404).end("{}");
    else this.answers[route]?.(response, asked);
  }
}

/** Answers with JSON, or with a text that only claims to be. */
export function json(body: object | string, status = 200, headers: Record<string, string> = {}): Answer {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return (response) => response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(text);
}

const EVENTS = { "Content-Type": "text/event-stream" };

/** Streams bytes in pieces that end at the given places, and ends as `how` says. */
export function stream(
  bytes: Uint8Array,
  places: readonly number[] = [],
  how: "end" | "destroy" | "wait" = "end",
): Answer {
  return (response) => {
    response.writeHead(200, EVENTS);
    const cuts = [0, ...places, bytes.length];
    const pieces = cuts.slice(1).map((to, at) => bytes.subarray(cuts[at], to));
    const next = (): void => {
      const piece = pieces.shift();
      if (piece !== undefined) {
        if (piece.length === 0) next();
        else response.write(piece, () => setImmediate(next));
      } else if (how === "end") response.end();
      else if (how === "destroy") response.destroy();
    };
    next();
  };
}

/** Answers with the given answers in turn, and the last one from then on. */
export function inTurn(...answers: Answer[]): Answer {
  return (response, asked) => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(response, asked);
  };
}

/** Returns events as a server sends them. */
export function events(...data: (object | string)[]): Uint8Array {
  const lines = data.map((one) => `data: ${typeof one === "string" ? one : JSON.stringify(one)}\n\n`);
  return new TextEncoder().encode(lines.join(""));
}

/** Returns a chunk of a chat as vLLM sends it. */
export function delta(fields: object, finish_reason: string | null = null): object {
  const head = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 7, model: "m" };
  return { ...head, choices: [{ index: 0, delta: fields, logprobs: null, finish_reason }] };
}
