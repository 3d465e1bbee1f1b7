/** A model's files, fetched while another model may be running. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as cache from "../src/cache/index.js";
import { fetchModel, type LoadProgress } from "../src/index.js";
import { create, FILE, useFakeCore } from "./engine-support.js";
import { Opfs } from "./opfs.js";
import { FaultyServer } from "./server.js";

useFakeCore();

let opfs: Opfs;
let server: FaultyServer;
let url: string;

beforeEach(async () => {
  opfs = new Opfs();
  opfs.install();
  server = new FaultyServer(FILE);
  url = await server.listen();
});

afterEach(() => {
  server.close();
});

describe("fetchModel", () => {
  it("keeps the file, with which an engine starts without the network", async () => {
    const seen: LoadProgress[] = [];
    expect(await fetchModel({ model: url, onProgress: (progress) => seen.push(progress) })).toBe(true);
    expect(seen.at(-1)).toEqual({ phase: "download", loaded: FILE.length, total: FILE.length });
    expect(await cache.list()).toMatchObject([{ url, complete: true, bytes: FILE.length }]);
    server.close();
    expect((await create({ model: url })).model.weight_bytes).toBe(FILE.length);
  });

  it("fetches nothing for a file that is here, and says that it cannot keep one without a file system", async () => {
    expect(await fetchModel({ model: new Blob([FILE]) })).toBe(true);
    vi.stubGlobal("navigator", {});
    expect(await fetchModel({ model: url })).toBe(false);
    expect(server.requests).toEqual([]);
  });

  it("ends early where there is no room for the file", async () => {
    opfs.room = 1000;
    expect(await fetchModel({ model: url })).toBe(false);
  });

  it("fails as a load does, and is cancelled", async () => {
    server.faults = { status: 404 };
    await expect(fetchModel({ model: url })).rejects.toMatchObject({ code: "download_http", status: 404 });
    server.faults = { stallAfter: 5000 };
    const controller = new AbortController();
    const failed = fetchModel({ model: url, signal: controller.signal });
    await vi.waitFor(() => {
      expect(server.requests.length).toBeGreaterThan(1);
    });
    controller.abort();
    await expect(failed).rejects.toMatchObject({ code: "cancelled" });
  });
});
