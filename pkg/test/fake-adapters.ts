/** Adapters of the fake core. */
import type { AdapterInfo, AdapterUse } from "../src/core/wasm-contract.js";
import { CoreError } from "./fake-errors.js";

/** The part of an engine that has adapters. It takes any bytes for one but those that begin with `bad`; the rank is the length of PEFT's settings. */
export class FakeAdapters {
  #kept: AdapterInfo[] = [];

  addAdapter(name: string, bytes: Uint8Array, scale = 1, config = ""): AdapterInfo {
    if (new TextDecoder().decode(bytes.slice(0, 3)) === "bad") {
      throw new CoreError("bad_file", "no adapter", "Take another.");
    }
    if (this.#kept.some((adapter) => adapter.name === name)) throw refused(`"${name}" is taken`);
    const info = { name, scale, rank: config.length, weights: 1, bytes: bytes.length };
    this.#kept.push(info);
    return info;
  }

  removeAdapter(name: string): boolean {
    const before = this.#kept.length;
    this.#kept = this.#kept.filter((adapter) => adapter.name !== name);
    return this.#kept.length < before;
  }

  adapters(): AdapterInfo[] {
    return [...this.#kept];
  }

  protected checkAdapters(asked: readonly AdapterUse[] = []): void {
    const unknown = asked.find(({ name }) => !this.#kept.some((adapter) => adapter.name === name));
    if (unknown !== undefined) throw refused(`"${unknown.name}" is not loaded`);
  }
}

function refused(found: string): CoreError {
  return new CoreError("invalid_request", `invalid request: adapters: ${found}`, "Correct it.");
}
