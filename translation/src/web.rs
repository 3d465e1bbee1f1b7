//! The surface that JavaScript sees: classes, JSON, errors with a code. No logic.
//!
//! ```ts
//! // One load: texts of the folder first (those that it has), then the weights in pieces of any size.
//! class TranslationLoader {
//!   constructor();
//!   /** Names of the files to give, where a folder has them: JSON, a list. Those with `"binary": true` go to `file`. */
//!   static files(): string; // [{ "name": "config.json", "binary": false, "required": true }, ...]
//!   text(name: string, text: string): void;       // config.json, generation_config.json, tokenizer.json, tokenizer_config.json,
//!                                                 // vocab.json, added_tokens.json, special_tokens_map.json, README.md
//!   file(name: string, bytes: Uint8Array): void;  // source.spm, target.spm, spiece.model, sentencepiece.bpe.model
//!   push(chunk: Uint8Array): void;                // model.safetensors (shards one after another), or one GGUF file and no texts
//!   finish(): Translator;                         // the loader is gone afterwards
//! }
//! class Translator {
//!   /** { family: "t5" | "marian" | "m2m100" | "nllb", name: string | null, licence: string | null, parameters: number,
//!    *    bytes: number, maxInputTokens: number | null, maxOutputTokens: number } */
//!   info(): string;
//!   /** { sources: string[], targets: string[], needsSource: boolean, needsTarget: boolean, plain: boolean }
//!    *  BCP-47 codes. No `sources`: the model is not told the language of its input, and reads those that it learnt.
//!    *  `plain`: a text without a target is taken as it is ("text to text", with an instruction of its own). */
//!   languages(): string;
//!   /** Tokens that the text takes as input, its marks included. Long texts are cut into sentences before. */
//!   countTokens(text: string, source: string | undefined, target: string | undefined): number;
//!   /** One segment. `maxTokens`: limit of the answer; default 2 * input + 10, and never more than the model's. */
//!   begin(text: string, source?: string, target?: string, maxTokens?: number): TranslationRun;
//! }
//! class TranslationRun {
//!   /** The next event as JSON, or undefined after `done`. To stop, call `free()` instead.
//!    *  { type: "encoding", layer: number, layers: number }
//!    *  { type: "token", text: string, tokens: number }     // text: the characters that it completes, often none
//!    *  { type: "done", text: string, inputTokens: number, tokens: number, finish: "stop" | "length" | "repetition" }
//!    *  `text` of `done` is the whole answer: what is shown at last. */
//!   step(): string | undefined;
//! }
//! ```
//!
//! Each method throws an `Error` named `HearthError` with `code` and `hint`, as the other modules do: `invalid_request` for a pair
//! of languages that the model has not (the message lists those that it has) and for texts without any word,
//! `context_overflow` for a segment longer than the model's input, `unsupported_architecture`, `missing_tensor`, `bad_metadata`,
//! `tokenizer_error`, `bad_file`, `truncated_file`, `out_of_memory`, `not_finite`.
