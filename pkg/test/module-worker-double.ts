/** A worker for Node with a module beside the core: a real host on a fake module, connected to the page by a MessageChannel. */

/** The part of a host that a worker's script connects. */
interface Host {
  handle(message: never): Promise<void>;
}

export type Post = (message: object, transfer: Transferable[]) => void;

export abstract class ModuleWorkerDouble {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | null = null;
  onmessageerror: (() => void) | null = null;
  isTerminated = false;
  readonly #channel = new MessageChannel();

  constructor(
    readonly url: string | URL,
    readonly options: { name: string },
  ) {
    const { port1, port2 } = this.#channel;
    const host = this.host((message, transfer) => {
      // Node's MessagePort type and the DOM's differ in name only.
      port2.postMessage(message, transfer as never);
    });
    port2.onmessage = (event: MessageEvent) => {
      void host.handle(event.data as never);
    };
    port1.onmessage = (event) => {
      this.onmessage?.(event);
    };
  }

  postMessage(message: unknown, transfer: Transferable[] = []): void {
    this.#channel.port1.postMessage(message, transfer as never);
  }

  terminate(): void {
    this.isTerminated = true;
    this.#channel.port1.close();
  }

  protected abstract host(post: Post): Host;
}
