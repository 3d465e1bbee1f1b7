/** The real core in Node, and in Deno and Bun where they are installed: the package's own files, in threads. */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultyServer } from "../server.js";
import { compilePackage, HAS_CORE } from "./package.js";

interface Golden {
  prompts: { messages?: { role: "user"; content: string }[]; text: string; greedy_ids: number[] }[];
}

const tiny = join(import.meta.dirname, "../../../tests/goldens/data/tiny");
const model = join(tiny, "tiny_llama.gguf");
const { prompts } = JSON.parse(readFileSync(join(tiny, "tiny_llama.json"), "utf8")) as Golden;
const cache = mkdtempSync(join(tmpdir(), "hearth-cache-"));
const env = { ...process.env, XDG_CACHE_HOME: cache, NO_COLOR: "1" };
const TIMEOUT = 120_000;
let folder = "";

/** Answers all prompts greedily, and prints the ids and what the engine says of itself. */
const SCRIPT = `
import { openAsBlob } from "node:fs";
import { fileURLToPath } from "node:url";
import { Engine } from "hearth-llm";
import * as cache from "hearth-llm/cache";
const [model, threads, prompts] = JSON.parse(process.env.HEARTH_TEST);
const engine = await Engine.create({ model, device: "cpu", threads });
const ids = [];
const blob = await openAsBlob(fileURLToPath(import.meta.resolve("./package.json")));
const refused = await Engine.create({ model: blob, device: "cpu" }).catch(({ code }) => code);
for (const { messages, text, greedy_ids } of prompts) {
  const common = { temperature: 0, max_tokens: greedy_ids.length, return_token_ids: true };
  const answer = messages === undefined
    ? await engine.completions.create({ prompt: text, ...common })
    : await engine.chat.completions.create({ messages, ...common });
  ids.push(answer.choices[0].token_ids);
}
console.log(JSON.stringify({ ids, device: engine.device.kind, threads: engine.device.threads, kept: await cache.list(), refused }));
engine.dispose();
`;

interface Answered {
  ids: number[][];
  device: string;
  threads: number;
  kept: { url: string; complete: boolean }[];
  /** Code of a load from a Blob that Node cannot pass on. */
  refused: string;
}

function run(command: string, args: string[], from: string, threads: number): Promise<Answered> {
  const asked = JSON.stringify([from, threads, prompts]);
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, env: { ...env, HEARTH_TEST: asked } };
    const child = spawn(command, [...args, "answer.mjs"], { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stdout.on("data", (data: Buffer) => (out += data.toString()));
    child.stderr.on("data", (data: Buffer) => (err += data.toString()));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(out) as Answered);
      else reject(new Error(`${command} ended with ${String(code)}: ${out}${err}`));
    });
  });
}

function isThere(command: string): boolean {
  return spawnSync(command, ["--version"]).status === 0;
}

const golden = prompts.map(({ greedy_ids }) => greedy_ids);

beforeAll(() => {
  if (!HAS_CORE) return;
  folder = compilePackage();
  writeFileSync(join(folder, "answer.mjs"), SCRIPT);
}, TIMEOUT);

afterAll(() => {
  for (const path of [folder, cache].filter(Boolean)) rmSync(path, { recursive: true });
});

if (!HAS_CORE) console.warn("SKIPPED: pkg/wasm has no core, so nothing ran on it outside browsers (cargo xtask build)");

describe.skipIf(!HAS_CORE)("the core outside browsers", () => {
  it.each([1, 2])("gives the golden ids in Node, on %i threads", { timeout: TIMEOUT }, async (threads) => {
    const answered = await run(process.execPath, [], model, threads);
    expect(answered).toEqual({ ids: golden, device: "cpu", threads, kept: [], refused: "invalid_request" });
  });

  it("keeps a model of the network, and needs no network for it again", { timeout: TIMEOUT }, async () => {
    const server = new FaultyServer(readFileSync(model));
    const url = await server.listen();
    try {
      for (const round of [1, 2]) {
        const { ids, kept } = await run(process.execPath, [], url, 1);
        expect(ids).toEqual(golden);
        expect(kept).toMatchObject([{ url, complete: true }]);
        // Whatever a second start would still fetch fails.
        if (round === 1) server.faults = { status: 500 };
      }
      expect(server.requests.filter(({ method }) => method === "GET")).toHaveLength(1);
    } finally {
      server.close();
    }
  });

  it.each([
    ["deno", ["run", "-A"]],
    ["bun", []],
  ])("gives the golden ids in %s, where it is installed", { timeout: TIMEOUT }, async (command, args) => {
    if (!isThere(command)) {
      console.warn(`SKIPPED: ${command} is not installed, so the package did not run in it`);
      return;
    }
    const answered = await run(command, args, pathToFileURL(model).href, 2);
    expect(answered).toMatchObject({ ids: golden, device: "cpu", threads: 2 });
  });

  it("serves the golden text from the command, and stops on a signal", { timeout: TIMEOUT }, async () => {
    const bin = join(folder, "dist/node/bin.js");
    const child = spawn(process.execPath, [bin, "serve", model, "--port", "0", "--device", "cpu"], { env });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    try {
      let out = "";
      const baseURL = await new Promise<string>((resolve, reject) => {
        child.stdout.on("data", (data: Buffer) => {
          out += data.toString();
          const url = /at (http:\S+),/.exec(out)?.[1];
          if (url !== undefined) resolve(url);
        });
        void ended.then(() => {
          reject(new Error(`the server ended: ${out}`));
        });
      });
      const client = new OpenAI({ apiKey: "none", baseURL });
      const [first] = prompts;
      const completion = await client.chat.completions.create({
        model: "any",
        messages: first?.messages ?? [],
        temperature: 0,
        max_completion_tokens: 16,
        ...({ return_token_ids: true } as object),
      });
      const [choice] = completion.choices as unknown as { token_ids: number[] }[];
      expect(choice?.token_ids).toEqual(first?.greedy_ids.slice(0, 16));
      child.kill("SIGINT");
      expect(await ended).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("runs the examples", { timeout: TIMEOUT }, async () => {
    for (const name of ["answer.mjs", "serve.mjs"]) {
      cpSync(join(import.meta.dirname, "../../../examples/node", name), join(folder, `example-${name}`));
    }
    const answered = spawnSync(process.execPath, ["example-answer.mjs", model, "Hi, 42!"], {
      cwd: folder,
      env,
      encoding: "utf8",
    });
    expect([answered.status, answered.stdout.length > 20]).toEqual([0, true]);
    expect(answered.stderr).toContain("The model runs on the CPU");
    const child = spawn(process.execPath, ["example-serve.mjs", model], { cwd: folder, env: { ...env, PORT: "0" } });
    const ended = new Promise((resolve) => child.on("close", resolve));
    try {
      const said = await new Promise<string>((resolve) => {
        child.stdout.on("data", (data: Buffer) => {
          resolve(data.toString());
        });
        void ended.then(() => {
          resolve("ended");
        });
      });
      const models = await fetch(`${said.replace(/.* at /s, "").trim()}/models`);
      expect(await models.json()).toMatchObject({ data: [{ id: "tiny_llama" }] });
      child.kill("SIGINT");
      expect(await ended).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("runs the command, and names what is missing", { timeout: TIMEOUT }, () => {
    const bin = join(folder, "dist/node/bin.js");
    const said = spawnSync(process.execPath, [bin, "run", join(folder, "none.gguf"), "Hi"], { env, encoding: "utf8" });
    expect(said.status).toBe(1);
    expect(said.stderr).toContain(`there is no file ${join(folder, "none.gguf")} (io_error)`);
  });
});
