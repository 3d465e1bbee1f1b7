//! The browsers that tests drive, and the software Vulkan that replaces a GPU.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::debian;
use crate::paths::Dirs;
use crate::proc;
use crate::setup::Step;

pub struct Browser {
    name: &'static str,
    /// Environment variable that names the program if the search would find none or the wrong one; the tests read it
    /// too.
    pub variable: &'static str,
    /// Program names to look for on PATH, in this order.
    programs: &'static [&'static str],
    /// Places where an installer that does not touch PATH puts it.
    places: &'static [&'static str],
    debian_package: &'static str,
}

pub const CHROMIUM: Browser = Browser {
    name: "Chromium",
    variable: "CHROMIUM",
    programs: &[
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ],
    places: &[
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "C:/Program Files/Google/Chrome/Application/chrome.exe",
    ],
    debian_package: "chromium",
};

pub const FIREFOX: Browser = Browser {
    name: "Firefox",
    variable: "FIREFOX",
    programs: &["firefox", "firefox-esr"],
    places: &[
        "/Applications/Firefox.app/Contents/MacOS/firefox",
        "C:/Program Files/Mozilla Firefox/firefox.exe",
    ],
    debian_package: "firefox-esr",
};

impl Browser {
    pub fn ensure(&self, dirs: &Dirs, step: &mut Step) -> Result<PathBuf> {
        if let Some(named) = std::env::var_os(self.variable).filter(|value| !value.is_empty()) {
            let program = PathBuf::from(named);
            let Some(version) = version(&program) else {
                let (variable, shown) = (self.variable, program.display());
                bail!(
                    "{variable} is {shown}, which does not run: unset {variable}, or set it to a {} program",
                    self.name
                );
            };
            step.found(&version);
            return Ok(program);
        }
        if let Some((program, version)) = self.find() {
            step.found(&version);
            return Ok(program);
        }
        if debian::may_install() {
            step.doing("apt-get install");
            debian::install(dirs, &[self.debian_package])?;
            if let Some((program, version)) = self.find() {
                step.installed(&version);
                return Ok(program);
            }
        }
        let by_hand = if debian::is_debian() {
            debian::spelled(&[self.debian_package])
        } else {
            format!(
                "install {} or set {} to its program",
                self.name, self.variable
            )
        };
        bail!(
            "expected {} for the browser tests, found none: {by_hand}",
            self.name
        )
    }

    fn find(&self) -> Option<(PathBuf, String)> {
        let on_path = self.programs.iter().filter_map(|name| proc::on_path(name));
        let elsewhere = self
            .places
            .iter()
            .map(PathBuf::from)
            .filter(|place| place.is_file());
        on_path
            .chain(elsewhere)
            .find_map(|program| version(&program).map(|said| (program, said)))
    }
}

/// Ensures that Firefox and native tests have a Vulkan driver; without a GPU that is Mesa's lavapipe.
pub fn software_vulkan(dirs: &Dirs, step: &mut Step) -> Result<()> {
    if !cfg!(target_os = "linux") {
        step.found("not needed here: wgpu uses the system's own graphics interface");
        return Ok(());
    }
    let packages = ["mesa-vulkan-drivers", "libvulkan1"];
    if has_vulkan_driver() && (!debian::is_debian() || debian::missing(&packages).is_empty()) {
        step.found("a Vulkan driver");
    } else if debian::may_install() {
        step.doing("apt-get install");
        debian::install(dirs, &packages)?;
        step.installed("lavapipe");
    } else {
        step.optional(&format!(
            "no Vulkan driver found; without a GPU driver of your own: {}",
            debian::spelled(&packages)
        ));
    }
    Ok(())
}

fn has_vulkan_driver() -> bool {
    ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
        .iter()
        .any(|dir| fs::read_dir(Path::new(dir)).is_ok_and(|mut entries| entries.next().is_some()))
}

fn version(program: &Path) -> Option<String> {
    if cfg!(windows) {
        // Browsers on Windows open a window instead of answering.
        return program.is_file().then(|| program.display().to_string());
    }
    proc::first_line(Command::new(program).arg("--version"))
}
