//! Tests that may be skipped, and why. Any other skip is a failure: something that CI should have but lacks must not
//! look like success.

use std::fs;
use std::path::{Path, PathBuf};

/// A name that a test may skip under, as in `hearth_tests::skip`, with the reason why that is no loss.
type Allowed = (&'static str, &'static str);

/// Skips that CI accepts. Debian's lavapipe has everything that a test asks for, subgroups included.
const ALLOWED: &[Allowed] = &[(
    "docs",
    "the site is built by `cargo xtask docs`, and opened where it was",
)];

/// The file to which native tests write the names of their skips, one per line.
pub struct Skips(PathBuf);

impl Skips {
    /// Creates the list, empty at first.
    pub fn new(logs: &Path, stage: &str) -> Self {
        let file = logs.join(format!("{stage}.skips"));
        // A missing file is just as good.
        let _ = fs::remove_file(&file);
        Self(file)
    }

    pub fn file(&self) -> &Path {
        &self.0
    }

    /// Reads the skipped tests by name: allowed ones with their reason, then all others.
    pub fn read(&self) -> (Vec<(String, &'static str)>, Vec<String>) {
        self.sorted_by(ALLOWED)
    }

    fn sorted_by(&self, accepted: &[Allowed]) -> (Vec<(String, &'static str)>, Vec<String>) {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let mut names: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        let (mut allowed, mut refused) = (Vec::new(), Vec::new());
        for name in names {
            match accepted.iter().find(|known| known.0 == name) {
                Some((_, why)) => allowed.push((name.to_owned(), *why)),
                None => refused.push(name.to_owned()),
            }
        }
        (allowed, refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_skips() {
        let skips = Skips::new(
            &std::env::temp_dir(),
            &format!("hearth-{}", std::process::id()),
        );
        assert_eq!(skips.read(), (vec![], vec![]));
        fs::write(skips.file(), "subgroups\nno GPU\nsubgroups\n").unwrap();
        let (allowed, refused) = skips.sorted_by(&[("subgroups", "a reason")]);
        assert_eq!(allowed.len(), 1);
        assert_eq!(refused, ["no GPU"]);
        fs::remove_file(skips.file()).unwrap();
    }
}
