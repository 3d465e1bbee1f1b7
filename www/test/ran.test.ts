import type { Fit } from "hearth-llm";
import { beforeEach, describe, expect, it } from "vitest";
import { inLightOfRuns, noteCrash, noteRun } from "../src/state/ran.js";
import { change, settings } from "../src/state/settings.js";

const fit = (verdict: Fit["verdict"], evidence: Fit["evidence"], total: number): Fit =>
  ({ verdict, evidence, reasons: verdict === "fits" ? [] : ["no evidence"], needs: { total } }) as unknown as Fit;

beforeEach(() => {
  change({ ran: 0, crashed: 0 });
});

describe("what ran on this device", () => {
  it("keeps the largest model that ran and the smallest that crashed", () => {
    for (const bytes of [5, 9, 7]) noteRun(bytes);
    for (const bytes of [0, 9, 30, 20, 25]) noteCrash(bytes);
    expect(settings.value).toMatchObject({ ran: 9, crashed: 20 });
    noteRun(20);
    expect(settings.value).toMatchObject({ ran: 20, crashed: 0 });
  });

  it("is evidence where the browser has none", () => {
    noteRun(9);
    expect(inLightOfRuns(fit("unknown", null, 9))).toMatchObject({
      verdict: "fits",
      evidence: "measured",
      reasons: [],
    });
    expect(inLightOfRuns(fit("unknown", null, 10)).verdict).toBe("unknown");
    expect(inLightOfRuns(fit("does_not_fit", "told", 5)).verdict).toBe("does_not_fit");
  });

  it("doubts a guess, and no measurement, once a smaller model has crashed", () => {
    noteCrash(20);
    expect(inLightOfRuns(fit("fits", "guessed", 19)).verdict).toBe("fits");
    expect(inLightOfRuns(fit("fits", "guessed", 20))).toMatchObject({ verdict: "unknown", evidence: null });
    expect(inLightOfRuns(fit("fits", "measured", 40)).verdict).toBe("fits");
  });
});
