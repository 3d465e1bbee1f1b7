/** A library in IndexedDB. */
import { HearthError } from "../core/errors.js";
import type { DocumentStore, StoredDocument } from "./store.js";
import type { VectorSegment } from "./vectors.js";

interface StoredSegment extends VectorSegment {
  document: string;
  embedder: string;
}

const DOCUMENTS = "documents";
const VECTORS = "vectors";

export class IndexedDbStore implements DocumentStore {
  readonly isKept = true;
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  /** Opens the database of a library's name, and creates it if there is none. */
  static async open(name: string): Promise<IndexedDbStore> {
    const request = indexedDB.open(`hearth-documents-${name}`, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(DOCUMENTS, { keyPath: "id" });
      request.result.createObjectStore(VECTORS, { keyPath: ["document", "embedder", "start"] });
    };
    const database = await done(request);
    // Another tab may want to remove the database, or have a newer version of it.
    database.onversionchange = () => {
      database.close();
    };
    return new IndexedDbStore(database);
  }

  async *documents(): AsyncGenerator<StoredDocument, void, void> {
    const { store } = this.#begin(DOCUMENTS, "readonly");
    for (const id of await done(store.getAllKeys())) {
      // One at a time: a cursor's transaction would end while a document is being indexed.
      const found = (await done(this.#begin(DOCUMENTS, "readonly").store.get(id))) as StoredDocument | undefined;
      if (found !== undefined) yield found;
    }
  }

  async put(document: StoredDocument): Promise<void> {
    const { store, ended } = this.#begin(DOCUMENTS, "readwrite");
    store.put(document);
    await ended;
  }

  async delete(id: string): Promise<void> {
    const transaction = this.#database.transaction([DOCUMENTS, VECTORS], "readwrite");
    transaction.objectStore(DOCUMENTS).delete(id);
    transaction.objectStore(VECTORS).delete(IDBKeyRange.bound([id], [id, []]));
    await endOf(transaction);
  }

  async vectors(id: string, embedder: string): Promise<VectorSegment[]> {
    const { store } = this.#begin(VECTORS, "readonly");
    const range = IDBKeyRange.bound([id, embedder], [id, embedder, []]);
    const found = (await done(store.getAll(range))) as StoredSegment[];
    return found.map(({ start, dimension, values, scales }) => ({ start, dimension, values, scales }));
  }

  async putVectors(id: string, embedder: string, segment: VectorSegment): Promise<void> {
    const { store, ended } = this.#begin(VECTORS, "readwrite");
    const stored: StoredSegment = { document: id, embedder, ...segment };
    store.put(stored);
    await ended;
  }

  close(): void {
    this.#database.close();
  }

  #begin(name: string, mode: IDBTransactionMode): { store: IDBObjectStore; ended: Promise<void> } {
    const transaction = this.#database.transaction(name, mode);
    const ended = endOf(transaction);
    // A caller that only reads does not wait for the end.
    ended.catch(() => undefined);
    return { store: transaction.objectStore(name), ended };
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(failure(request.error));
    };
  });
}

function endOf(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => {
      resolve();
    };
    transaction.onabort = transaction.onerror = () => {
      reject(failure(transaction.error));
    };
  });
}

function failure(cause: DOMException | null): HearthError {
  return new HearthError(
    "io_error",
    `the library's database failed: ${cause?.message ?? "its transaction was aborted"}`,
    {
      hint: "Free some of the site's storage, and try again.",
      cause,
    },
  );
}
