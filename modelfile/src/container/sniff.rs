//! Identifies a file that is not GGUF, so that the error can say what it is.

/// Most bytes of leading white space that are skipped before looking for text markers.
const MAX_LEADING_SPACE: usize = 64;

/// Describes `bytes`, the beginning of a file whose magic is not GGUF's, in a few words.
pub(super) fn describe(bytes: &[u8]) -> String {
    const BINARY: &[(&[u8], &str)] = &[
        (b"FUGG", "a big-endian GGUF file"),
        (b"lmgg", "an old GGML file (before GGUF)"),
        (b"fmgg", "an old GGMF file (before GGUF)"),
        (b"tjgg", "an old GGJT file (before GGUF)"),
        (b"algg", "an old GGLA adapter file (before GGUF)"),
        (
            b"PK\x03\x04",
            "a zip archive (PyTorch checkpoints are zip files)",
        ),
        (b"\x1f\x8b", "a gzip archive"),
        (b"\x80\x02", "a Python pickle (an old PyTorch checkpoint)"),
    ];
    for (magic, name) in BINARY {
        if bytes.starts_with(magic) {
            return (*name).into();
        }
    }
    if super::safetensors::is_safetensors(bytes) {
        return "a safetensors file (load it with the config.json and tokenizer.json beside it)"
            .into();
    }

    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let space = text
        .iter()
        .take(MAX_LEADING_SPACE)
        .take_while(|b| b.is_ascii_whitespace())
        .count();
    let text = text.get(space..).unwrap_or_default();
    const TEXT: &[(&str, &str)] = &[
        (
            "<!doctype",
            "an HTML page (often a \"not found\" or login page saved under the model's name)",
        ),
        (
            "<html",
            "an HTML page (often a \"not found\" or login page saved under the model's name)",
        ),
        (
            "<?xml",
            "an XML document (often a storage server's error message)",
        ),
        (
            "version https://git-lfs",
            "a Git LFS pointer, not the file it points to",
        ),
        ("{", "a JSON document (often a server's error message)"),
    ];
    for (start, name) in TEXT {
        let head = text.get(..start.len()).unwrap_or_default();
        if head.eq_ignore_ascii_case(start.as_bytes()) {
            return (*name).into();
        }
    }
    if !bytes.is_empty() && bytes.iter().all(|&b| b == 0) {
        return "zero bytes (an unfinished download?)".into();
    }
    let head: Vec<String> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
    format!("bytes {}", head.join(" "))
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn names_what_people_save_by_accident() {
        let cases: &[(&[u8], &str)] = &[
            (b"<!DOCTYPE html><html>", "HTML"),
            (b"\xef\xbb\xbf \r\n <HTML lang=en>", "HTML"),
            (b"PK\x03\x04....", "zip"),
            (b"lmgg\x01\0\0\0", "GGML"),
            (b"tjgg\x03\0\0\0", "GGJT"),
            (b"\x40\0\0\0\0\0\0\0{\"__metadata__\"", "safetensors"),
            (b"version https://git-lfs.github.com/spec/v1", "LFS"),
            (b"{\"error\":\"Unauthorized\"}", "JSON"),
            (b"FUGG\0\0\0\x03", "big-endian"),
            (b"\0\0\0\0\0\0\0\0", "zero"),
            (b"\x01\x02\x03\x04\x05", "01 02 03 04"),
        ];
        for (bytes, word) in cases {
            let found = describe(bytes);
            assert!(found.contains(word), "{found} lacks {word}");
        }
        assert_eq!(describe(b""), "bytes ");
    }
}
