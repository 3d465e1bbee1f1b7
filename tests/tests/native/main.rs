//! The native tests in one program, so that burn is linked once; `cargo xtask test` runs each module in a separate
//! process. Only the bounded fuzzing is a separate program, because it counts the bytes of every allocation.

mod attention;
mod bad_input;
mod chat_template;
mod contract;
mod counters;
mod dequant;
mod drafts;
mod embeddings;
mod experts;
mod faults;
mod folders;
mod gemma270;
mod given;
mod inspect;
mod kernels;
mod layers;
mod logprobs;
mod manifest;
mod pool;
mod projections;
mod readme;
mod sampling;
mod sampling_large;
mod session;
mod shaders;
mod slices;
mod smollm2;
mod structured;
mod tiny;
mod tokenizer;
mod tolerance;
