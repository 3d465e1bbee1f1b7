/** llama.cpp's own server with SmolLM2, on a free port. It ends with its input, and so with the test's process. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { LLAMA_PYTHON, root, smollm2File } from "./env.js";

export interface LlamaServer {
  /** Address to name to the page. */
  address: string;
  stop: () => void;
}

export function startLlama(): Promise<LlamaServer> {
  const args = [join(root, "tests/peers/llama_server.py"), smollm2File()];
  const child = spawn(LLAMA_PYTHON ?? "", args, { stdio: ["pipe", "pipe", "ignore"] });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => {
      reject(new Error(`llama.cpp's server ended with ${String(code)}`));
    });
    child.stdout.setEncoding("utf8");
    child.stdout.once("data", (line: string) => {
      const stop = (): void => {
        child.stdin.end();
        child.kill();
      };
      resolve({ address: `${line.trim()}/v1`, stop });
    });
  });
}
