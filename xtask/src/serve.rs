//! `cargo xtask serve`: a fresh build, the default model, the page.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::model::{GEMMA270, SMOLLM2, TWO_CITIES};
use crate::paths::Dirs;
use crate::server::{Mount, Server, Site};
use crate::whisper::TINY_EN;
use crate::{build, proc};

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Send the COOP and COEP headers that make the page cross-origin isolated
    #[arg(long)]
    coop: bool,
    /// Open the page in the default browser
    #[arg(long)]
    open: bool,
    /// Neither fetch nor offer the default model
    #[arg(long)]
    no_model: bool,
    /// For tests: break responses on request (?cut=N, ?stall=N, ...; see xtask/src/server/faults.rs) and also serve
    /// pkg/ and tests/
    #[arg(long)]
    faults: bool,
}

pub fn run(dirs: &Dirs, args: &Args) -> Result<()> {
    // Done before the slow work, so that a port in use is reported at once.
    let server = Server::bind(args.port)?;
    // wasm-opt takes minutes and only makes the module smaller; `cargo xtask build` builds the shipped module.
    build::stale(dirs, &build::Args::for_tests(false))?;
    let model = if args.no_model {
        None
    } else {
        Some(SMOLLM2.ensure(dirs)?)
    };
    let site = Site {
        isolated: args.coop,
        log_errors: true,
        ..site(dirs, model, args.faults)
    };
    let address = url(server.address());
    println!("\nserve  {address}");
    if args.faults {
        println!("serve  fault injection is on: for tests only");
    }
    if args.open {
        open(&address);
    }
    server.run(site)
}

/// The site that both `serve` and `test` serve.
pub fn site(dirs: &Dirs, model: Option<PathBuf>, testing: bool) -> Site {
    let mut mounts = Vec::new();
    if let Some(file) = model {
        mounts.push(Mount::new(format!("/models/{}", SMOLLM2.name), file));
    }
    if testing {
        for name in [GEMMA270.name, TWO_CITIES.name] {
            let file = dirs.models().join(name);
            if file.is_file() {
                mounts.push(Mount::new(format!("/models/{name}"), file));
            }
        }
        let whisper = dirs.models().join(TINY_EN.name);
        mounts.push(Mount::new(format!("/models/{}/", TINY_EN.name), whisper));
        mounts.push(Mount::new("/pkg/", dirs.root.join("pkg")));
        mounts.push(Mount::new("/tests/", dirs.root.join("tests")));
        // The library that the benchmark compares with ours.
        let peer = "node_modules/@wllama/wllama/esm";
        mounts.push(Mount::new("/wllama/", dirs.root.join(peer)));
    }
    let page = dirs.root.join("www/dist");
    let policy = policy(&page).map(|policy| (page.clone(), policy));
    mounts.push(Mount::new("/", page));
    Site {
        mounts,
        policy,
        isolated: false,
        faults: testing,
        log_errors: false,
    }
}

/// The Content-Security-Policy that the page's build asks hosts to send.
fn policy(page: &Path) -> Option<String> {
    let headers = fs::read_to_string(page.join("_headers")).ok()?;
    let mut lines = headers.lines();
    lines.find_map(|line| {
        Some(
            line.trim()
                .strip_prefix("Content-Security-Policy: ")?
                .to_owned(),
        )
    })
}

/// Returns the URL by name, not number: browsers treat both as secure, and people know the name.
pub fn url(address: SocketAddr) -> String {
    format!("http://localhost:{}/", address.port())
}

fn open(address: &str) {
    let opener = if cfg!(target_os = "macos") {
        Command::new("open").arg(address).spawn()
    } else if cfg!(windows) {
        Command::new("cmd").args(["/c", "start", address]).spawn()
    } else if let Some(program) = proc::on_path("xdg-open") {
        Command::new(program)
            .arg(address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    } else {
        println!("serve  --open: no xdg-open here; open the address by hand");
        return;
    };
    if let Err(error) = opener {
        println!("serve  --open: cannot start a browser ({error}); open the address by hand");
    }
}
