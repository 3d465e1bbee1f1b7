/** The worker's end: reads one file after another, or keeps an index of words. */
import { serializeError } from "../../core/errors.js";
import { ingest } from "../ingest.js";
import { WordIndex } from "../words.js";
import type { FromReader, ReadJob, WordsCall } from "./protocol.js";

type Post = (message: FromReader, transfer: Transferable[]) => void;

export class Server {
  readonly #post: Post;
  readonly #words = new WordIndex();

  constructor(post: Post) {
    this.#post = post;
  }

  /** Handles a message of the page. Does not reject. */
  async handle(message: ReadJob | WordsCall): Promise<void> {
    switch (message.type) {
      case "read":
        await this.#read(message);
        break;
      case "add":
        await this.#words.add(message.entries);
        this.#post({ type: "found", call: message.call, found: [] }, []);
        break;
      case "search": {
        // The page decides which documents are searched.
        const found = this.#words.search(message.query, Number.POSITIVE_INFINITY, () => true);
        this.#post({ type: "found", call: message.call, found }, []);
        break;
      }
      case "remove":
        this.#words.remove(message.ids);
    }
  }

  async #read({ id, name, bytes, limits, password, cMapUrl }: ReadJob): Promise<void> {
    try {
      const document = await ingest(
        { id, name, bytes },
        {
          limits,
          password,
          ...(cMapUrl === undefined ? {} : { cMapUrl }),
          onProgress: (progress) => {
            this.#post({ type: "progress", progress }, []);
          },
        },
      );
      this.#post({ type: "done", document }, [document.bounds.buffer]);
    } catch (error) {
      this.#post({ type: "failed", error: serializeError(error) }, []);
    }
  }
}
