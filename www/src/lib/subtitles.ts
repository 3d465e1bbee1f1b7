/**
 * Subtitle files: SubRip (`.srt`) and WebVTT (`.vtt`), written as the package writes them (`audio/src/subtitles.rs`), which would
 * listen to the recording again.
 */

export interface Cue {
  /** Seconds from the beginning. */
  start: number;
  end: number;
  text: string;
}

export type SubtitleFormat = "srt" | "vtt";

export function subtitles(format: SubtitleFormat, cues: readonly Cue[]): string {
  const point = format === "srt" ? "," : ".";
  const written = cues.map(({ start, end, text }, index) => {
    const number = format === "srt" ? `${String(index + 1)}\n` : "";
    return `${number}${time(start, point)} --> ${time(end, point)}\n${escaped(format, lines(text))}\n\n`;
  });
  return (format === "vtt" ? "WEBVTT\n\n" : "") + written.join("");
}

/** WebVTT would read signs as tags; SubRip has no way to write an arrow. */
function escaped(format: SubtitleFormat, text: string): string {
  if (format === "srt") return text.replaceAll("-->", "->");
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Returns the text without blank lines, which would end a cue. */
function lines(text: string): string {
  const all = text.split(/\r?\n/).map((line) => line.trim());
  return all.filter((line) => line !== "").join("\n");
}

/** Returns seconds as `00:00:00,000`, rounded to the nearest millisecond. */
function time(seconds: number, point: string): string {
  const all = Math.round(Math.max(0, seconds) * 1000);
  const [hours, minutes, rest] = [Math.floor(all / 3_600_000), Math.floor(all / 60_000) % 60, all % 60_000];
  const two = (value: number): string => String(value).padStart(2, "0");
  const ms = String(rest % 1000).padStart(3, "0");
  return `${two(hours)}:${two(minutes)}:${two(Math.floor(rest / 1000))}${point}${ms}`;
}
