/** A follower's end of its link to the leader: the leader stands in for a worker of this page. */
import { WorkerRpc, type CallOptions, type WorkerLike } from "../backend/rpc.js";
import type { CallName, Calls, FromWorker, ToWorker } from "../core/protocol.js";
import type { Downward, Item, Upward } from "./messages.js";
import { MOVED } from "./moved.js";
import type { Channel, Place } from "./place.js";

/** Messages of the leader beside the replies to calls. */
export type About = Exclude<Item, FromWorker | { type: "again" }>;

export interface FollowingOptions {
  place: Place;
  /** Name of this tab's channel. */
  name: string;
  /** Number of the link, unique within the tab. */
  link: number;
  /** Called on each message, with its epoch; returns whether that is the newest leader's. */
  hear: (epoch: number) => boolean;
  take: (item: About) => void;
  /** Called if something was lost on the way, or the leader no longer knows the link. */
  onBroken: () => void;
}

export class Following {
  readonly link: number;
  readonly #rpc: WorkerRpc;
  readonly #channel: Channel;
  readonly #options: FollowingOptions;
  readonly #worker: WorkerLike;
  #epoch: number | undefined;
  #read = 0;
  #isOver = false;

  constructor(options: FollowingOptions) {
    this.#options = options;
    this.link = options.link;
    this.#channel = options.place.channel(options.name);
    this.#channel.onmessage = ({ data }: MessageEvent<Downward | Upward>) => {
      if (data.to === "follower" && data.link === this.link && !this.#isOver) this.#receive(data);
    };
    this.#worker = {
      onmessage: null,
      onerror: null,
      onmessageerror: null,
      postMessage: (message: ToWorker) => {
        this.#send(message);
      },
      terminate: () => {
        this.#send({ type: "bye" });
        this.#isOver = true;
        this.#channel.close();
      },
    };
    this.#rpc = new WorkerRpc(this.#worker);
  }

  call<K extends CallName>(
    name: K,
    params: () => Calls[K]["params"],
    options: () => CallOptions,
  ): Promise<Calls[K]["result"]> {
    return this.#rpc.call(name, params(), options());
  }

  /** Ends the link; its calls reject with `MOVED`. */
  close(): void {
    this.#rpc.close(MOVED);
  }

  #send(item: Upward["item"]): void {
    if (this.#epoch === undefined || this.#isOver) return;
    const message: Upward = { to: "leader", epoch: this.#epoch, link: this.link, item };
    this.#channel.postMessage(message);
  }

  #receive({ epoch, seq, items }: Downward): void {
    if (!this.#options.hear(epoch)) return;
    this.#epoch ??= epoch;
    if (epoch !== this.#epoch || seq !== this.#read + 1) {
      this.#options.onBroken();
      return;
    }
    this.#read = seq;
    this.#send({ type: "read", seq });
    for (const item of items) {
      // An item may have ended the link.
      if (this.#isOver) return;
      this.#take(item);
    }
  }

  #take(item: Item): void {
    if ("id" in item) this.#worker.onmessage?.({ data: item } as MessageEvent<FromWorker>);
    else if (item.type === "again") this.#options.onBroken();
    else if (item.type !== "fatal") this.#options.take(item);
  }
}
