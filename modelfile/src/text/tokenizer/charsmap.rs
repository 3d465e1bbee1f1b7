//! Checks SentencePiece's normalisation table, `precompiled_charsmap`, because the library that reads it trusts it.
//!
//! Layout: the length of a double array in bytes, u32; its units, u32 each; the replacements, each ending in NUL. A
//! unit is a node, whose offset leads to the block of its children, or (bit 31) a leaf, whose value is an offset into
//! the replacements. Reference: `darts.h` of darts-clone.

/// Returns the reason why `bytes` is not a valid table, if it is not.
pub(super) fn fault(bytes: &[u8]) -> Option<&'static str> {
    const LEAF: u32 = 1 << 31;
    let Some((len, rest)) = bytes.split_first_chunk() else {
        return Some("it has no length");
    };
    let len = u32::from_le_bytes(*len) as usize;
    if len > rest.len() || !len.is_multiple_of(4) || len == 0 {
        return Some("its length is not that of its array");
    }
    let (units, replacements) = rest.split_at(len);
    let Ok(replacements) = std::str::from_utf8(replacements) else {
        return Some("its replacements are not UTF-8");
    };
    let units = units.as_chunks::<4>().0;
    for (at, unit) in units.iter().enumerate() {
        let unit = u32::from_le_bytes(*unit);
        if unit & LEAF != 0 {
            if !replacements.is_char_boundary((unit & !LEAF) as usize) {
                return Some("a replacement is not where it should be");
            }
            continue;
        }
        // A child's index is this one XOR a byte of the text.
        let children = at ^ ((unit >> 10) << ((unit & 1 << 9) >> 6)) as usize;
        if children | 0xff >= units.len() {
            return Some("a node leads out of its array");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(units: &[u32], replacements: &[u8]) -> Vec<u8> {
        let len = (units.len() as u32 * 4).to_le_bytes();
        let units = units.iter().flat_map(|unit| unit.to_le_bytes());
        [&len[..], &units.collect::<Vec<_>>(), replacements].concat()
    }

    #[test]
    fn a_table_that_would_be_read_beyond_its_end_is_refused() {
        let whole = |unit: u32| {
            let mut units = vec![0; 256];
            units[1] = unit;
            units
        };
        assert_eq!(fault(&table(&whole(0), b"a\0")), None);
        let leaf = |value: u32| value | 1 << 31;
        assert_eq!(fault(&table(&whole(leaf(2)), "ä\0".as_bytes())), None);
        let bad: [&[u8]; 7] = [
            &[0xff; 4],
            &[0; 4],
            b"",
            // an out-of-range node, a leaf past the end, one within a character, replacements that are not text
            &table(&whole(1 << 20), b"a\0"),
            &table(&whole(leaf(9)), b"a\0"),
            &table(&whole(leaf(1)), "ä\0".as_bytes()),
            &table(&whole(0), &[0xff]),
        ];
        for bytes in bad {
            assert!(fault(bytes).is_some(), "{bytes:?}");
        }
    }
}
