//! The native tests in one program: burn is linked once, and what is slow to make (devices, the real models) is shared.
//! Only the bounded fuzzing is apart, because it counts the bytes that everything allocates.

mod attention;
mod bad_input;
mod chat_template;
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
mod logprobs;
mod pool;
mod projections;
mod readme;
mod sampling;
mod sampling_large;
mod session;
mod slices;
mod smollm2;
mod structured;
mod tiny;
mod tokenizer;
mod tolerance;
