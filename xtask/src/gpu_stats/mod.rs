//! `cargo xtask gpu-stats`: what compilers of real GPUs make of every kernel, without a GPU, against a pinned table.
//!
//! The program `gpu-stats` of the tests compiles the kernels; here it runs once for each GPU family. AMD's driver in
//! Mesa (RADV) needs no hardware: RADV_FORCE_FAMILY makes it open a null device of that family.
//!
//! | module    | answers                                    |
//! |-----------|--------------------------------------------|
//! | `table`   | which statistics are kept, and their files |
//! | `compare` | what became worse, better, new             |

mod compare;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use self::compare::Verdict;
use self::table::{Column, RADV, TEXT, Table};
use crate::paths::Dirs;
use crate::{debian, proc, test};

#[derive(clap::Args)]
pub struct Args {
    /// Pin what is measured, instead of comparing with it
    #[arg(long)]
    update: bool,
    /// Only these targets, for example radv-gfx1100; commas or repetition
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
}

/// Time limit for building the program with nothing compiled.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

/// A compiler, by the name of its table.
struct Target {
    name: &'static str,
    /// Description for people.
    what: &'static str,
    /// Value of RADV_FORCE_FAMILY, as Mesa 22.3 knows it; None for naga's texts.
    family: Option<&'static str>,
}

const TARGETS: [Target; 4] = [
    Target {
        name: "radv-gfx1100",
        what: "RADV, RDNA3",
        family: Some("gfx1100"),
    },
    Target {
        name: "radv-navi21",
        what: "RADV, RDNA2",
        family: Some("navi21"),
    },
    Target {
        name: "radv-vega10",
        what: "RADV, GCN 5",
        family: Some("vega10"),
    },
    Target {
        name: "naga-text",
        what: "naga's texts for Metal and Direct3D, as Firefox has them",
        family: None,
    },
];

impl Target {
    const fn columns(&self) -> &'static [Column] {
        match self.family {
            Some(_) => &RADV,
            None => &TEXT,
        }
    }

    fn file(&self, dirs: &Dirs) -> PathBuf {
        dirs.root
            .join("tests/gpu-stats")
            .join(self.name)
            .with_extension("json")
    }

    fn pinned(&self, dirs: &Dirs) -> Result<Table> {
        let file = self.file(dirs);
        let text = fs::read_to_string(&file).with_context(|| {
            format!(
                "no pinned table, `cargo xtask gpu-stats --update` makes it: {}",
                file.display()
            )
        })?;
        Table::from_json(&text, self.columns()).with_context(|| file.display().to_string())
    }
}

