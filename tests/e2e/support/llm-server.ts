/** A server of OpenAI's API with one model, which says what the last question asks for. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  path: string;
  authorization: string | undefined;
  messages: { role: string; content: string }[];
  /** Whether the client has gone before the end of the answer. */
  isCut: boolean;
}

export class LlmServer {
  readonly asked: Asked[] = [];
  /** Whether pages of other origins may ask. */
  allowsPages = true;
  /** Key that requests must have. */
  key: string | undefined;
  readonly #server = createServer((request, response) => {
    void this.#answer(request, response);
  });

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get host(): string {
    return `127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  get address(): string {
    return `http://${this.host}/v1`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.allowsPages) {
      response.setHeader("Access-Control-Allow-Origin", "*");
      // An asterisk does not cover the key's header.
      response.setHeader("Access-Control-Allow-Headers", "Authorization, Content-Type");
    }
    if (request.method === "OPTIONS") {
      response.writeHead(204).end();
      return;
    }
    let text = "";
    request.setEncoding("utf8");
    for await (const piece of request) text += String(piece);
    const { messages = [] } = (text === "" ? {} : JSON.parse(text)) as { messages?: Asked["messages"] };
    const { authorization } = request.headers;
    const asked: Asked = { path: request.url ?? "", authorization, messages, isCut: false };
    this.asked.push(asked);
    response.on("close", () => {
      asked.isCut = !response.writableEnded;
    });
    if (this.key !== undefined && authorization !== `Bearer ${this.key}`) {
      send(response, 401, { error: { message: "wrong key", type: "invalid_request_error" } });
    } else if (asked.path.endsWith("/models")) {
      send(response, 200, {
        object: "list",
        data: [{ id: "far", object: "model", owned_by: "vllm", max_model_len: 4096 }],
      });
    } else {
      stream(response, messages.at(-1)?.content ?? "");
    }
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

/** Streams an answer of two words; one that is asked to wait ends after the first. */
function stream(response: ServerResponse, question: string): void {
  const head = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "far" };
  const event = (body: object | string): void => {
    response.write(`data: ${typeof body === "string" ? body : JSON.stringify(body)}\n\n`);
  };
  const word = (content: string, finish_reason: string | null): void => {
    event({ ...head, choices: [{ index: 0, delta: { content }, finish_reason }] });
  };
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  word("From ", null);
  if (question.includes("wait")) return;
  word("afar", "stop");
  event({ ...head, choices: [], usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 } });
  event("[DONE]");
  response.end();
}
