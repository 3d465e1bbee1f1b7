/** Tabs that share a model and lose each other: no token of an answer may be lost or come twice. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SharedEngine } from "../src/shared/index.js";
import { QUIET_MS, Watch } from "../src/shared/watch.js";
import { code } from "./engine-support.js";
import { Browser, idsOf, type Tab } from "./shared-browser.js";
import { complete, settle, until } from "./shared-support.js";

let browser = new Browser();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
});

afterEach(() => {
  for (const tab of browser.tabs) tab.kill();
  browser = new Browser();
  vi.useRealTimers();
});

interface Opened {
  tab: Tab;
  engine: SharedEngine;
}

async function open(): Promise<Opened> {
  const tab = browser.tab();
  return { tab, engine: await tab.create() };
}

/** Lets the clock run with the tabs' work between, as `setTimeout` is the only thing that waits. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) {
    await settle(10);
    await vi.advanceTimersByTimeAsync(250);
  }
  await settle();
}

/** Returns a promise of the moment at which an answer has so many ids, and what notes them. */
function counter(count: number): { reached: Promise<void>; onIds: (ids: readonly number[]) => void } {
  let resolve = (): void => undefined;
  const reached = new Promise<void>((done) => {
    resolve = done;
  });
  return {
    reached,
    onIds: (ids) => {
      if (ids.length >= count) resolve();
    },
  };
}

