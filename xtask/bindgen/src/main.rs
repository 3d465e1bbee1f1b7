//! Generates a module's bindings: `hearth-bindgen MODULE.wasm --target web --out-name NAME --out-dir DIR`, with the few flags of
//! wasm-bindgen's own program that wasm-pack.toml names.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut args = env::args().skip(1);
    let module = args
        .next()
        .context("expected the path of a module, found nothing")?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module);
    let mut out_dir = None;
    while let Some(flag) = args.next() {
        let mut value = || {
            args.next()
                .with_context(|| format!("expected a value of {flag}, found nothing"))
        };
        match flag.as_str() {
            "--target" => match value()?.as_str() {
                "web" => bindgen.web(true)?,
                other => bail!("expected the target web, found {other:?}"),
            },
            "--out-name" => bindgen.out_name(&value()?),
            "--out-dir" => {
                out_dir = Some(PathBuf::from(value()?));
                continue;
            }
            "--remove-producers-section" => bindgen.remove_producers_section(true),
            "--experimental-reset-state-function" => bindgen.reset_state_function(true),
            other => bail!("expected a flag that xtask/bindgen/src/main.rs knows, found {other:?}"),
        };
    }
    bindgen.typescript(true).omit_default_module_path(false);
    bindgen.generate(out_dir.context("expected --out-dir, found none")?)
}
