//! Resolves `Range: bytes=...` against a length (RFC 9110, section 14).

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Asked {
    /// No range, or one that a server may ignore: several ranges, other units, nonsense.
    Whole,
    /// A part inside the file: first byte and count.
    Part { start: u64, length: u64 },
    /// A range beyond the end: 416.
    Outside,
}

pub fn parse(header: Option<&str>, total: u64) -> Asked {
    let Some(spec) = header.and_then(|value| value.trim().strip_prefix("bytes=")) else {
        return Asked::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else {
        return Asked::Whole;
    };
    match (number(first), number(last)) {
        (Some(start), Some(end)) if start <= end => part(start, end, total),
        (Some(start), None) if last.trim().is_empty() => part(start, u64::MAX, total),
        // The last `count` bytes; all of them if there are fewer.
        (None, Some(count)) if first.trim().is_empty() => match count.min(total) {
            0 => Asked::Outside,
            length => Asked::Part {
                start: total - length,
                length,
            },
        },
        _ => Asked::Whole,
    }
}

/// Resolves a range whose last byte is `end`, which may lie beyond the file.
fn part(start: u64, end: u64, total: u64) -> Asked {
    if start >= total {
        return Asked::Outside;
    }
    Asked::Part {
        start,
        length: end.min(total - 1) - start + 1,
    }
}

/// Parses digits only: `parse` would accept a sign.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_file_of_ten_bytes() {
        let part = |start, length| Asked::Part { start, length };
        for (header, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=2-5", part(2, 4)),
            ("bytes=0-9", part(0, 10)),
            ("bytes=5-99", part(5, 5)),
            ("bytes=9-", part(9, 1)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-99", part(0, 10)),
            ("bytes=10-", Asked::Outside),
            ("bytes=10-20", Asked::Outside),
            ("bytes=-0", Asked::Outside),
            ("bytes=5-2", Asked::Whole),
            ("bytes=0-1,4-5", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=99999999999999999999-", Asked::Whole),
            ("items=0-1", Asked::Whole),
        ] {
            assert_eq!(parse(Some(header), 10), expected, "{header}");
        }
        assert_eq!(parse(None, 10), Asked::Whole);
    }

    #[test]
    fn nothing_lies_inside_an_empty_file() {
        for header in ["bytes=0-0", "bytes=0-", "bytes=-1"] {
            assert_eq!(parse(Some(header), 0), Asked::Outside, "{header}");
        }
    }
}
