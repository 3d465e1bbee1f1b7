//! Checks that are not run again while what they read stays as it is.

use std::process::Command;

use super::counts::Runner::Check;
use super::stage::Stages;
use crate::paths::Dirs;
use crate::stamp::{Record, Stamp};

/// Checks that depend on files alone, which are not run again while these are as they were when there were no complaints.
pub struct Again<'a> {
    pub dirs: &'a Dirs,
    /// Whether they run in any case.
    pub full: bool,
}

impl Again<'_> {
    /// Runs a check unless its `inputs` and `extra`, such as the version of a program, are unchanged.
    pub fn run(
        &self,
        stages: &mut Stages,
        names: &[&str],
        inputs: &[&str],
        extra: &[&str],
        command: impl FnOnce() -> Command,
    ) {
        if !stages.wants(names) {
            return;
        }
        let record = Record::inside(&self.dirs.cache.join("checked").join(names[0]));
        let stamp = match Stamp::of(&self.dirs.root, inputs, extra) {
            Ok(stamp) => stamp,
            Err(error) => return stages.fail(names, &format!("{error:#}")),
        };
        if !self.full && stamp.matches(&record) {
            stages.check(names[0], || Ok(()));
            return;
        }
        let failed = stages.failed();
        stages.command(names, Check, &mut command());
        if stages.failed() == failed
            && let Err(error) = stamp.write(&record)
        {
            stages.fail(names, &format!("{error:#}"));
        }
    }
}
