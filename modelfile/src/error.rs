//! The crate's only error type.
//!
//! Every variant has a stable [`Error::code`] (the same string in TypeScript), says what was expected and
//! what was found, and [`Error::hint`] says what the reader can do about it. Every failure that input can cause
//! is reported here; a panic is a defect.

/// Everything that can go wrong, by cause.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The file is not what it claims to be: wrong magic, an absurd count, a length past the end, a bad type.
    #[error("{format} file is malformed at {what}: expected {expected}, found {found}")]
    BadFile {
        /// `"GGUF"`, `"safetensors"`, ...
        format: &'static str,
        /// The field that is wrong, e.g. `"tensor count"`.
        what: String,
        expected: String,
        found: String,
    },

    /// The bytes end before the data that they describe.
    #[error("the file ends too early: {what} needs {needed} bytes, {available} are there")]
    Truncated {
        what: String,
        needed: u64,
        available: u64,
    },

    /// A well-formed file of a model family that is not implemented.
    #[error("unknown architecture \"{found}\"; known: {}", known.join(", "))]
    UnsupportedArchitecture {
        found: String,
        known: Vec<&'static str>,
    },

    /// A tensor stored in a block format that is not implemented.
    #[error("tensor \"{tensor}\" is stored as {found}, which is not supported; supported: {}", supported.join(", "))]
    UnsupportedQuant {
        tensor: String,
        found: String,
        supported: Vec<&'static str>,
    },

    /// A tensor that the architecture needs is not in the file.
    #[error("tensor \"{name}\" is missing from the file")]
    MissingTensor { name: String },

    /// A tensor's shape differs from the one that the model's parameters imply.
    #[error("tensor \"{name}\" has shape {found:?}, expected {expected:?}")]
    TensorShape {
        name: String,
        expected: Vec<u64>,
        found: Vec<u64>,
    },

    /// A required metadata key is absent, or has another type or an impossible value.
    #[error("metadata \"{key}\": expected {expected}, found {found}")]
    Metadata {
        key: String,
        expected: String,
        found: String,
    },

    /// The tokenizer described by the file cannot be built, or refused its input.
    #[error("tokenizer: {message}")]
    Tokenizer { message: String },

    /// The chat template failed: a syntax error, a `raise_exception`, or it ran too long.
    #[error("chat template: {message}")]
    Template { message: String },

    /// The answer's schema or grammar could not be followed.
    #[error("the answer's format: {message}")]
    Grammar { message: String },

    /// Prompt and answer do not fit into the context.
    #[error("the prompt needs {needed} tokens, the context holds {n_ctx}")]
    ContextOverflow { needed: usize, n_ctx: usize },

    /// A request field has an invalid value.
    #[error("invalid request: {field} must be {expected}, found {found}")]
    InvalidRequest {
        field: String,
        expected: String,
        found: String,
    },

    /// Sound that cannot be read, or whose samples are no numbers.
    #[error("the sound cannot be read: {message}")]
    BadAudio { message: String },

    /// A picture that cannot be prepared: no pixels, or too many, or sides that the model does not take.
    #[error("the picture cannot be used: {message}")]
    BadPicture { message: String },

    /// Memory on the device or in the wasm heap ran out.
    #[error("out of memory: {what} needs {needed} bytes, the limit is {available}")]
    OutOfMemory {
        what: String,
        needed: u64,
        available: u64,
    },

    /// WebGPU is not usable here.
    #[error("WebGPU is not available: {reason}")]
    NoWebGpu { reason: String },

    /// The GPU device was lost: driver reset, sleep, or removed hardware.
    #[error("the GPU device was lost: {reason}")]
    DeviceLost { reason: String },

    /// The GPU refused an operation (validation, pipeline creation, read-back).
    #[error("GPU error in {op}: {message}")]
    Gpu { op: String, message: String },

    /// The model computed NaN or infinity: its weights are damaged, or too large for the type they are stored in.
    #[error("the model's logits are not numbers: expected finite ones, found NaN or infinity")]
    NotFinite,

    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,

    /// The session is already generating.
    #[error("busy: another request is running on this session")]
    Busy,

    /// Reading the byte source failed.
    #[error("reading {what} failed: {message}")]
    Io { what: String, message: String },

    /// A state that should be impossible. Please report it.
    #[error("internal error in {what}: {message}")]
    Internal { what: String, message: String },
}

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes the error of a tensor whose shape is not the one that its model implies.
    pub fn tensor_shape(name: &str, expected: &[usize], found: &[usize]) -> Self {
        let wide = |shape: &[usize]| shape.iter().map(|n| *n as u64).collect();
        Error::TensorShape {
            name: name.to_owned(),
            expected: wide(expected),
            found: wide(found),
        }
    }

    /// Returns the stable, machine-readable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Error::BadFile { .. } => "bad_file",
            Error::Truncated { .. } => "truncated_file",
            Error::UnsupportedArchitecture { .. } => "unsupported_architecture",
            Error::UnsupportedQuant { .. } => "unsupported_quant",
            Error::MissingTensor { .. } => "missing_tensor",
            Error::TensorShape { .. } => "tensor_shape",
            Error::Metadata { .. } => "bad_metadata",
            Error::Tokenizer { .. } => "tokenizer_error",
            Error::Template { .. } => "template_error",
            Error::Grammar { .. } => "grammar_error",
            Error::ContextOverflow { .. } => "context_overflow",
            Error::InvalidRequest { .. } => "invalid_request",
            Error::BadAudio { .. } => "bad_audio",
            Error::BadPicture { .. } => "bad_picture",
            Error::OutOfMemory { .. } => "out_of_memory",
            Error::NoWebGpu { .. } => "no_webgpu",
            Error::DeviceLost { .. } => "device_lost",
            Error::Gpu { .. } => "gpu_error",
            Error::NotFinite => "not_finite",
            Error::Cancelled => "cancelled",
            Error::Busy => "busy",
            Error::Io { .. } => "io_error",
            Error::Internal { .. } => "internal_error",
        }
    }

    /// Returns one sentence on what the user can do about the error.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::BadFile { .. } => {
                "Download the file again, or check that it is a model file of this format."
            }
            Error::Truncated { .. } => {
                "The download or copy is incomplete: fetch the file again and compare its size."
            }
            Error::UnsupportedArchitecture { .. } => "Choose a model of one of the known families.",
            Error::UnsupportedQuant { .. } => {
                "Choose another quantisation of the same model, for example Q4_0, Q4_1 or Q8_0."
            }
            Error::MissingTensor { .. } | Error::TensorShape { .. } | Error::Metadata { .. } => {
                "The file was converted incompletely or for another program: take another conversion of the model."
            }
            Error::Tokenizer { .. } => {
                "The file's tokenizer is not supported: take another conversion of the model."
            }
            Error::Template { .. } => {
                "Check the order of the message roles, or pass a chat template of your own."
            }
            Error::Grammar { .. } => {
                "Simplify the schema or grammar that the answer has to follow."
            }
            Error::ContextOverflow { .. } => {
                "Shorten the conversation, start a new one, or load the model with a larger contextSize."
            }
            Error::InvalidRequest { .. } => "Correct the named field.",
            Error::BadAudio { .. } => {
                "Give a WAV file of PCM or 32-bit floats, or samples that the browser decoded."
            }
            Error::BadPicture { .. } => {
                "Give a picture of at most 100 million pixels, neither empty nor very long and narrow."
            }
            Error::OutOfMemory { .. } => {
                "Choose a smaller model, a smaller contextSize, or close other pages that use the GPU."
            }
            Error::NoWebGpu { .. } => {
                "Use a current Chrome, Edge, Firefox or Safari with hardware acceleration on, or allow the CPU with device: \"cpu\"."
            }
            Error::DeviceLost { .. } => "Create the engine again; the model has to be loaded anew.",
            Error::Gpu { .. } => {
                "Update the browser and the graphics driver; if it stays, report it with the message."
            }
            Error::NotFinite => {
                "Load the file again or take another one of this model; with a cache in f16, try kvType \"f32\"."
            }
            Error::Cancelled => "Nothing to do: the request was stopped on purpose.",
            Error::Busy => "Wait for the running request or abort it first.",
            Error::Io { .. } => "Check the network or the disk and try again.",
            Error::Internal { .. } => "Please report this with the message and the model's name.",
        }
    }
}
