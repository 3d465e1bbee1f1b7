/**
 * Serves the page built with the fake core (`npm run build:fake -w hearth-www`), with the fault injection of
 * `cargo xtask serve --faults`: `cut`, `stall`, `slow`, `status`, `norange`, `wrong_length`, `flip`, `times`.
 */
import { createServer } from "node:http";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const page = join(root, "node_modules/.cache/hearth-fake");
const MODEL = Buffer.concat([Buffer.from("GGUF"), Buffer.alloc(24_000_000, 7)]);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const counters = new Map();

function find(path) {
  if (path.startsWith("/models/")) return MODEL;
  const clean = normalize(path).replace(/^(\.\.[/\\])+/, "");
  const file = path.startsWith("/tests/") ? join(root, clean) : join(page, clean === "/" ? "index.html" : clean);
  return existsSync(file) && statSync(file).isFile() ? readFileSync(file) : undefined;
}

createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost");
  let faults = url.searchParams;
  if (faults.has("times")) {
    const count = (counters.get(url.href) ?? 0) + 1;
    counters.set(url.href, count);
    if (count > Number(faults.get("times"))) faults = new URLSearchParams();
  }
  const limit = (name) => (faults.has(name) ? Number(faults.get(name)) : Infinity);
  let body = find(url.pathname);
  if (body === undefined || faults.has("status")) {
    response.writeHead(body === undefined ? 404 : limit("status"), { "Content-Type": "text/plain" }).end("no");
    return;
  }
  if (faults.has("flip")) {
    body = Buffer.from(body);
    body[limit("flip")] ^= 0xff;
  }
  const total = body.length + (faults.has("wrong_length") ? Number(faults.get("wrong_length") || 1) : 0);
  const range = faults.has("norange") ? null : /^bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
  const start = range === null ? 0 : Number(range[1]);
  const stop = range === null || range[2] === "" ? total : Math.min(total, Number(range[2]) + 1);
  if (start > 0 && start >= total) {
    response.writeHead(416, { "Content-Range": `bytes */${total}` }).end();
    return;
  }
  response.writeHead(range === null ? 200 : 206, {
    "Content-Type": TYPES[extname(url.pathname === "/" ? "index.html" : url.pathname)] ?? "application/octet-stream",
    "Content-Length": stop - start,
    ETag: `"${body.length}"`,
    ...(range === null ? {} : { "Content-Range": `bytes ${start}-${stop - 1}/${total}` }),
  });
  send(response, body.subarray(start, stop), limit("cut"), limit("stall"), limit("slow"), stop - start);
}).listen(Number(process.argv[2] ?? 8931), "localhost");

async function send(response, rest, cut, stall, slow, claimed) {
  const end = Math.min(cut, stall, rest.length);
  const step = Math.min(slow / 10, 1 << 20);
  for (let at = 0; at < end && !response.destroyed; at += step) {
    const part = rest.subarray(at, Math.min(at + step, end));
    if (!response.write(part)) {
      await drained(response);
    }
    if (slow < Infinity) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  if (end === stall && stall < rest.length) return;
  if (end < claimed) response.destroy();
  else response.end();
}

function drained(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}
