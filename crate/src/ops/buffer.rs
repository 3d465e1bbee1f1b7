//! Raw device memory underlying tensors: allocation, writes from the host, reads to the host.
//!
//! Weights, KV cache and state are allocated individually outside the runtime's pools: they live as long as the
//! model, so a captured graph may refer to them, and no pool rounds up their size.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use burn_flex::FlexTensor;
use cubecl::server::Handle;

use crate::ops::{flex, kernel};
use hearth_modelfile::error::{Error, Result};

/// Backend extension: raw memory on each backend.
#[backend_extension(Cube, Flex)]
pub trait WordsOp: Backend {
    /// Allocates `n` zeroed u32 words on the device of `device_handle`.
    fn alloc_words(device_handle: IntTensor<Self>, n: usize) -> IntTensor<Self>;
    /// Allocates a zeroed [rows, cols] f32 tensor on the device of `device_handle`.
    fn alloc_f32(device_handle: IntTensor<Self>, rows: usize, cols: usize) -> FloatTensor<Self>;
    /// Creates an uninitialised [rows, cols] f32 tensor on the device of `device_handle`.
    fn empty_f32(device_handle: IntTensor<Self>, rows: usize, cols: usize) -> FloatTensor<Self>;
    /// Creates a tensor of `shape` from `values` on the device of `device_handle`.
    fn upload_f32(
        device_handle: IntTensor<Self>,
        values: Vec<f32>,
        shape: [usize; 2],
    ) -> FloatTensor<Self>;
    /// Returns the values of `x` in rows of another length, in its memory.
    fn in_rows_of(x: FloatTensor<Self>, shape: [usize; 2]) -> FloatTensor<Self>;
    /// Writes `words` from word `at` on; returns `dst`.
    fn write_words(dst: IntTensor<Self>, at: usize, words: Vec<u32>) -> IntTensor<Self>;
    /// Writes the bits of floats from word `at` on; returns `dst`.
    fn write_bits(dst: FloatTensor<Self>, at: usize, words: Vec<u32>) -> FloatTensor<Self>;
}

fn dedicated(device_handle: &CubeTensor, shape: [usize; 2], dtype: DType) -> CubeTensor {
    let bytes = shape[0] * shape[1] * 4;
    let client = &device_handle.client;
    let handle = client.memory_dedicated_allocation((), |()| client.empty(bytes));
    CubeTensor::new_contiguous(
        client.clone(),
        device_handle.device.clone(),
        shape.into(),
        handle,
        dtype,
    )
}

impl WordsOp for CubeBackend {
    fn alloc_words(device_handle: IntTensor<Self>, n: usize) -> IntTensor<Self> {
        dedicated(&device_handle, [1, n], DType::U32)
    }

    fn alloc_f32(device_handle: IntTensor<Self>, rows: usize, cols: usize) -> FloatTensor<Self> {
        dedicated(&device_handle, [rows, cols], DType::F32)
    }

    fn empty_f32(device_handle: IntTensor<Self>, rows: usize, cols: usize) -> FloatTensor<Self> {
        kernel::empty_f32(&device_handle, [rows, cols])
    }

    fn upload_f32(
        device_handle: IntTensor<Self>,
        values: Vec<f32>,
        shape: [usize; 2],
    ) -> FloatTensor<Self> {
        let client = device_handle.client;
        let handle = client.create(cubecl::bytes::Bytes::from_elems(values));
        CubeTensor::new_contiguous(
            client,
            device_handle.device,
            shape.into(),
            handle,
            DType::F32,
        )
    }

    fn in_rows_of(x: FloatTensor<Self>, shape: [usize; 2]) -> FloatTensor<Self> {
        CubeTensor::new_contiguous(x.client, x.device, shape.into(), x.handle, DType::F32)
    }

    fn write_words(dst: IntTensor<Self>, at: usize, words: Vec<u32>) -> IntTensor<Self> {
        write(&dst, at, words);
        dst
    }

    fn write_bits(dst: FloatTensor<Self>, at: usize, words: Vec<u32>) -> FloatTensor<Self> {
        write(&dst, at, words);
        dst
    }
}

fn write(dst: &CubeTensor, at: usize, words: Vec<u32>) {
    let slice = slice_of(dst, at, words.len());
    dst.client
        .write(&slice, cubecl::bytes::Bytes::from_elems(words));
}

/// Returns `len` words of a tensor from word `at` on.
fn slice_of(tensor: &CubeTensor, at: usize, len: usize) -> Handle {
    let total = tensor.handle.size_in_used();
    let (start, size) = (at as u64 * 4, len as u64 * 4);
    let handle = tensor.handle.clone().offset_start(start);
    handle.offset_end(total - start - size)
}

impl WordsOp for Flex {
    fn alloc_words(_device_handle: FlexTensor, n: usize) -> FlexTensor {
        FlexTensor::zeros([1, n].into(), DType::U32)
    }

    fn alloc_f32(_device_handle: FlexTensor, rows: usize, cols: usize) -> FlexTensor {
        FlexTensor::zeros([rows, cols].into(), DType::F32)
    }

    fn empty_f32(_device_handle: FlexTensor, rows: usize, cols: usize) -> FlexTensor {
        FlexTensor::zeros([rows, cols].into(), DType::F32)
    }

    fn upload_f32(_device_handle: FlexTensor, values: Vec<f32>, shape: [usize; 2]) -> FlexTensor {
        flex::tensor(values, shape)
    }

