/** Transcripts of recordings as the store keeps them: the text with its times, without the sound. */

/** A piece of the text and its place in the recording, in seconds. */
export interface Segment {
  start: number;
  end: number;
  text: string;
}

export interface Transcript {
  key: string;
  /** Name of the recording's file, and its bytes. */
  name: string;
  size: number;
  /** Time at which the recording was added, in milliseconds since 1970. */
  added: number;
  /** Whether all of the recording was listened to. */
  isWhole: boolean;
  segments: readonly Segment[];
  /** Seconds of the recording, and the code of its language, where they are known. */
  duration?: number;
  language?: string;
}
