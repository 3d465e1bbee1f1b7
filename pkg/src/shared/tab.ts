/**
 * A tab's share of a model: its own engine while the tab leads, and a link to the leader otherwise. A call whose leader
 * goes is sent to the next one with the tokens that have come, as after the loss of a device, so that none is lost or
 * comes twice.
 */
import type { ModelCalls } from "../backend/recover.js";
import type { CallOptions } from "../backend/rpc.js";
import { cancelled, deserializeError, throwIfAborted, toHearthError, type HearthError } from "../core/errors.js";
import type { CallName, Calls, LoadResult } from "../core/protocol.js";
import type { EngineOptions } from "../engine.js";
import { Election } from "./election.js";
import { Following, type About } from "./following.js";
import { Leader } from "./leader.js";
import type { LobbyMessage } from "./messages.js";
import { MOVED } from "./moved.js";
import type { Channel, Place } from "./place.js";
import { Watch } from "./watch.js";

/** `leader`: this tab has the model. `follower`: another tab has it. */
export type Role = "leader" | "follower";

export interface SharedOptions extends EngineOptions {
  /** Called when the role is known, and whenever it changes. */
  onRole?: (role: Role) => void;
}

/** Time for a leader whose lock was stolen to end its engine: two may not fit on the device. */
const GONE_MS = 2000;

const PAGE_EVENTS = ["pagehide", "pageshow", "freeze", "resume"];

export class SharedModel implements ModelCalls {
  readonly closed: Promise<HearthError>;
  readonly #place: Place;
  readonly #locks: NonNullable<Place["locks"]>;
  readonly #name: string;
  readonly #options: SharedOptions;
  readonly #election: Election;
  readonly #watch: Watch;
  /** Functions of calls that wait for a leader with a model, or for the end. */
  #waiting: (() => void)[] = [];
  #route: Leader | Following | undefined;
  #leader: Leader | undefined;
  #following: Following | undefined;
  #loaded: LoadResult | undefined;
  #role: Role | undefined;
  #end: HearthError | undefined;
  #resolveClosed!: (reason: HearthError) => void;
  /** Epoch of the newest leader known, and of the one whose model this tab has been told of. */
  #epoch = 0;
  #toldEpoch = 0;
  #links = 0;
  /** This tab in the lobby; empty while it takes no part. */
  #tab = "";
  #leave: (() => void) | undefined;
  #lobby: Channel | undefined;
  #onGone: (() => void) | undefined;

