//! Tests of the server through its socket, as a client sees it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Mount, Server, Site};

/// Starts a server with ten bytes at /ten, an empty file at /empty, and a page at /.
fn start(name: &str, faults: bool, isolated: bool) -> (SocketAddr, PathBuf) {
    let root =
        std::env::temp_dir().join(format!("hearth-xtask-server-{name}-{}", std::process::id()));
    std::fs::create_dir_all(root.join("assets")).unwrap();
    std::fs::create_dir_all(root.join("dir")).unwrap();
    std::fs::write(root.join("ten"), "0123456789").unwrap();
    std::fs::write(root.join("empty"), "").unwrap();
    std::fs::write(root.join("index.html"), "<p>hello").unwrap();
    std::fs::write(root.join("assets/a.js"), "1").unwrap();
    let server = Server::bind(0).unwrap();
    let address = server.address();
    let mounts = vec![Mount::new("/", root.clone())];
    server
        .spawn(Site {
            mounts,
            policy: Some((root.join("assets"), "default-src 'self'".into())),
            isolated,
            faults,
            log_errors: false,
        })
        .unwrap();
    (address, root)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
}

/// Requests `target` and reads until the server closes: head, body.
fn get(address: SocketAddr, target: &str, headers: &str) -> (String, String) {
    ask(address, "GET", target, headers)
}

