/** Checks that ERRORS.md, Rust and TypeScript list the same codes, and that some test provokes each. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CORE_ERROR_CODES, HearthError, HOST_ERROR_CODES, type HearthErrorCode } from "../src/core/errors.js";

const root = join(import.meta.dirname, "../..");
const text = (path: string): string => readFileSync(join(root, path), "utf8");

it("the table has a row for each code, in their order", () => {
  const rows = [...text("ERRORS.md").matchAll(/^\| `(\w+)` \| .+ \| .+ \|$/gm)].map((row) => row[1]);
  expect(rows).toEqual([...CORE_ERROR_CODES, ...HOST_ERROR_CODES]);
});

it("the core has the same codes", () => {
  const source = text("modelfile/src/error.rs");
  const codes = [...source.matchAll(/^ +Error::\w+(?: \{ \.\. \})? => "(\w+)",$/gm)].map((match) => match[1]);
  expect(codes).toEqual([...CORE_ERROR_CODES]);
});

/** Name of the test that provokes each code. */
const PROVOKED: Record<HearthErrorCode, string> = {
  bad_file: "more_bytes_than_announced_are_refused",
  truncated_file: "files_that_do_not_belong_together_are_refused",
  unsupported_architecture: "an_unknown_architecture_lists_the_known_ones",
  unsupported_quant: "an_unsupported_quant_names_the_tensor",
  missing_tensor: "folders_that_lack_something_say_what",
  tensor_shape: "folders_that_lack_something_say_what",
  bad_metadata: "folders_that_lack_something_say_what",
  tokenizer_error: "folders_that_lack_something_say_what",
  template_error: "a template that never ends is stopped, and another model can be loaded",
  grammar_error: "formats_that_cannot_be_followed_are_refused",
  context_overflow: "a prompt beyond the context is refused, and the next one is answered",
  invalid_request: "log_probabilities_are_those_of_the_logits",
  bad_audio: "that is empty says so",
  bad_picture: "that traps is replaced, and the engine lives",
  out_of_memory: "a_fault_is_an_error_of_the_load",
  no_webgpu: "never takes the CPU by itself",
  device_lost: "ends an engine whose stream cannot be read again",
  gpu_error: "a_fault_is_an_error_of_the_answer",
  not_finite: "logits_that_are_not_numbers_end_the_answer",
  cancelled: "obeys an abort while it waits",
  busy: "does not remove what is being read",
  io_error: "files_that_do_not_belong_together_are_refused",
  internal_error: "wrong_lengths_are_errors",
  download_http: "reports a 404 at once, with its status",
  download_stalled: "reports a server that stays quiet",
  download_broken: "reports a connection that never brings a byte",
  download_changed: "refuses to join two versions of a file",
  download_length: "reports an announced length that the file does not have",
  download_checksum: "keeps no file whose SHA-256 is another one",
  wasm_failed: "reports a core that cannot be compiled",
  worker_died: "does not wait for a thread that is gone",
  disposed: "dispose rejects what runs and what comes later",
  remote_unreachable: "mixed content is named",
  remote_auth: "a key that the server refuses is named so",
  remote_model: "never takes another model than the one that is named",
  remote_busy: "a busy server is asked again when it says",
  remote_interrupted: "a broken connection keeps the text that came, wherever it breaks",
  remote_error: "an error within a stream, and an event that is not JSON",
  unsupported_by_server: "that llama.cpp would answer otherwise than an engine are refused",
  document_type: "refuses what it does not read, and says what it is",
  document_damaged: "names a file that is damaged or empty",
  document_encrypted: "asks for the password of an encrypted file",
  document_too_large: "stops at the limits, whatever an archive says of itself",
  document_stalled: "gives up a file that stops, and reads the next",
  extractor_missing: "says what to install",
  audio_undecodable: "that cannot be decoded says so",
  capture_failed: "whose script a page's policy refuses says so",
  picture_undecodable: "gets the faults of pictures as its own",
};

interface Test {
  folder: string;
  /** Source of the test and of the constants it uses. */
  body: string;
}

const FOLDERS = ["pkg/test", "tests/tests", "tests/e2e/specs", "crate/src", "modelfile/src"];

function testsByName(): Map<string, Test> {
  const found = new Map<string, Test>();
  for (const folder of FOLDERS) {
    for (const file of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      if (!/\.(rs|test\.ts|spec\.ts)$/.test(file)) continue;
      const source = text(join(folder, file)).replace(/^ *\/\/.*$/gm, "");
      const constants = [...source.matchAll(/^const (\w+)\b[\s\S]*?;$/gm)];
      const item = file.endsWith(".rs")
        ? /#\[test\]\n(?: *#\[.*\]\n)*( *)fn (\w+)\(\) \{\n[\s\S]*?\n\1\}/g
        : /^( *)(?:it|test)\("([^"]+)", [\s\S]*?^\1\}\);/gm;
      for (const [whole, , name = ""] of source.matchAll(item)) {
        const named = constants.filter(([, constant = ""]) => whole.includes(constant)).map(([line]) => line);
        found.set(name, { folder, body: [whole, ...named].join("\n") });
      }
    }
  }
  return found;
}

const tests = testsByName();

it("each code has a test, and no other has", () => {
  expect(Object.keys(PROVOKED)).toEqual([...CORE_ERROR_CODES, ...HOST_ERROR_CODES]);
});

it.each(Object.entries(PROVOKED))("%s is provoked: %s", (code, name) => {
  const { folder, body } = tests.get(name) ?? { folder: "", body: "there is no such test" };
  expect(body).toContain(`"${code}"`);
  // The test must check the code of an error.
  expect(body).toMatch(/(assert\w*!?\(|expect\()[\s\S]*\bcode\b/);
  // An error thrown by the fake core proves nothing; one thrown by the package itself does.
  if (folder !== "pkg/test") return;
  const sources = readdirSync(join(root, "pkg/src"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  const thrown = sources.map((file) => text(join("pkg/src", file))).join("\n");
  expect(thrown).toMatch(new RegExp(`new HearthError\\(\\s*"${code}"`));
});

it("every error that the package throws says what to do", () => {
  const sources = readdirSync(join(root, "pkg/src"), { recursive: true, encoding: "utf8" });
  const thrown = sources
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) =>
      [...text(join("pkg/src", file)).matchAll(/new HearthError\(\s*"(\w+)"/g)].map(([, code]) => code),
    );
  expect(thrown.length).toBeGreaterThan(40);
  for (const code of new Set(thrown)) expect(new HearthError(code as HearthErrorCode, "").hint, code).not.toBe("");
});