  constructor(place: Place, locks: NonNullable<Place["locks"]>, name: string, options: SharedOptions) {
    this.#place = place;
    this.#locks = locks;
    this.#name = name;
    this.#options = options;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#election = new Election(locks, name, {
      elected: (isStolen) => void this.#lead(isStolen),
      deposed: () => {
        this.#endLeader();
        this.#election.stand();
        this.#follow();
      },
    });
    this.#watch = new Watch(
      () => {
        this.#greet();
      },
      () => {
        this.#replace();
      },
    );
  }

  get role(): Role {
    return this.#role ?? "follower";
  }

  /** Takes part, and waits until this tab or another one has the model. On failure or abort nothing is left. */
  async open(): Promise<LoadResult> {
    const { signal } = this.#options;
    const onAbort = (): void => {
      this.close(cancelled(signal?.reason));
    };
    for (const type of PAGE_EVENTS) this.#place.page.addEventListener(type, this.#onPage, true);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#watch.begin();
    try {
      this.#enter();
      await this.#routed();
      if (this.#loaded === undefined) throw MOVED;
      return this.#loaded;
    } finally {
      this.#watch.end();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async call<K extends CallName>(
    name: K,
    params: Calls[K]["params"] | (() => Calls[K]["params"]),
    options: () => CallOptions = () => ({}),
  ): Promise<Calls[K]["result"]> {
    const current = typeof params === "function" ? params : (): Calls[K]["params"] => params;
    this.#watch.begin();
    try {
      for (;;) {
        const route = await this.#routed();
        throwIfAborted(options().signal);
        try {
          return await route.call(name, current, options);
        } catch (error) {
          if (error !== MOVED) throw error;
          // The leader ends a moment before this tab knows.
          await Promise.resolve();
          if (this.#route === route) this.#drop();
        }
      }
    } finally {
      this.#watch.end();
    }
  }

  close(reason: HearthError): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    for (const type of PAGE_EVENTS) this.#place.page.removeEventListener(type, this.#onPage, true);
    this.#exit(reason);
    this.#wake();
    this.#resolveClosed(reason);
  }

  async lose(): Promise<void> {
    await this.call("loseDevice", null);
  }

  /** Leaves when the page is put aside, and enters when it comes back. A leader that is frozen alone keeps its model. */
  readonly #onPage = (event: Event): void => {
    if ((event as Partial<PageTransitionEvent>).persisted === false) return;
    if (event.type === "pageshow" || event.type === "resume") this.#enter();
    else if (event.type === "pagehide" || this.#leader?.hasFollowers === true) this.#exit(MOVED);
  };

  /** Enters the lobby and stands for election. */
  #enter(): void {
    if (this.#end !== undefined || this.#tab !== "") return;
    const tab = (this.#tab = crypto.randomUUID());
    this.#lobby = this.#place.channel(this.#name);
    this.#lobby.onmessage = ({ data }: MessageEvent<LobbyMessage>) => {
      this.#hear(data);
    };
    // The leader asks for this lock, and gets it when this tab is gone.
    this.#locks
      .request(`${this.#name}:${tab}`, () => {
        if (this.#tab !== tab) return undefined;
        this.#election.stand();
        this.#follow();
        return new Promise<void>((resolve) => {
          this.#leave = resolve;
        });
      })
      .catch((error: unknown) => {
        this.close(toHearthError(error));
      });
  }

  /** Leaves the lobby, with what this tab has or follows. */
  #exit(reason: HearthError): void {
    this.#tab = "";
    this.#drop();
    this.#endLeader(reason);
    this.#following?.close();
    this.#following = undefined;
    this.#election.withdraw();
    this.#leave?.();
    this.#leave = undefined;
    this.#lobby?.close();
    this.#lobby = undefined;
  }

  #hear(message: LobbyMessage): void {
    switch (message.type) {
      case "hello":
        this.#leader?.hello(message.tab, message.link);
        break;
      case "leader":
        if (message.epoch <= this.#epoch) break;
        this.#epoch = message.epoch;
        this.#watch.heard();
        if (this.#leader === undefined) this.#follow();
        break;
      case "gone":
        this.#onGone?.();
    }
  }

  #say(message: LobbyMessage): void {
    this.#lobby?.postMessage(message);
  }

  /** Asks for a link to the leader. */
  #follow(): void {
    this.#drop();
    this.#following?.close();
    this.#following = new Following({
      place: this.#place,
      name: `${this.#name}:${this.#tab}`,
      link: ++this.#links,
      hear: (epoch) => {
        if (epoch < this.#epoch) return false;
        this.#epoch = epoch;
        this.#watch.heard();
        return true;
      },
      take: (item) => {
        this.#take(item);
      },
      onBroken: () => {
        this.#follow();
      },
    });
    this.#greet();
  }

  #greet(): void {
    if (this.#following !== undefined) this.#say({ type: "hello", tab: this.#tab, link: this.#following.link });
  }

  #take(item: About): void {
    switch (item.type) {
      case "welcome":
        this.#play("follower");
        break;
      case "loading":
        this.#options.onProgress?.(item.progress);
        break;
      case "notice":
        this.#options.onNotice?.(item.notice);
        break;
      case "loaded":
        if (this.#toldEpoch !== this.#epoch) for (const notice of item.loaded.notices) this.#options.onNotice?.(notice);
        this.#toldEpoch = this.#epoch;
        this.#go(this.#following, item.loaded);
        break;
      case "failed":
        // A tab that has had the model tries to load it itself, in its turn.
        if (this.#loaded === undefined) this.close(deserializeError(item.error));
    }
  }

  /** Loads the model into this tab. */
  async #lead(isStolen: boolean): Promise<void> {
    this.#drop();
    this.#following?.close();
    this.#following = undefined;
    this.#epoch = Math.max(Date.now(), this.#epoch + 1);
    const leader = new Leader(this.#place, this.#name, this.#epoch, (reason) => {
      if (this.#leader === leader) this.close(reason);
    });
    this.#leader = leader;
    this.#say({ type: "leader", epoch: leader.epoch });
    this.#play("leader");
    try {
      if (isStolen) await this.#gone();
      // The files need not be fetched a second time.
      const again = this.#loaded !== undefined && this.#options.cache === "reload";
      const loaded = await leader.load(again ? { ...this.#options, cache: "default" } : this.#options);
      this.#toldEpoch = leader.epoch;
      if (this.#leader === leader) this.#go(leader, loaded);
    } catch (error) {
      if (this.#leader === leader) this.close(toHearthError(error));
    }
  }

  /** Waits for the end of the engine whose leader was deposed. */
  #gone(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#onGone = resolve;
      setTimeout(resolve, GONE_MS);
    });
  }

  #endLeader(reason: HearthError = MOVED): void {
    const leader = this.#leader;
    if (leader === undefined) return;
    this.#leader = undefined;
    leader.close(reason);
    this.#say({ type: "gone", epoch: leader.epoch });
  }

  /** Deposes a leader that does not answer. */
  #replace(): void {
    const epoch = this.#epoch;
    if (this.#tab === "" || this.#leader !== undefined) return;
    void this.#election.steal(() => this.#tab !== "" && this.#epoch === epoch).catch(() => undefined);
  }

  #play(role: Role): void {
    if (this.#role === role) return;
    this.#role = role;
    this.#options.onRole?.(role);
  }

  #go(route: Leader | Following | undefined, loaded: LoadResult): void {
    this.#loaded = loaded;
    this.#route = route;
    this.#wake();
  }

  /** Keeps calls from a leader that has gone. */
  #drop(): void {
    this.#route = undefined;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Waits for a leader that has the model. */
  async #routed(): Promise<Leader | Following> {
    for (;;) {
      if (this.#end !== undefined) throw this.#end;
      if (this.#route !== undefined) return this.#route;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }
}
