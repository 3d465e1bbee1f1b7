//! The bytes of HTTP/1.1: request heads in, response heads out.

use std::io::{self, BufRead, ErrorKind, Read, Write};

/// Size limit for a request's head. Browsers send under 2 KiB.
const MAX_HEAD: u64 = 16 * 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    Get,
    Head,
}

#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// As sent: percent-encoded, without the query.
    pub path: String,
    pub query: String,
    /// The client closes the connection after this request.
    pub close: bool,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A request that cannot be answered; the connection ends after the reason is sent.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub why: &'static str,
}

fn refuse<T>(status: u16, why: &'static str) -> Result<T, Refusal> {
    Err(Refusal { status, why })
}

/// Reads the next request, or None if the client has left or sent nothing in time.
pub fn read(reader: &mut impl BufRead) -> Result<Option<Request>, Refusal> {
    let mut head = reader.by_ref().take(MAX_HEAD);
    let mut line = String::new();
    let mut next = |line: &mut String| -> Result<bool, Refusal> {
        line.clear();
        match head.read_line(line) {
            Ok(_) if line.ends_with('\n') => {
                line.truncate(line.trim_end_matches(['\r', '\n']).len());
                Ok(true)
            }
            Ok(_) if head.limit() == 0 => refuse(431, "the request's head is larger than 16 KiB"),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                refuse(400, "the request's head is not UTF-8")
            }
            // End of stream, reset or timeout: no client is listening.
            _ => Ok(false),
        }
    };
    // Some clients send a stray blank line after a body.
    while line.is_empty() {
        if !next(&mut line)? {
            return Ok(None);
        }
    }
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return refuse(400, "expected `METHOD /path HTTP/1.1`");
    };
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ => return refuse(405, "only GET and HEAD are served"),
    };
    if !target.starts_with('/') {
        return refuse(400, "expected a path that begins with /");
    }
    let old = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ => return refuse(505, "expected HTTP/1.1"),
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        close: old,
        headers: Vec::new(),
    };
    loop {
        if !next(&mut line)? {
            return Ok(None);
        }
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return refuse(400, "expected `Name: value`");
        };
        request
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if let Some(connection) = request.header("connection") {
        let close = connection.to_ascii_lowercase().contains("close");
        request.close = close || (old && !connection.eq_ignore_ascii_case("keep-alive"));
    }
    // A body would be read as the next request.
    if request.header("transfer-encoding").is_some()
        || request.header("content-length").is_some_and(|n| n != "0")
    {
        return refuse(400, "GET and HEAD take no body");
    }
    Ok(Some(request))
}

/// The head of a response under construction.
pub struct Head {
    status: u16,
    headers: Vec<(&'static str, String)>,
}

impl Head {
    pub fn new(status: u16, isolated: bool) -> Self {
        let mut head = Self {
            status,
            headers: Vec::new(),
        };
        head.set("X-Content-Type-Options", "nosniff");
        if isolated {
            head.set("Cross-Origin-Opener-Policy", "same-origin");
            head.set("Cross-Origin-Embedder-Policy", "require-corp");
            head.set("Cross-Origin-Resource-Policy", "same-origin");
        }
        head
    }

    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.headers.push((name, value.into()));
    }

    pub fn close(mut self) -> Self {
        self.set("Connection", "close");
        self
    }

    /// Writes the head, then `body` with its length. None: the caller has set the length and sends the body.
    pub fn write(mut self, out: &mut impl Write, body: Option<&str>) -> io::Result<()> {
        if let Some(body) = body {
            self.set("Content-Length", body.len().to_string());
        }
        let mut text = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body.unwrap_or_default());
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// Returns the head of a response that is a line of text.
pub fn plain(status: u16, isolated: bool) -> Head {
    let mut head = Head::new(status, isolated);
    head.set("Content-Type", "text/plain; charset=utf-8");
    head.set("Cache-Control", "no-store");
    if status == 405 {
        head.set("Allow", "GET, HEAD");
    }
    head
}

pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        // The reason is for people; clients read the number.
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Request>, Refusal> {
        read(&mut text.as_bytes())
    }

    #[test]
    fn a_request_is_taken_apart() {
        let request = parse("GET /a%20b?x=1&y HTTP/1.1\r\nHost: h\r\nRANGE:  bytes=0-1 \r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!(
            (
                request.method,
                request.path.as_str(),
                request.query.as_str()
            ),
            (Method::Get, "/a%20b", "x=1&y")
        );
        assert_eq!(request.header("range"), Some("bytes=0-1"));
        assert!(!request.close);
    }

    #[test]
    fn keep_alive_follows_version_and_header() {
        let close = |head: &str| {
            parse(&format!("HEAD / {head}\r\n\r\n"))
                .unwrap()
                .unwrap()
                .close
        };
        assert!(!close("HTTP/1.1"));
        assert!(close("HTTP/1.1\r\nConnection: Close"));
        assert!(close("HTTP/1.0"));
        assert!(!close("HTTP/1.0\r\nConnection: keep-alive"));
    }

    #[test]
    fn bad_requests_are_refused_and_silence_is_not_an_error() {
        let status = |text: &str| parse(text).unwrap_err().status;
        assert_eq!(status("POST / HTTP/1.1\r\n\r\n"), 405);
        assert_eq!(status("GET http://x/ HTTP/1.1\r\n\r\n"), 400);
        assert_eq!(status("GET /\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/2\r\n\r\n"), 505);
        assert_eq!(status("GET / HTTP/1.1\r\nno colon\r\n\r\n"), 400);
        assert_eq!(
            status("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"),
            400
        );
        assert_eq!(
            status(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(20_000))),
            431
        );
        assert!(parse("").unwrap().is_none());
        assert!(parse("GET / HT").unwrap().is_none());
    }
}
