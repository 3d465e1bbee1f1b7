//! Reads rows of a matrix that a file stores column by column.

/// Calls `take` with the bytes of whole rows, first to last and about `slice_bytes` at a time. `bytes`: [cols, rows]
/// elements of `element` bytes each; `row_bytes` is the length of a row.
///
/// # Errors
/// Any error that `take` returns.
pub fn rows_of_columns<E>(
    bytes: &[u8],
    element: usize,
    row_bytes: usize,
    slice_bytes: usize,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let rows = bytes.len() / row_bytes;
    let at_once = (slice_bytes / row_bytes).clamp(1, rows.max(1));
    let mut slice = vec![0; at_once * row_bytes];
    for first in (0..rows).step_by(at_once) {
        let n = at_once.min(rows - first);
        for (c, column) in bytes.chunks_exact(rows * element).enumerate() {
            let elements = column[first * element..].chunks_exact(element).take(n);
            for (r, value) in elements.enumerate() {
                slice[r * row_bytes + c * element..][..element].copy_from_slice(value);
            }
        }
        take(&slice[..n * row_bytes])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_order_whatever_the_slice() {
        // 5 rows of 3 columns of 2 bytes: element (r, c) is [r, c].
        let columns: Vec<u8> = (0..3)
            .flat_map(|c| (0..5).flat_map(move |r| [r, c]))
            .collect();
        let rows: Vec<u8> = (0..5)
            .flat_map(|r| (0..3).flat_map(move |c| [r, c]))
            .collect();
        for slice_bytes in [0, 6, 7, 12, 13, 29, 30, 1000] {
            let mut found = Vec::new();
            rows_of_columns(&columns, 2, 6, slice_bytes, |rows| {
                found.extend_from_slice(rows);
                Ok::<_, ()>(())
            })
            .unwrap();
            assert_eq!(found, rows, "{slice_bytes}");
        }
        let nothing = rows_of_columns(&[], 2, 6, 6, |_| Err(()));
        assert_eq!(nothing, Ok(()));
    }
}
