//! Assembles a response: the file, the range, the head, and the bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Site;
use super::faults::{Counters, Faults};
use super::files::{self, Found};
use super::http::{self, Head, Method, Request};
use super::range::{self, Asked};

const CHUNK: usize = 256 * 1024;

/// Time for which a stalled answer holds its connection, unless the client leaves first.
const STALL: Duration = Duration::from_secs(600);

pub enum Next {
    KeepAlive,
    Close,
}

/// Answers `request`. An error means that the client has left.
pub fn respond(
    request: &Request,
    site: &Site,
    counters: &Counters,
    out: &mut TcpStream,
) -> io::Result<Next> {
    if !request.header("host").is_none_or(is_here) {
        return say(request, site, 403, "expected the host localhost", out);
    }
    let mut faults = Faults::default();
    if site.faults {
        match Faults::parse(&request.query) {
            Ok(parsed) => {
                faults = parsed.counted(&format!("{}?{}", request.path, request.query), counters)
            }
            Err(why) => return say(request, site, 400, &why, out),
        }
    }
    if let Some(status) = faults.status {
        return say(request, site, status, "a fault, as asked for", out);
    }
    match files::find(&site.mounts, &request.path) {
        Found::File(path) => match File::open(&path) {
            Ok(file) => send_file(request, site, &faults, &path, file, out),
            Err(error) => say(
                request,
                site,
                500,
                &format!("cannot open the file: {error}"),
                out,
            ),
        },
        Found::Directory => {
            let mut head = http::plain(301, site.isolated);
            // Two leading slashes would name another host.
            let path = request.path.trim_start_matches('/');
            head.set("Location", format!("/{path}/"));
            finish(request, head, "the directory has a slash at its end\n", out)
        }
        Found::Nothing => say(
            request,
            site,
            404,
            &format!("nothing at {}", request.path),
            out,
        ),
        Found::Refused => say(
            request,
            site,
            400,
            "expected a plain path without dot segments",
            out,
        ),
    }
}

/// Whether a Host header names this machine: another site's name that resolves here is that site's page trying to
/// read along.
fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|here| name.eq_ignore_ascii_case(here))
}

fn send_file(
    request: &Request,
    site: &Site,
    faults: &Faults,
    path: &Path,
    mut file: File,
    out: &mut TcpStream,
) -> io::Result<Next> {
    let meta = file.metadata()?;
    let total = faults.claimed(meta.len());
    let etag = files::etag(&meta);

    if request
        .header("if-none-match")
        .is_some_and(|tags| matches(tags, &etag))
    {
        let mut head = Head::new(304, site.isolated);
        head.set("ETag", etag);
        head.set("Cache-Control", files::cache_control(&request.path));
        return keep(request, head, out);
    }

    // Ranges apply to GET; If-Range turns one off if the client's copy is of another file.
    let stale = request
        .header("if-range")
        .is_some_and(|tag| tag.trim() != etag);
    let header = request
        .header("range")
        .filter(|_| request.method == Method::Get && !faults.norange && !stale);
    let asked = range::parse(header, total);

    let mut head = Head::new(
        if matches!(asked, Asked::Part { .. }) {
            206
        } else {
            200
        },
        site.isolated,
    );
    let (start, length) = match asked {
        Asked::Whole => (0, total),
        Asked::Part { start, length } => {
            head.set(
                "Content-Range",
                format!("bytes {start}-{}/{total}", start + length - 1),
            );
            (start, length)
        }
        Asked::Outside => {
            let mut head = http::plain(416, site.isolated);
            head.set("Content-Range", format!("bytes */{total}"));
            return finish(request, head, "the range lies outside the file\n", out);
        }
    };
    head.set("Content-Type", files::mime(path));
    if let Some((root, policy)) = &site.policy
        && path.starts_with(root)
    {
        head.set("Content-Security-Policy", policy);
    }
    head.set("Content-Length", length.to_string());
    head.set("ETag", etag);
    head.set("Cache-Control", files::cache_control(&request.path));
    if !faults.norange {
        head.set("Accept-Ranges", "bytes");
    }
    let next = keep(request, head, out)?;
    if request.method == Method::Head {
        return Ok(next);
    }
    file.seek(SeekFrom::Start(start))?;
    match send_body(&mut file, start, length, faults, out)? {
        Sent::All => Ok(next),
        Sent::Part => Ok(Next::Close),
    }
}

enum Sent {
    All,
    Part,
}

/// Sends `length` bytes of `file` from its current position, as broken as `faults` request.
fn send_body(
    file: &mut File,
    start: u64,
    length: u64,
    faults: &Faults,
    out: &mut TcpStream,
) -> io::Result<Sent> {
    let whole = length
        .min(faults.cut.unwrap_or(u64::MAX))
        .min(faults.stall.unwrap_or(u64::MAX));
    // Twenty steps per second if the rate is limited.
    let step = faults
        .slow
        .map_or(CHUNK, |rate| (rate / 20).clamp(1, CHUNK as u64) as usize);
    let mut buffer = vec![0; step];
    let begin = Instant::now();
    let mut sent = 0;
    while sent < whole {
        let want = step.min(usize::try_from(whole - sent).unwrap_or(step));
        let count = file.read(&mut buffer[..want])?;
        if count == 0 {
            // Shorter than its head claims: a requested fault, or a file that shrank meanwhile.
            return Ok(Sent::Part);
        }
        let chunk = &mut buffer[..count];
        if let Some(index) = faults
            .flip
            .and_then(|at| at.checked_sub(start + sent))
            .filter(|i| *i < count as u64)
        {
            chunk[index as usize] ^= 0xff;
        }
        out.write_all(chunk)?;
        sent += count as u64;
        if let Some(rate) = faults.slow {
            let due = Duration::from_secs_f64(sent as f64 / rate as f64);
            sleep(due.saturating_sub(begin.elapsed()));
        }
    }
    if faults.stall == Some(whole) && whole < length && faults.cut != Some(whole) {
        // Wait for the client to leave: it sends nothing more, so a read returns when the connection ends.
        out.set_read_timeout(Some(STALL))?;
        let _ = out.read(&mut [0]);
        return Ok(Sent::Part);
    }
    Ok(if sent == length {
        Sent::All
    } else {
        Sent::Part
    })
}

/// Sends a line of text as the response.
fn say(
    request: &Request,
    site: &Site,
    status: u16,
    why: &str,
    out: &mut TcpStream,
) -> io::Result<Next> {
    if site.log_errors {
        eprintln!("serve  {status} {}: {why}", request.path);
    }
    finish(
        request,
        http::plain(status, site.isolated),
        &format!("{} {why}\n", http::reason(status)),
        out,
    )
}

/// Sends the head and a short body; HEAD gets the same head and no body.
fn finish(request: &Request, mut head: Head, body: &str, out: &mut TcpStream) -> io::Result<Next> {
    head.set("Content-Length", body.len().to_string());
    let next = keep(request, head, out)?;
    if request.method == Method::Get {
        out.write_all(body.as_bytes())?;
    }
    Ok(next)
}

/// Writes the head and returns whether the connection stays open.
fn keep(request: &Request, head: Head, out: &mut TcpStream) -> io::Result<Next> {
    if request.close {
        head.close().write(out, None)?;
        return Ok(Next::Close);
    }
    head.write(out, None)?;
    Ok(Next::KeepAlive)
}

/// Whether a list of tags, or `*`, names `etag`. Weak tags compare like strong ones here.
fn matches(tags: &str, etag: &str) -> bool {
    tags.split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag)
}