fn ask(address: SocketAddr, method: &str, target: &str, headers: &str) -> (String, String) {
    let mut stream = connect(address);
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    // A flipped byte is not UTF-8.
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Reads one response of known length from a connection that stays open.
fn one(stream: &mut TcpStream) -> (String, String) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn has(head: &str, line: &str) -> bool {
    head.lines().any(|found| found == line)
}

#[test]
fn ranges_validators_and_types() {
    let (address, root) = start("plain", false, true);
    let (head, body) = get(address, "/ten?cut=1", "");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(body, "0123456789", "faults are off");
    for line in [
        "Content-Length: 10",
        "Accept-Ranges: bytes",
        "Cache-Control: no-cache",
        "Cross-Origin-Opener-Policy: same-origin",
        "Cross-Origin-Embedder-Policy: require-corp",
    ] {
        assert!(has(&head, line), "{line} in {head}");
    }
    let etag = head
        .lines()
        .find_map(|line| line.strip_prefix("ETag: "))
        .unwrap()
        .to_owned();

    let (head, body) = get(address, "/ten", "Range: bytes=2-4\r\n");
    assert!(
        head.starts_with("HTTP/1.1 206 ") && has(&head, "Content-Range: bytes 2-4/10"),
        "{head}"
    );
    assert_eq!(body, "234");
    let (head, body) = get(
        address,
        "/ten",
        &format!("Range: bytes=-2\r\nIf-Range: {etag}\r\n"),
    );
    assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
    assert_eq!(body, "89");
    let (head, _) = get(
        address,
        "/ten",
        "Range: bytes=2-4\r\nIf-Range: \"other\"\r\n",
    );
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (head, _) = get(address, "/ten", "Range: bytes=10-\r\n");
    assert!(
        head.starts_with("HTTP/1.1 416 ") && has(&head, "Content-Range: bytes */10"),
        "{head}"
    );
    let (head, body) = get(
        address,
        "/ten",
        &format!("If-None-Match: \"x\", W/{etag}\r\n"),
    );
    assert!(
        head.starts_with("HTTP/1.1 304 ") && body.is_empty(),
        "{head}"
    );

    let (head, body) = ask(address, "HEAD", "/ten", "Range: bytes=2-4\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && has(&head, "Content-Length: 10") && body.is_empty(),
        "{head}"
    );
    let (head, body) = get(address, "/empty", "");
    assert!(has(&head, "Content-Length: 0") && body.is_empty(), "{head}");
    let (head, _) = get(address, "/", "");
    assert!(
        has(&head, "Content-Type: text/html; charset=utf-8"),
        "{head}"
    );
    let (head, _) = get(address, "/assets/a.js", "");
    assert!(
        has(&head, "Cache-Control: public, max-age=31536000, immutable"),
        "{head}"
    );
    let (head, _) = get(address, "/dir", "");
    assert!(
        head.starts_with("HTTP/1.1 301 ") && has(&head, "Location: /dir/"),
        "{head}"
    );
    assert!(get(address, "/nope", "").0.starts_with("HTTP/1.1 404 "));
    assert!(
        get(address, "/%2e%2e/etc/passwd", "")
            .0
            .starts_with("HTTP/1.1 400 ")
    );
    let (head, _) = ask(address, "POST", "/ten", "");
    assert!(
        head.starts_with("HTTP/1.1 405 ") && has(&head, "Allow: GET, HEAD"),
        "{head}"
    );
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_connection_carries_many_requests_and_does_not_block_others() {
    let (address, root) = start("keep", false, false);
    let mut first = connect(address);
    let mut second = connect(address);
    for stream in [&mut first, &mut second] {
        for _ in 0..3 {
            stream
                .write_all(b"GET /ten HTTP/1.1\r\nHost: LOCALHOST:8080\r\nRange: bytes=0-2\r\n\r\n")
                .unwrap();
            assert_eq!(one(stream).1, "012");
        }
    }
    // Two requests at once, answered in order.
    first
        .write_all(b"GET /nope HTTP/1.1\r\n\r\nGET /ten HTTP/1.1\r\n\r\n")
        .unwrap();
    assert!(one(&mut first).0.starts_with("HTTP/1.1 404 "));
    assert_eq!(one(&mut first).1, "0123456789");
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn faults_break_what_they_say_and_no_more() {
    let (address, root) = start("faults", true, false);
    let (head, body) = get(address, "/ten?cut=4", "");
    assert!(has(&head, "Content-Length: 10"), "{head}");
    assert_eq!(body, "0123");
    assert_eq!(
        get(address, "/ten?cut=4&stall=6", "").1,
        "0123",
        "the earlier fault wins"
    );
    assert!(
        get(address, "/ten?status=500", "")
            .0
            .starts_with("HTTP/1.1 500 ")
    );
    let (head, body) = get(address, "/ten?norange", "Range: bytes=1-2\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && !head.contains("Accept-Ranges"),
        "{head}"
    );
    assert_eq!(body, "0123456789");
    assert_eq!(
        get(address, "/ten?flip=3", "Range: bytes=2-4\r\n").1,
        "2\u{fffd}4"
    );
    let (head, body) = get(address, "/ten?wrong_length", "");
    assert!(
        has(&head, "Content-Length: 11") && body.len() == 10,
        "{head}"
    );
    let (head, body) = get(address, "/ten?wrong_length=-3", "Range: bytes=5-9\r\n");
    assert!(
        has(&head, "Content-Range: bytes 5-6/7") && body == "56",
        "{head}"
    );
    assert_eq!(get(address, "/ten?cut=1&times=1", "").1, "0");
    assert_eq!(get(address, "/ten?cut=1&times=1", "").1, "0123456789");
    let (head, body) = get(address, "/ten?cut=x", "");
    assert!(
        head.starts_with("HTTP/1.1 400 ") && body.contains("cut=x"),
        "{head}"
    );

    let begin = Instant::now();
    assert_eq!(get(address, "/ten?slow=20", "").1.len(), 10);
    assert!(
        begin.elapsed() > Duration::from_millis(400),
        "{:?}",
        begin.elapsed()
    );

    let mut stream = connect(address);
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    stream
        .write_all(b"GET /ten?stall=4 HTTP/1.1\r\n\r\n")
        .unwrap();
    let mut text = Vec::new();
    let error = stream.read_to_end(&mut text).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "still open: {error}"
    );
    assert!(text.ends_with(b"\r\n\r\n0123"));
    std::fs::remove_dir_all(root).unwrap();
}

/// A page of another site whose name was made to resolve here gets nothing.
#[test]
fn other_hosts_are_refused_and_redirects_stay_here() {
    let (address, root) = start("hosts", false, false);
    for (host, status) in [
        ("127.0.0.1", 200),
        (&address.to_string(), 200),
        ("[::1]:8080", 200),
        ("evil.example", 403),
        ("evil.example:8080", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example:80", 403),
        ("", 403),
    ] {
        let mut stream = connect(address);
        let head = format!("GET /ten HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{host}: {answer}"
        );
    }
    let (head, _) = get(address, "//dir", "");
    assert!(has(&head, "Location: /dir/"), "{head}");
    std::fs::remove_dir_all(root).unwrap();
}

/// Workers take the policy from their own response; a page's policy does not reach them.
#[test]
fn a_directory_has_its_policy() {
    let (address, _) = start("policy", false, false);
    let policy = "Content-Security-Policy: default-src 'self'";
    let (head, _) = get(address, "/assets/a.js", "");
    assert!(head.contains(policy), "{head}");
    let (head, _) = get(address, "/ten", "");
    assert!(!head.contains("Content-Security-Policy"), "{head}");
}
