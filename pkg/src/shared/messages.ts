/**
 * The messages between tabs that share a model. All tabs of a model have one channel, the lobby; each follower has
 * another one with the leader, so that no other tab receives its tokens.
 */
import type { SerializedError } from "../core/errors.js";
import type { FromWorker, LoadProgress, LoadResult, Notice, ToWorker } from "../core/protocol.js";

/**
 * A message of the lobby. Epochs number the leaders, in the order of their election: a tab that was frozen may still
 * take itself for the leader, and what it says is then ignored.
 */
export type LobbyMessage =
  /** Asks the leader for a link, or, by the number of the link that the tab has, whether it still answers. */
  | { type: "hello"; tab: string; link: number }
  /** Announces a new leader. */
  | { type: "leader"; epoch: number }
  /** Says that a leader's engine has ended. */
  | { type: "gone"; epoch: number };

/** A part of what the leader sends: a reply of its worker, or about the model. */
export type Item =
  | FromWorker
  /** Begins a link. */
  | { type: "welcome" }
  /** Answers a greeting on a link that exists. */
  | { type: "here" }
  | { type: "loading"; progress: LoadProgress }
  | { type: "loaded"; loaded: LoadResult }
  | { type: "failed"; error: SerializedError }
  | { type: "notice"; notice: Notice }
  /** Ends a link whose follower has not read for long, and asks for another one. */
  | { type: "again" };

/** Items from the leader, numbered from 1 within a link. */
export interface Downward {
  to: "follower";
  epoch: number;
  link: number;
  seq: number;
  items: Item[];
}

/** A call, its cancellation, or the number of the message that the follower has read last. */
export interface Upward {
  to: "leader";
  epoch: number;
  link: number;
  item: ToWorker | { type: "read"; seq: number } | { type: "bye" };
}
