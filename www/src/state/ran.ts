/**
 * The largest model that ran on this device's GPU, and the smallest that took the tab with it: evidence that no browser gives of
 * its memory.
 */
import type { Fit } from "hearth-llm";
import { change, settings } from "./settings.js";

/** Notes that a model of so many bytes runs. A smaller one that crashed did so for another reason. */
export function noteRun(bytes: number): void {
  const { ran, crashed } = settings.peek();
  const isPast = crashed > 0 && bytes >= crashed;
  if (bytes > ran || isPast) change({ ran: Math.max(ran, bytes), ...(isPast && { crashed: 0 }) });
}

/** Notes that the tab ended while a model of so many bytes was loaded; 0 if its size is unknown. */
export function noteCrash(bytes: number): void {
  const { ran, crashed } = settings.peek();
  if (bytes > ran && (crashed === 0 || bytes < crashed)) change({ crashed: bytes });
}

/** Returns a verdict in the light of what ran here before. */
export function inLightOfRuns(fit: Fit): Fit {
  const { ran, crashed } = settings.peek();
  const { total } = fit.needs;
  if (fit.verdict === "unknown" && total <= ran) return { ...fit, verdict: "fits", evidence: "measured", reasons: [] };
  const isGuess = fit.verdict === "fits" && fit.evidence === "guessed";
  if (isGuess && crashed > 0 && total >= crashed) return { ...fit, verdict: "unknown", evidence: null };
  return fit;
}
