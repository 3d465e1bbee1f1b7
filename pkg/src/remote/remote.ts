/** A model on a server of OpenAI's API, with the interface of an engine. */
import { apiOf, type Api } from "../api/api.js";
import type { Completions, TextCompletions } from "../api/completions.js";
import type { Embeddings } from "../api/embeddings.js";
import type { Translations } from "../api/translations.js";
import type { RequestOptions } from "../api/openai.js";
import type { RerankParams, RerankResponse } from "../api/ranking.js";
import type { Backend, BackendModel } from "../backend/backend.js";
import { HearthError, invalid } from "../core/errors.js";
import { RemoteBackend } from "./backend.js";
import { Connection, type Timeouts } from "./connection.js";
import { contextOf, kindOf, SERVERS, type ListedModel, type ServerKind } from "./servers.js";

export interface RemoteOptions {
  /** Address of the API, such as `http://localhost:8000/v1`. No request goes to any other origin. */
  baseURL: string | URL;
  /** The model's name on the server. Default: its only one. */
  model?: string;
  /** Sent as `Authorization: Bearer …`, to the origin of `baseURL` only. */
  apiKey?: string;
  /** Headers sent with every request. */
  headers?: Record<string, string>;
  /** The server's software, which decides what fields it is sent. Default: told by its list of models. */
  kind?: ServerKind;
  /** Whether fields that the server does not know are left out instead of refused. Default false. */
  lenient?: boolean;
  /** Fields of the server's own that are added to every request as they are. */
  extra?: Record<string, unknown>;
  timeouts?: Timeouts;
  /** Takes the place of the global `fetch`. */
  fetch?: typeof fetch;
  /** Aborts the connecting with `cancelled`. */
  signal?: AbortSignal;
}

/** Errors of the list of models after which a model that was named may answer all the same. */
const LISTLESS = new Set(["remote_error", "remote_model", "unsupported_by_server", "invalid_request"]);

export class Remote implements Api {
  readonly model: BackendModel;
  readonly kind: ServerKind;
  /** Tokens shared by prompt and answer; undefined if the server does not say. */
  readonly contextSize: number | undefined;
  /** Host and port of the server. */
  readonly host: string;
  /** The seam under the API, for `createFetch`, routers and pages. */
  readonly backend: Backend;
  readonly chat: { readonly completions: Completions };
  readonly completions: TextCompletions;
  readonly embeddings: Embeddings;
  readonly translations: Translations;
  /** Resolves when the connection was disposed. */
  readonly closed: Promise<HearthError>;
  readonly #api: Api;
  readonly #connection: Connection;

  private constructor(connection: Connection, backend: RemoteBackend, kind: ServerKind) {
    this.#connection = connection;
    this.backend = backend;
    this.model = backend.model;
    this.kind = kind;
    this.contextSize = backend.model.n_ctx;
    this.host = connection.host;
    this.closed = backend.closed;
    this.#api = apiOf(backend);
    const { chat, completions, embeddings, translations } = this.#api;
    this.chat = chat;
    this.completions = completions;
    this.embeddings = embeddings;
    this.translations = translations;
  }

  /** Asks the server for its models, and finds out which server it is. */
  static async connect(options: RemoteOptions): Promise<Remote> {
    const { model, kind: told, lenient = false, extra = {}, signal = new AbortController().signal } = options;
    if (told !== undefined && !Object.hasOwn(SERVERS, told)) {
      throw invalid("kind", Object.keys(SERVERS).join(", "), told);
    }
    const connection = new Connection(options);
    connection.kind = told;
    let listed: ListedModel[] = [];
    try {
      listed = await listModels(connection, signal);
    } catch (error) {
      if (model === undefined || !(error instanceof HearthError) || !LISTLESS.has(error.code)) throw error;
    }
    const kind = told ?? kindOf(listed);
    connection.kind = kind;
    const chosen = choose(listed, model, connection.host, lenient);
    const n_ctx = contextOf(chosen);
    const facts = { name: chosen.id, ...(n_ctx === undefined ? {} : { n_ctx }) };
    const target = { kind, traits: SERVERS[kind], model: chosen.id, lenient, extra };
    return new Remote(connection, new RemoteBackend(connection, target, facts), kind);
  }

  /** Returns the names of a server's models, for a choice among them before `connect`. */
  static async list(options: Omit<RemoteOptions, "model">): Promise<string[]> {
    const connection = new Connection(options);
    connection.kind = options.kind;
    const listed = await listModels(connection, options.signal ?? new AbortController().signal);
    return listed.map(({ id }) => id);
  }

  /** Returns the names of the server's models. */
  async models({ signal }: RequestOptions = {}): Promise<string[]> {
    const listed = await listModels(this.#connection, signal ?? new AbortController().signal);
    return listed.map(({ id }) => id);
  }

  rerank(params: RerankParams, options: RequestOptions = {}): Promise<RerankResponse> {
    return this.#api.rerank(params, options);
  }

  /** Ends all requests. Later ones reject with `disposed`. */
  dispose(): void {
    this.backend.dispose();
  }
}

async function listModels(connection: Connection, signal: AbortSignal): Promise<ListedModel[]> {
  const { data } = (await connection.json("models", undefined, signal, connection.connectMs)) as { data?: unknown };
  // Ollama gives null where it has none.
  if (data === null) return [];
  if (!Array.isArray(data)) throw new HearthError("remote_error", `${connection.host} does not list its models`);
  return (data as (ListedModel | null)[]).filter((one): one is ListedModel => typeof one?.id === "string");
}

/** Returns the model to ask: servers may answer with another one than was named without saying so. */
function choose(listed: ListedModel[], wanted: string | undefined, host: string, lenient: boolean): ListedModel {
  const names = listed.map(({ id }) => id);
  const fail = (message: string, hint: string): HearthError => new HearthError("remote_model", message, { hint });
  if (wanted === undefined) {
    const [only, ...others] = listed;
    if (only === undefined) throw fail(`${host} has no model`, "Load a model into the server.");
    if (others.length > 0)
      throw fail(`${host} has several models`, `Name one of them: ${names.slice(0, 20).join(", ")}.`);
    return only;
  }
  const isIt = ({ id, aliases }: ListedModel): boolean =>
    id === wanted || id === `${wanted}:latest` || (Array.isArray(aliases) && aliases.includes(wanted));
  const found = listed.find(isIt);
  if (found !== undefined) return found;
  if (listed.length === 0 || lenient) return { id: wanted };
  throw fail(`${host} has no model ${wanted}`, `It has ${names.slice(0, 20).join(", ")}.`);
}
