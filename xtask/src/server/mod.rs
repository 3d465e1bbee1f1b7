//! A small static HTTP/1.1 server on std alone: only what `serve` and the browser tests need. GET and HEAD,
//! keep-alive, byte ranges, validators. It listens on the loopback address only.
//!
//! `http` reads requests and writes heads, `files` finds the file and its type, `range` does the arithmetic of byte
//! ranges, `respond` assembles a response, `faults` breaks it on request.

mod faults;
mod files;
mod http;
mod range;
mod respond;
#[cfg(test)]
mod tests;

use std::io::{BufReader, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

pub use files::Mount;

/// An idle connection is closed after this long.
const IDLE: Duration = Duration::from_secs(60);

/// The files to serve and the options to serve them with.
pub struct Site {
    /// Mounts; the first whose prefix matches answers.
    pub mounts: Vec<Mount>,
    /// A directory, and the Content-Security-Policy for its files.
    pub policy: Option<(PathBuf, String)>,
    /// Send COOP and COEP with every response.
    pub isolated: bool,
    /// Obey fault queries.
    pub faults: bool,
    /// Log every response with status 400 or above to stderr.
    pub log_errors: bool,
}

pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Binds `port`; 0 means any free port.
    pub fn bind(port: u16) -> Result<Self> {
        let listener = match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => listener,
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                bail!(
                    "port {port} is taken by another program: cargo xtask serve --port {}",
                    port.wrapping_add(1)
                )
            }
            Err(error) => return Err(error).context(format!("cannot listen on port {port}")),
        };
        let address = listener
            .local_addr()
            .context("the listener has no address")?;
        Ok(Self { listener, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    pub fn run(self, site: Site) -> ! {
        let site = Arc::new(site);
        let faults = Arc::new(faults::Counters::default());
        loop {
            // An error here concerns a single connection (reset before it was accepted) or a temporary lack of
            // descriptors.
            let Ok((stream, _)) = self.listener.accept() else {
                thread::sleep(Duration::from_millis(20));
                continue;
            };
            let (site, faults) = (site.clone(), faults.clone());
            // If no thread is available, dropping the stream refuses the connection.
            let _ = thread::Builder::new()
                .name("http".into())
                .spawn(move || connection(stream, &site, &faults));
        }
    }

    /// Serves in the background until the process ends.
    pub fn spawn(self, site: Site) -> Result<()> {
        let thread = thread::Builder::new()
            .name("accept".into())
            .spawn(move || self.run(site));
        thread.map(drop).context("cannot start the server's thread")
    }
}

/// Answers requests one after another until either side closes.
fn connection(stream: TcpStream, site: &Site, faults: &faults::Counters) {
    // Head and body are separate writes; without this the body waits for the head's acknowledgement.
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(IDLE));
    let Ok(mut writer) = stream.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(stream);
    loop {
        let request = match http::read(&mut reader) {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(refusal) => {
                let _ = http::plain(refusal.status, site.isolated)
                    .close()
                    .write(&mut writer, Some(refusal.why));
                return;
            }
        };
        match respond::respond(&request, site, faults, &mut writer) {
            Ok(respond::Next::KeepAlive) => {}
            Ok(respond::Next::Close) | Err(_) => {
                let _ = writer.shutdown(std::net::Shutdown::Both);
                return;
            }
        }
    }
}
