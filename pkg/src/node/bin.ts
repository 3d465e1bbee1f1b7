#!/usr/bin/env node
/** The command's entry point; the logic is in `commands.ts`. */
import "./platform.js";
import { main } from "./commands.js";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

process.exitCode = await main({
  args: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  out: (text) => {
    process.stdout.write(text);
  },
  err: (text) => {
    process.stderr.write(text);
  },
  isTerminal: process.stderr.isTTY,
  onStop: (stop) => {
    for (const signal of SIGNALS) process.on(signal, stop);
    return () => {
      for (const signal of SIGNALS) process.off(signal, stop);
    };
  },
});
