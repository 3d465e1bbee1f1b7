/** Tests of the command's arguments, and of how models are named outside browsers. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, it } from "vitest";
import { readArguments } from "../../src/node/arguments.js";
import { platform } from "../../src/core/platform.js";

// The module sets the parts of the whole process, of which the other tests of this file need none.
const { cacheFolder, locate } = await import("../../src/node/platform.js");
const folder = mkdtempSync(join(tmpdir(), "hearth-arguments-"));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

it("reads what serve needs, and its defaults", () => {
  expect(readArguments(["serve", "a/b"])).toEqual({
    command: "serve",
    model: "a/b",
    device: "auto",
    port: 8080,
    host: "127.0.0.1",
    cors: [],
  });
  const all = "serve m.gguf --port 0 --host ::1 --context 4096 --threads 2 --device cpu --api-key k --speech s/w".split(
    " ",
  );
  expect(readArguments([...all, "--cors", "https://a.example", "--cors=http://localhost:5173"], {})).toEqual({
    command: "serve",
    model: "m.gguf",
    device: "cpu",
    contextSize: 4096,
    threads: 2,
    port: 0,
    host: "::1",
    apiKey: "k",
    speech: "s/w",
    cors: ["https://a.example", "http://localhost:5173"],
  });
  expect(readArguments(["serve", "a/b"], { HEARTH_API_KEY: "e" })).toMatchObject({ apiKey: "e" });
});

it("reads a question of one word or of many", () => {
  expect(readArguments(["run", "a/b", "Who", "are you?"])).toMatchObject({ command: "run", question: "Who are you?" });
  expect(readArguments(["run", "a/b"])).toMatchObject({ question: "" });
  expect(readArguments([])).toEqual({ command: "help" });
  expect(readArguments(["serve", "-h"])).toEqual({ command: "help" });
  expect(readArguments(["--version"])).toEqual({ command: "version" });
});

it.each([
  ["start a/b", '"start"'],
  ["serve", "needs a model"],
  ["serve a/b c/d", '"c/d"'],
  ["serve a/b --prot 1", "--prot"],
  ["serve a/b --port 65536", "--port must be an integer from 0 to 65535"],
  ["serve a/b --port 8o", "--port"],
  ["serve a/b --context 0", "--context"],
  ["serve a/b --threads 1.5", "--threads"],
  ["serve a/b --device gpu", "--device must be auto, cpu or webgpu"],
  ["serve a/b --cors a.example", "--cors must be an origin"],
  ["serve a/b --cors https://a.example/", "--cors must be an origin"],
  ["serve a/b --api-key=", "--api-key"],
  ["run a/b x --port 1", "--port belongs to serve"],
])("refuses %s", (line, reason) => {
  const read = (): unknown => readArguments(line.split(" "));
  expect(read).toThrow(reason);
  expect(read).toThrow(expect.objectContaining({ code: "invalid_request" }) as Error);
});

it("tells paths from names of the Hub", () => {
  const file = join(folder, "tiny model.gguf");
  writeFileSync(file, "");
  mkdirSync(join(folder, "owner/name"), { recursive: true });
  expect(locate(file)).toBe(pathToFileURL(file).href);
  expect(locate(file)).toContain("tiny%20model.gguf");
  // A folder has safetensors.
  expect(locate(join(folder, "owner/name"))).toBe(`${pathToFileURL(folder).href}/owner/name/`);
  expect(locate("owner/name:Q4_K_M")).toBeUndefined();
  expect(locate("https://huggingface.co/owner/name")).toBeUndefined();
  expect(locate("file:///models/m.gguf")).toBeUndefined();
  expect(locate("")).toBeUndefined();
  // A missing file is a path unless the Hub could have it.
  expect(locate("missing.gguf")).toBe(pathToFileURL("missing.gguf").href);
  expect(locate("./owner/name")).toBe(pathToFileURL("owner/name").href);
  expect(platform.locate).toBe(locate);
});

it("keeps models where the system wants caches", () => {
  expect(cacheFolder({ XDG_CACHE_HOME: "/c" }, "linux")).toBe(join("/c", "hearth-llm"));
  expect(cacheFolder({}, "linux")).toBe(join(homedir(), ".cache", "hearth-llm"));
  expect(cacheFolder({ XDG_CACHE_HOME: "", LOCALAPPDATA: "/l" }, "win32")).toBe(join("/l", "hearth-llm"));
});
