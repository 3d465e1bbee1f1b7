//! Maps a request's path to a file that may be served.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Part of the site: a directory under a prefix that ends in `/`, or one file under its own path.
pub struct Mount {
    prefix: String,
    place: PathBuf,
}

impl Mount {
    pub fn new(prefix: impl Into<String>, place: PathBuf) -> Self {
        Self {
            prefix: prefix.into(),
            place,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    File(PathBuf),
    /// A directory requested without its trailing slash: relative links would break.
    Directory,
    Nothing,
    /// A path that no client needs: bad escapes, dot segments.
    Refused,
}

/// Finds the file for `path` as sent. Only files inside a mount are returned, whatever dots, escapes or links the
/// path contains.
pub fn find(mounts: &[Mount], path: &str) -> Found {
    let Some(path) = decode(path) else {
        return Found::Refused;
    };
    // Decoded first: an escaped dot or slash counts as a plain one.
    let bad = |segment: &str| {
        // Dot files are private; a colon is a drive or a stream on Windows.
        segment.starts_with('.') || segment.contains(['\\', ':', '\0'])
    };
    if path.split('/').any(bad) {
        return Found::Refused;
    }
    for mount in mounts {
        if mount.prefix == path && !path.ends_with('/') {
            return if mount.place.is_file() {
                Found::File(mount.place.clone())
            } else {
                Found::Nothing
            };
        }
        if mount.prefix.ends_with('/')
            && let Some(rest) = path.strip_prefix(mount.prefix.as_str())
        {
            return inside(&mount.place, rest);
        }
    }
    Found::Nothing
}

fn inside(root: &Path, rest: &str) -> Found {
    let segments = rest.split('/').filter(|segment| !segment.is_empty());
    let asked = segments.fold(root.to_path_buf(), |path, segment| path.join(segment));
    // Resolved last: a link that leads outside is not ours to serve.
    let (Ok(root), Ok(mut real)) = (root.canonicalize(), asked.canonicalize()) else {
        return Found::Nothing;
    };
    if !real.starts_with(&root) {
        return Found::Nothing;
    }
    if real.is_dir() {
        if !rest.is_empty() && !rest.ends_with('/') {
            return Found::Directory;
        }
        real.push("index.html");
    } else if rest.ends_with('/') {
        return Found::Nothing;
    }
    if real.is_file() {
        Found::File(real)
    } else {
        Found::Nothing
    }
}

fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| (b? as char).to_digit(16);
            bytes.push((digit(rest.next())? * 16 + digit(rest.next())?) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Derives the tag from length and modification time, as other static servers do: same bytes, same tag.
pub fn etag(meta: &Metadata) -> String {
    let written = meta
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!(
        "\"{:x}-{:x}\"",
        meta.len(),
        written.map_or(0, |time| time.as_nanos())
    )
}

pub fn mime(file: &Path) -> &'static str {
    let extension = file
        .extension()
        .map(|end| end.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        // Without it browsers refuse to compile while downloading.
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wav" => "audio/wav",
        "txt" | "md" | "wgsl" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Bundlers put a hash into the names under assets/, so those files never change; all others are revalidated each
/// time.
pub fn cache_control(path: &str) -> &'static str {
    if path.starts_with("/assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_files_inside_a_mount_come_back() {
        let base = std::env::temp_dir().join(format!("hearth-xtask-files-{}", std::process::id()));
        let root = base.join("dist");
        fs::create_dir_all(root.join("sub/deep")).unwrap();
        for file in [
            "dist/index.html",
            "dist/sub/index.html",
            "dist/a b.js",
            "dist/.hidden",
            "secret",
            "model.gguf",
        ] {
            fs::write(base.join(file), "x").unwrap();
        }
        let mounts = [
            Mount::new("/models/m.gguf", base.join("model.gguf")),
            Mount::new("/", root.clone()),
        ];
        let get = |path: &str| find(&mounts, path);
        let file = |name: &str| Found::File(root.canonicalize().unwrap().join(name));

        assert_eq!(get("/"), file("index.html"));
        assert_eq!(get("/sub/"), file("sub/index.html"));
        assert_eq!(get("/sub"), Found::Directory);
        assert_eq!(get("/a%20b.js"), file("a b.js"));
        assert_eq!(get("/models/m.gguf"), Found::File(base.join("model.gguf")));
        for nothing in [
            "/sub/deep/",
            "/index.html/",
            "/nope",
            "/models/other",
            "/models/m.gguf/x",
        ] {
            assert_eq!(get(nothing), Found::Nothing, "{nothing}");
        }
        for refused in [
            "/../secret",
            "/%2e%2e/secret",
            "/sub/..%2f../secret",
            "/..%5csecret",
            "/.hidden",
            "/%zz",
            "/%",
            "/a%00",
            "/C:/x",
        ] {
            assert_eq!(get(refused), Found::Refused, "{refused}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(base.join("secret"), root.join("link")).unwrap();
            assert_eq!(get("/link"), Found::Nothing, "a link out of the mount");
        }
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn types_that_browsers_insist_on() {
        assert_eq!(mime(Path::new("x/hearth_bg.wasm")), "application/wasm");
        assert!(mime(Path::new("worker.JS")).starts_with("text/javascript"));
        assert_eq!(mime(Path::new("m.gguf")), "application/octet-stream");
    }
}