/// Tables as measured, each with its target.
pub struct Measured(Vec<(&'static Target, Table)>);

pub fn run(dirs: &Dirs, args: &Args) -> Result<ExitCode> {
    let chosen =
        |target: &&Target| args.only.is_empty() || args.only.iter().any(|n| n == target.name);
    let targets: Vec<&'static Target> = TARGETS.iter().filter(chosen).collect();
    if targets.len() < args.only.len() {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        bail!("--only: expected names of {}", known.join(", "));
    }
    let measured = measure(dirs, targets)?;
    for (target, table) in &measured.0 {
        println!(
            "\n{} ({})\n\n{}",
            target.what,
            table.driver,
            table.print(target.columns())
        );
    }
    if args.update {
        for (target, table) in &measured.0 {
            let file = target.file(dirs);
            fs::write(&file, table.to_json(target.columns()))
                .with_context(|| file.display().to_string())?;
            println!(
                "pinned {} kernels in {}",
                table.kernels.len(),
                file.display()
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(why) = measured.incomparable(dirs)? {
        bail!(why);
    }
    measured.check(dirs)?;
    Ok(ExitCode::SUCCESS)
}

/// Measures every target.
pub fn measure_all(dirs: &Dirs) -> Result<Measured> {
    measure(dirs, TARGETS.iter().collect())
}

/// Returns why nothing can be measured here, if that is so.
pub fn missing() -> Option<String> {
    icd().is_none().then(|| {
        format!(
            "AMD's Vulkan driver of Mesa (RADV) is not installed: {}",
            debian::spelled(&["mesa-vulkan-drivers", "libvulkan1"])
        )
    })
}

fn measure(dirs: &Dirs, targets: Vec<&'static Target>) -> Result<Measured> {
    if let Some(why) = missing().filter(|_| targets.iter().any(|target| target.family.is_some())) {
        bail!(why);
    }
    build(dirs)?;
    // Each target is a process with one busy thread.
    let tables = thread::scope(|scope| {
        let start = |target: &'static Target| {
            let work = move || table(dirs, target).with_context(|| target.what);
            (target, scope.spawn(work))
        };
        let running: Vec<_> = targets.into_iter().map(start).collect();
        let finish = |(target, thread): (&'static Target, ScopedJoinHandle<'_, Result<Table>>)| {
            let table = thread.join().map_err(|_| anyhow!("a thread panicked"))??;
            Ok((target, table))
        };
        running.into_iter().map(finish).collect::<Result<_>>()
    })?;
    Ok(Measured(tables))
}

/// Builds the program, with the features that the rest of the workspace is built with.
fn build(dirs: &Dirs) -> Result<()> {
    let mut command = test::cargo(dirs);
    command.args(["build", "--workspace", "--bin", "gpu-stats"]);
    proc::must_seen(
        &mut command,
        &dirs.logs().join("gpu-stats.log"),
        BUILD_LIMIT,
    )
}

/// Compiles every kernel for `target`.
fn table(dirs: &Dirs, target: &Target) -> Result<Table> {
    let mut command = Command::new(dirs.target.join("debug/gpu-stats"));
    match (target.family, icd()) {
        (Some(family), Some(icd)) => command
            .arg("vulkan")
            .env("RADV_FORCE_FAMILY", family)
            // Loaders before 1.3.207 know the second name only.
            .env("VK_DRIVER_FILES", &icd)
            .env("VK_ICD_FILENAMES", &icd)
            // The statistics of a shader from the cache are those of another run.
            .env("MESA_SHADER_CACHE_DISABLE", "true"),
        _ => command.arg("text"),
    };
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", proc::spelled(&command)))?;
    ensure!(
        output.status.success(),
        "a command failed ({}), see above\n  {}",
        output.status,
        proc::spelled(&command)
    );
    Table::from_lines(&String::from_utf8_lossy(&output.stdout), target.columns())
}

/// Returns RADV's manifest for the Vulkan loader, which lies in one of a few folders.
fn icd() -> Option<PathBuf> {
    let folders = [
        "/usr/share/vulkan/icd.d",
        "/usr/local/share/vulkan/icd.d",
        "/etc/vulkan/icd.d",
    ];
    let files = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let paths = files.flatten().flatten().map(|entry| entry.path());
    // The manifest of another architecture names a library that cannot be loaded.
    let arch = std::env::consts::ARCH;
    let is_radv = |path: &Path| {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| {
            name == "radeon_icd.json" || name == format!("radeon_icd.{arch}.json")
        })
    };
    paths.into_iter().find(|path| is_radv(path))
}

impl Measured {
    /// Returns why the pinned tables say nothing about these, if so: registers of two versions of a driver differ.
    pub fn incomparable(&self, dirs: &Dirs) -> Result<Option<String>> {
        for (target, table) in &self.0 {
            let pinned = target.pinned(dirs)?;
            if pinned.driver != table.driver {
                return Ok(Some(format!(
                    "{} is pinned for \"{}\", and this driver is \"{}\": run `cargo xtask gpu-stats --update` before and after a change, and compare",
                    target.name, pinned.driver, table.driver
                )));
            }
        }
        Ok(None)
    }

    /// Compares with the pinned tables, prints what changed and fails if anything became worse.
    pub fn check(&self, dirs: &Dirs) -> Result<()> {
        let mut bad = Vec::new();
        for (target, table) in &self.0 {
            for change in compare::changes(&target.pinned(dirs)?, table, target.columns()) {
                let line = format!("{}: {change}", target.name);
                match change.verdict {
                    Verdict::Better | Verdict::Changed => println!("{line}"),
                    Verdict::Worse => bad.push(line),
                }
            }
        }
        ensure!(
            bad.is_empty(),
            "kernels became worse, are not pinned, or are gone; explain it in the commit and pin it by `cargo xtask gpu-stats --update`:\n{}",
            bad.join("\n")
        );
        let kernels: usize = self.0.iter().map(|(_, table)| table.kernels.len()).sum();
        println!("{kernels} kernels, none worse");
        Ok(())
    }
}