    fn in_rows_of(x: FlexTensor, shape: [usize; 2]) -> FlexTensor {
        flex::tensor(x.storage().to_vec(), shape)
    }

    fn write_words(mut dst: FlexTensor, at: usize, words: Vec<u32>) -> FlexTensor {
        dst.storage_mut::<u32>()[at..at + words.len()].copy_from_slice(&words);
        dst
    }

    fn write_bits(mut dst: FlexTensor, at: usize, words: Vec<u32>) -> FlexTensor {
        let values = dst.storage_mut::<f32>()[at..].iter_mut();
        for (value, word) in values.zip(words) {
            *value = f32::from_bits(word);
        }
        dst
    }
}

/// Returns the GPU's view of a tensor, including its client; `None` on the CPU.
pub fn gpu_tensor(tensor: &Tensor<2, Int>) -> Option<CubeTensor> {
    tensor.clone().try_into_primitive::<CubeBackend>().ok()
}

/// Returns the bytes that the runtime holds on the GPU of `tensor`; 0 on the CPU.
pub fn gpu_bytes(tensor: &Tensor<2, Int>) -> u64 {
    gpu_tensor(tensor).map_or(0, |gpu| {
        let report = gpu.client.memory_report(cubecl::MemoryScope::Device);
        report.usage().bytes_reserved
    })
}

/// Reads `len` words from word `at` on.
///
/// # Errors
/// [`Error::DeviceLost`] or [`Error::Gpu`] if the device cannot answer.
pub async fn read_words(tensor: &Tensor<2, Int>, at: usize, len: usize) -> Result<Vec<u32>> {
    match gpu_tensor(tensor) {
        Some(gpu) => read_bytes(&gpu, at, len).await,
        None => {
            let flex = tensor.clone().try_into_primitive::<Flex>();
            let flex = flex.map_err(no_backend)?;
            Ok(flex.storage::<u32>()[at..at + len].to_vec())
        }
    }
}

/// Reads a whole f32 tensor: logits for tests and log-probabilities.
///
/// # Errors
/// The errors of [`read_words`].
pub async fn read_f32(tensor: &Tensor<2>) -> Result<Vec<f32>> {
    if let Ok(gpu) = tensor.clone().try_into_primitive::<CubeBackend>() {
        let len = gpu.handle.size_in_used() as usize / 4;
        let words = read_bytes(&gpu, 0, len).await?;
        return Ok(words.into_iter().map(f32::from_bits).collect());
    }
    let flex = tensor.clone().try_into_primitive::<Flex>();
    let flex = flex.map_err(no_backend)?;
    Ok(flex.storage::<f32>().to_vec())
}

/// Returns the error for a tensor on neither backend.
fn no_backend(error: impl std::fmt::Debug) -> Error {
    Error::Internal {
        what: "read back".into(),
        message: format!("{error:?}"),
    }
}

/// A piece of what a sequence has.
#[expect(
    clippy::large_enum_variant,
    reason = "words are of the CPU alone, tensors common"
)]
pub enum Piece {
    /// `len` words of a tensor of floats from word `at` on.
    Tensor {
        tensor: Tensor<2>,
        at: usize,
        len: usize,
    },
    /// Words that have been read already.
    Words(Vec<u32>),
}

/// Reads the bits of pieces, one after the other, in one read-back. They are on one device.
///
/// # Errors
/// The errors of [`read_words`].
pub async fn read_pieces(pieces: Vec<Piece>) -> Result<Vec<u32>> {
    let mut words = Vec::new();
    let (mut slices, mut client) = (Vec::new(), None);
    for piece in pieces {
        let (tensor, at, len) = match piece {
            Piece::Tensor { tensor, at, len } => (tensor, at, len),
            Piece::Words(read) => {
                words.extend(read);
                continue;
            }
        };
        match tensor.clone().try_into_primitive::<CubeBackend>() {
            Ok(gpu) => {
                slices.push(slice_of(&gpu, at, len));
                client = Some(gpu.client);
            }
            Err(_) => {
                let flex = tensor.try_into_primitive::<Flex>().map_err(no_backend)?;
                let values = &flex.storage::<f32>()[at..at + len];
                words.extend(values.iter().map(|value| value.to_bits()));
            }
        }
    }
    let Some(client) = client else {
        return Ok(words);
    };
    let read = client.read_async(slices).await;
    let read = read.map_err(|e| gpu_error("read back", &e))?;
    for bytes in read {
        words.extend(words_of(&bytes));
    }
    Ok(words)
}

async fn read_bytes(tensor: &CubeTensor, at: usize, len: usize) -> Result<Vec<u32>> {
    let bytes = tensor
        .client
        .read_async(vec![slice_of(tensor, at, len)])
        .await
        .map_err(|e| gpu_error("read back", &e))?;
    let bytes = bytes.first().ok_or_else(|| Error::Gpu {
        op: "read back".into(),
        message: "no data".into(),
    })?;
    Ok(words_of(bytes).collect())
}

fn words_of(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let words = bytes.chunks_exact(4);
    words.map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// Maps a runtime error, recognising a lost device by the runtime's own variant name.
pub fn gpu_error(op: &str, error: &cubecl::server::ServerError) -> Error {
    let message = format!("{error}");
    if message.contains("poison") || message.contains("lost") {
        Error::DeviceLost { reason: message }
    } else {
        Error::Gpu {
            op: op.into(),
            message,
        }
    }
}
