//! Two layouts with one id: GGML's Q2_0 has blocks of 64 elements; PrismML's files from before that had blocks of 128,
//! which are called PQ2_0 since.

use super::GgmlType;
use super::header::TensorInfo;
use super::reader::bad;
use crate::error::Result;

/// Settles which layout the tensors of a file have, by the room until the next tensor. Offsets count from the start of
/// the data, which ends at `end` if that is known.
///
/// # Errors
/// [`crate::error::Error::BadFile`] if neither layout fits all of them.
pub(super) fn settle(tensors: &mut [TensorInfo], alignment: u64, end: Option<u64>) -> Result<()> {
    let mut offsets: Vec<u64> = tensors.iter().map(|tensor| tensor.offset).collect();
    offsets.sort_unstable();
    let fits = |tensor: &TensorInfo, size: Option<u64>| {
        let next = offsets.partition_point(|offset| *offset <= tensor.offset);
        let next = offsets.get(next).copied().or(end);
        let room = next.map(|next| next.saturating_sub(tensor.offset));
        match (size, room) {
            (Some(size), Some(room)) => size <= room && room - size < alignment,
            (size, _) => size.is_some(),
        }
    };
    let of_64 = |tensor: &TensorInfo| Some(tensor.size);
    let found = || tensors.iter().filter(|t| t.dtype == GgmlType::Q2_0);
    if found().all(|tensor| fits(tensor, of_64(tensor))) {
        return Ok(());
    }
    if let Some(tensor) = found().find(|tensor| !fits(tensor, of_128(tensor))) {
        return Err(bad(
            format!("type of tensor \"{}\"", tensor.name),
            "Q2_0 in blocks of 64 elements (18 bytes), or of 128 (34 bytes) in every tensor",
            format!("shape {:?} in another number of bytes", tensor.shape),
        ));
    }
    for tensor in tensors.iter_mut().filter(|t| t.dtype == GgmlType::Q2_0) {
        tensor.size = of_128(tensor).unwrap_or(tensor.size);
        tensor.dtype = GgmlType::PQ2_0;
    }
    Ok(())
}

/// Returns the bytes in blocks of 128; `None` if rows are not whole blocks.
fn of_128(tensor: &TensorInfo) -> Option<u64> {
    let (len, bytes) = (GgmlType::PQ2_0.block_len(), GgmlType::PQ2_0.block_bytes());
    let whole = tensor.n_cols().is_multiple_of(len as u64);
    whole.then(|| tensor.size / GgmlType::Q2_0.block_bytes() as u64 / 2 * bytes as u64)
}