describe("a leader", () => {
  it.each(["killed", "disposed"])(
    "is %s at any token of the others' answers, 20 times, and they go on",
    async (how) => {
      const opened = [await open(), await open(), await open()];
      const sum = { answers: 0, handovers: 0 };
      for (let round = 0; round < 20; round++) {
        const leader = opened.find(({ engine }) => engine.role === "leader");
        if (leader === undefined) throw new Error("no tab leads");
        const others = opened.filter((one) => one !== leader);
        const { reached, onIds } = counter(1 + ((round * 37) % 90));
        const answers = others.map(({ engine }, index) =>
          complete(engine, { seed: round, prompt: `p${String(index)}`, count: 100 }, index === 0 ? { onIds } : {}),
        );
        await reached;
        if (how === "killed") leader.tab.kill();
        else {
          const own = code(complete(leader.engine, { seed: round, prompt: "own", count: 1e6 }));
          leader.engine.dispose();
          expect(await own).toBe("disposed");
        }
        expect(await Promise.all(answers)).toEqual(others.map((_, i) => idsOf(round, `p${String(i)}`, 100)));
        opened.splice(opened.indexOf(leader), 1);
        opened.push(await open());
        expect(browser.models).toBe(1);
        sum.answers += answers.length;
        sum.handovers += 1;
      }
      expect(sum).toEqual({ answers: 40, handovers: 20 });
      expect(browser.tabs.reduce((loads, tab) => loads + tab.loads, 0)).toBe(21);
    },
  );

  it("that was frozen is replaced after 5 s, and follows when it wakes", async () => {
    const old = await open();
    const others = [await open(), await open()];
    const { reached, onIds } = counter(30);
    const own = complete(old.engine, { seed: 9, prompt: "own", count: 200 }, { onIds });
    await reached;
    old.tab.freeze();
    const answers = others.map(({ engine }, index) => complete(engine, { seed: index, prompt: "a", count: 50 }));
    await pass(4500);
    expect(others.map(({ engine }) => engine.role)).toEqual(["follower", "follower"]);
    await pass(4000);
    expect(await Promise.all(answers)).toEqual([idsOf(0, "a", 50), idsOf(1, "a", 50)]);
    expect(others.map(({ engine }) => engine.role).sort()).toEqual(["follower", "leader"]);
    old.tab.wake();
    expect(await own).toEqual(idsOf(9, "own", 200));
    await until(() => old.engine.role === "follower");
    expect(browser.models).toBe(1);
    expect(old.tab.roles).toEqual(["leader", "follower"]);
    // One took over, of two tabs that noticed at the same time.
    expect(browser.tabs.reduce((loads, tab) => loads + tab.loads, 0)).toBe(2);
  });

  it("that is frozen in the middle of a follower's answer costs it no token, though it goes on when it wakes", async () => {
    const old = await open();
    const next = await open();
    const { reached, onIds } = counter(40);
    const answer = complete(next.engine, { seed: 5, prompt: "a", count: 150 }, { onIds });
    await reached;
    old.tab.freeze();
    await pass(6500);
    // The new leader waits for the old one's end, as there may not be room for two models.
    expect(next.engine.role).toBe("leader");
    expect([next.tab.loads, browser.models]).toEqual([0, 1]);
    old.tab.wake();
    await settle(100);
    expect([next.tab.loads, browser.models]).toEqual([1, 1]);
    await pass(3000);
    expect(await answer).toEqual(idsOf(5, "a", 150));
    expect(next.engine.role).toBe("leader");
    expect(browser.models).toBe(1);
  });

  it("that answers late, but answers, is kept", async () => {
    const old = await open();
    const next = await open();
    old.tab.freeze();
    const answer = complete(next.engine, { seed: 5, prompt: "a", count: 10 });
    await pass(4500);
    old.tab.wake();
    await pass(3000);
    expect(await answer).toEqual(idsOf(5, "a", 10));
    expect(old.engine.role).toBe("leader");
    expect(next.tab.loads).toBe(0);
  });

  it("that works for long without a token is kept", async () => {
    const old = await open();
    const next = await open();
    const first = new AbortController();
    const long = code(complete(old.engine, { seed: 1, prompt: "a", count: 1e6 }, { signal: first.signal }));
    const waiting = complete(next.engine, { seed: 2, prompt: "a", count: 10 });
    await pass(20_000);
    first.abort();
    expect(await long).toBe("cancelled");
    expect(await waiting).toEqual(idsOf(2, "a", 10));
    expect(old.engine.role).toBe("leader");
  });

  it("whose page is put aside gives the model to the next tab, and comes back as a follower", async () => {
    const old = await open();
    const next = await open();
    const { reached, onIds } = counter(20);
    const own = complete(old.engine, { seed: 1, prompt: "a", count: 100 }, { onIds });
    await reached;
    old.tab.page.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    await settle();
    expect(next.engine.role).toBe("leader");
    expect(old.tab.workers.size).toBe(0);
    old.tab.page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    expect(await own).toEqual(idsOf(1, "a", 100));
    expect(old.engine.role).toBe("follower");
  });

  it("that is told of its freezing gives the model away, unless it is alone", async () => {
    const old = await open();
    old.tab.page.dispatchEvent(new Event("freeze"));
    await settle();
    expect(browser.models).toBe(1);
    const next = await open();
    expect(next.engine.role).toBe("follower");
    old.tab.page.dispatchEvent(new Event("freeze"));
    await until(() => next.engine.role === "leader" && next.tab.workers.size === 1);
    expect(browser.models).toBe(1);
    const own = complete(old.engine, { seed: 1, prompt: "a", count: 10 });
    old.tab.page.dispatchEvent(new Event("resume"));
    expect(await own).toEqual(idsOf(1, "a", 10));
    expect(old.engine.role).toBe("follower");
  });

  it("loses its device, and the answers of all tabs go on", async () => {
    const old = await open();
    const next = await open();
    const { reached, onIds } = counter(20);
    const answer = complete(next.engine, { seed: 1, prompt: "a", count: 100 }, { onIds });
    await reached;
    const lost = next.engine.loseDevice();
    await pass(1000);
    await lost;
    expect(await answer).toEqual(idsOf(1, "a", 100));
    expect(old.engine.role).toBe("leader");
  });

  it("whose engine is ended by a request answers that one with the reason; the others go on elsewhere", async () => {
    const old = await open();
    const [next, last] = [await open(), await open()];
    const trapped = code(complete(next.engine, { seed: 1, prompt: "!trap", count: 10 }));
    const waiting = complete(last.engine, { seed: 1, prompt: "a", count: 10 });
    expect(await trapped).toBe("internal_error");
    expect((await old.engine.closed).code).toBe("internal_error");
    expect(await waiting).toEqual(idsOf(1, "a", 10));
    expect(await complete(next.engine, { seed: 2, prompt: "a", count: 10 })).toEqual(idsOf(2, "a", 10));
    expect(browser.models).toBe(1);
  });
});

