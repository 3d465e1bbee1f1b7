import { describe, expect, it } from "vitest";
import { missing, parseLog, withSpan } from "../src/cache/log.js";

describe("the log", () => {
  const first = '{"url":"http://a/","total":10,"etag":null,"modified":null}\n';

  it("does not count a line that was not finished", () => {
    const text = `${first}{"from":0,"to":4}\n{"from":6,"to":8}\n{"from":4,"to"`;
    expect(parseLog(text)?.spans).toEqual([
      { from: 0, to: 4 },
      { from: 6, to: 8 },
    ]);
    expect(parseLog(`${first}{"complete":true,"size":10,"time":5}`)?.complete).toBe(false);
    expect(parseLog('{"from":0,"to":4}\n')).toBeUndefined();
  });

  it("joins spans and knows what is missing", () => {
    const spans = [
      { from: 2, to: 4 },
      { from: 8, to: 9 },
    ];
    expect(missing(spans, 10)).toEqual([
      { from: 0, to: 2 },
      { from: 4, to: 8 },
      { from: 9, to: 10 },
    ]);
    expect(withSpan(spans, { from: 4, to: 8 })).toEqual([{ from: 2, to: 9 }]);
  });

  it("loses no line behind a torn one", () => {
    const text = '{"url":"http://a/","total":10}\n{"from":0,"to"{"from":4,"to":6}\n{"later":1}\n{"from":6,"to":8}\n';
    expect(parseLog(text)?.spans).toEqual([{ from: 6, to: 8 }]);
    const bad =
      '{"url":"http://a/","total":10}\n{"from":-1,"to":4}\n{"from":3,"to":11}\n{"complete":true,"size":"x"}\n';
    expect(parseLog(bad)).toMatchObject({ spans: [], complete: false });
  });
});
