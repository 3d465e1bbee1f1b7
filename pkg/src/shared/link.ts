/** The leader's end of its link to a follower: runs the follower's calls, and sends what they give as fast as it is read. */
import { ResumableAnswer } from "../backend/resume.js";
import type { CallOptions } from "../backend/rpc.js";
import { serializeError } from "../core/errors.js";
import type { CallName, Calls, ToWorker } from "../core/protocol.js";
import type { Downward, Item, Upward } from "./messages.js";
import { MOVED } from "./moved.js";
import type { Channel, Place } from "./place.js";

/** Messages on their way before the follower has read one. More items wait here, and go as one message. */
const MOST_UNREAD = 8;
/** Items that wait here before the link ends: its follower is frozen, and asks again when it wakes. */
const MOST_WAITING = 512;

/** Runs a call on the leader's model. */
export type Run = (
  name: CallName,
  params: () => Calls[CallName]["params"],
  options: () => CallOptions,
) => Promise<unknown>;

export class Link {
  readonly number: number;
  readonly #epoch: number;
  readonly #run: Run;
  readonly #onEnd: () => void;
  readonly #channel: Channel;
  readonly #running = new Map<number, AbortController>();
  /** Ends the request of the follower's lock. */
  readonly #end = new AbortController();
  #items: Item[] = [];
  #sent = 0;
  #read = 0;

  /** Creates the link to the follower whose channel and lock have this name. `onEnd` is called when it is gone. */
  constructor(place: Place, name: string, number: number, epoch: number, run: Run, onEnd: () => void) {
    this.number = number;
    this.#epoch = epoch;
    this.#run = run;
    this.#onEnd = onEnd;
    this.#channel = place.channel(name);
    this.#channel.onmessage = ({ data }: MessageEvent<Downward | Upward>) => {
      if (data.to === "leader" && data.epoch === epoch && data.link === number) this.#receive(data.item);
    };
    // A follower holds its lock for as long as it lives. Shared, as an earlier leader that is frozen may wait as well.
    place.locks
      ?.request(name, { mode: "shared", signal: this.#end.signal }, () => {
        this.#finish();
      })
      .catch(() => undefined);
    this.send({ type: "welcome" });
  }

  send(item: Item): void {
    if (this.#end.signal.aborted) return;
    this.#items.push(item);
    if (this.#sent - this.#read < MOST_UNREAD) this.#flush();
    else if (this.#items.length > MOST_WAITING) {
      this.#items = [{ type: "again" }];
      this.#flush();
      this.#finish();
    }
  }

  /** Ends the link and its calls. The follower learns of it from a greeting that it sends, or from the next leader. */
  close(): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#channel.close();
    for (const controller of this.#running.values()) controller.abort();
  }

  #finish(): void {
    if (this.#end.signal.aborted) return;
    this.close();
    this.#onEnd();
  }

  #flush(): void {
    if (this.#items.length === 0) return;
    const message: Downward = {
      to: "follower",
      epoch: this.#epoch,
      link: this.number,
      seq: ++this.#sent,
      items: this.#items,
    };
    this.#items = [];
    this.#channel.postMessage(message);
  }

  #receive(item: Upward["item"]): void {
    switch (item.type) {
      case "call":
        void this.#call(item);
        break;
      case "cancel":
        this.#running.get(item.id)?.abort();
        break;
      case "read":
        this.#read = item.seq;
        this.#flush();
        break;
      case "bye":
        this.#finish();
    }
  }

  async #call({ id, call, params }: Extract<ToWorker, { type: "call" }>): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    this.#running.set(id, controller);
    // The leader may lose its device as well, before the follower has any of the answer.
    const answer =
      call === "generate"
        ? new ResumableAnswer(params, (delta) => {
            this.send({ type: "delta", id, delta });
          })
        : undefined;
    const options: CallOptions = answer ? { signal, onDelta: (delta) => { answer.take(delta); } } : { signal };
    try {
      const result = await this.#run(call, () => answer?.request() ?? params, () => options);
      this.send({ type: "result", id, result: result as Calls[CallName]["result"] });
    } catch (error) {
      // A call that has not begun goes to the next leader.
      if (error !== MOVED) this.send({ type: "error", id, error: serializeError(error) });
    } finally {
      this.#running.delete(id);
    }
  }
}
