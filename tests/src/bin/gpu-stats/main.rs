//! Compiles the kernels of four real model shapes, and of every packing, without a GPU: `gpu-stats vulkan` prints a line
//! of JSON with the driver and one per kernel with its compiler's statistics, `gpu-stats text` one per kernel with counts
//! in naga's Metal and Direct3D texts. `cargo xtask gpu-stats` runs it for each GPU family, and compares.

mod shader;
mod vulkan;

use hearth::ops::shapes;
use serde_json::{Value, json};

use shader::Shader;
use vulkan::Driver;

type Result<T> = std::result::Result<T, String>;

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let done = match mode.as_str() {
        "vulkan" => vulkan(),
        "text" => each(|shader| shader.text_counts()),
        _ => Err("expected `vulkan` or `text`".to_owned()),
    };
    if let Err(error) = done {
        eprintln!("gpu-stats: {error}");
        std::process::exit(1);
    }
}

fn vulkan() -> Result<()> {
    let driver = Driver::open()?;
    println!("{}", json!({ "driver": driver.name() }));
    each(|shader| driver.compile(&shader.spirv()?, &shader.bindings()))
}

/// Prints the counts of each kernel.
fn each(count: impl Fn(&Shader) -> Result<Value>) -> Result<()> {
    for (name, kernel) in shapes::kernels() {
        let counts = Shader::new(&kernel)
            .and_then(|shader| count(&shader))
            .map_err(|error| format!("{name}: {error}"))?;
        println!("{}", json!({ "kernel": name, "counts": counts }));
    }
    Ok(())
}
