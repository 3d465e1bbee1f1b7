//! The native tests in one program, so that burn is linked once; `cargo xtask test` runs each module in a separate
//! process. Only the bounded fuzzing is a separate program, because it counts the bytes of every allocation.

mod attention;
mod bad_input;
mod chat_options;
mod chat_template;
mod contract;
mod counters;
mod cpu_threads;
mod dequant;
mod drafts;
mod embeddings;
mod experts;
mod families;
mod faults;
mod hybrids;
mod inspect;
mod kernels;
mod layers;
mod logprobs;
mod manifest;
mod prefill_slices;
mod projections;
mod readme;
mod real_gemma;
mod recurrent;
mod resume;
mod safetensors;
mod sampling;
mod sampling_large;
mod session;
mod shaders;
mod smollm2;
mod structured;
mod tokenizer;
mod tolerance;
mod tool_formats;