describe("the clock of a leader's silence", () => {
  it("allows for a tab that slept itself", () => {
    const [ask, silent] = [vi.fn(), vi.fn()];
    const watch = new Watch(ask, silent);
    const sleep = (): void => {
      vi.setSystemTime(Date.now() + 60_000);
    };
    watch.begin();
    vi.advanceTimersByTime(QUIET_MS);
    expect(ask).toHaveBeenCalledTimes(1);
    sleep();
    vi.advanceTimersByTime(QUIET_MS);
    expect([ask.mock.calls.length, silent.mock.calls.length]).toEqual([2, 0]);
    watch.heard();
    vi.advanceTimersByTime(QUIET_MS);
    sleep();
    vi.advanceTimersByTime(QUIET_MS);
    expect(silent).not.toHaveBeenCalled();
    // A tab in the background, whose timers are always late, gives up in the end.
    sleep();
    vi.advanceTimersByTime(QUIET_MS);
    expect(silent).toHaveBeenCalledTimes(1);
    watch.end();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a follower", () => {
  it("that is frozen holds back neither the leader nor other tabs, and misses nothing", async () => {
    const leader = await open();
    const [sleeper, other] = [await open(), await open()];
    const { reached, onIds } = counter(20);
    const stop = new AbortController();
    const { signal } = stop;
    let ids: readonly number[] = [];
    const watch = (found: readonly number[]): void => {
      ids = found;
      onIds(found);
    };
    const answer = code(complete(sleeper.engine, { seed: 1, prompt: "a", count: 1e6 }, { signal, onIds: watch }));
    await reached;
    sleeper.tab.freeze();
    const [before, had] = [browser.messages, ids.length];
    expect(await complete(other.engine, { seed: 2, prompt: "b", count: 20 })).toEqual(idsOf(2, "b", 20));
    // A few messages wait for the frozen tab; the answer of the other one takes two for each step.
    expect(browser.messages - before).toBeLessThan(80);
    expect(ids.length).toBe(had);
    sleeper.tab.wake();
    await until(() => ids.length > had + 1000);
    stop.abort();
    expect(await answer).toBe("cancelled");
    expect(ids).toEqual(idsOf(1, "a", ids.length));
    expect(leader.engine.role).toBe("leader");
    expect(sleeper.tab.loads).toBe(0);
  });

  it("notices lost messages, and misses nothing", async () => {
    await open();
    const { engine, tab } = await open();
    const began = Date.now();
    let count = 0;
    browser.loses = (message) => (message as { to?: string }).to === "follower" && ++count % 7 === 0;
    let found: number[] | undefined;
    void complete(engine, { seed: 1, prompt: "a", count: 200 }).then((ids) => {
      found = ids;
    });
    while (found === undefined && Date.now() - began < 600_000) await pass(2500);
    expect(found).toEqual(idsOf(1, "a", 200));
    expect(tab.loads).toBe(0);
    expect(count).toBeGreaterThan(50);
  });

  it("does not listen to an earlier leader", async () => {
    await open();
    const { engine, tab } = await open();
    const { reached, onIds } = counter(20);
    const answer = complete(engine, { seed: 1, prompt: "a", count: 100 }, { onIds });
    await reached;
    const types: unknown[] = [];
    browser.loses = (message) => {
      types.push((message as { type?: string }).type);
      return false;
    };
    const own = [...browser.channels].find((channel) => channel.tab === tab && channel.name.split(":").length === 3);
    const earlier = browser.tab().place.channel(own?.name ?? "");
    const error = { code: "bad_file", message: "", hint: "" };
    const items = [{ type: "welcome" }, { type: "failed", error }, { type: "again" }];
    earlier.postMessage({ to: "follower", epoch: 1, link: 1, seq: 1, items });
    expect(await answer).toEqual(idsOf(1, "a", 100));
    expect(types.length).toBeGreaterThan(20);
    expect(types).not.toContain("hello");
  });

  it("leaves nothing behind in the leader", async () => {
    const leader = await open();
    const [locks, channels] = [browser.locks.held, browser.channels.size];
    for (let i = 0; i < 10; i++) {
      const { engine, tab } = await open();
      void complete(engine, { seed: i, prompt: "a", count: 1e6 }).catch(() => undefined);
      await settle();
      if (i % 2 === 0) tab.kill();
      else engine.dispose();
    }
    await settle();
    expect([browser.locks.held, browser.channels.size]).toEqual([locks, channels]);
    expect(await complete(leader.engine, { seed: 2, prompt: "b", count: 5 })).toEqual(idsOf(2, "b", 5));
    leader.engine.dispose();
    await settle();
    expect([browser.locks.held, browser.channels.size, browser.models]).toEqual([0, 0, 0]);
    // Tabs that were killed left theirs in this process.
    expect(vi.getTimerCount()).toBe(5);
  });
});
