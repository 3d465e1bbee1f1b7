//! The slowest tests, parsed from each runner's output.

use crate::proc::strip_ansi;

/// Limit in seconds above which a test is named at the end of a run.
const LONG: f64 = 20.0;

/// Returns names and seconds of the long tests in a runner's output.
pub fn tests(output: &str) -> Vec<(String, f64)> {
    strip_ansi(output)
        .lines()
        .filter_map(|line| cargo(line.trim()).or_else(|| browser(line.trim())))
        .filter(|(_, seconds)| *seconds >= LONG)
        .collect()
}

/// Parses `test kernels::embed ... ok <12.345s>`, which libtest prints with `--report-time`.
fn cargo(line: &str) -> Option<(String, f64)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let seconds = rest.split_once('<')?.1.strip_suffix("s>")?;
    Some((name.to_owned(), seconds.parse().ok()?))
}

/// Parses `✓  3 [heavy] › specs/memory.spec.ts:12:3 › chromium: frees (1.2m)`, from Playwright's list.
fn browser(line: &str) -> Option<(String, f64)> {
    let (_, name) = line.split_once("] › ")?;
    let (name, time) = name.rsplit_once(" (")?;
    let time = time.strip_suffix(')')?;
    let seconds = match time.strip_suffix("ms") {
        Some(ms) => ms.parse::<f64>().ok()? / 1e3,
        None => match time.strip_suffix('m') {
            Some(minutes) => minutes.parse::<f64>().ok()? * 60.0,
            None => time.strip_suffix('s')?.parse().ok()?,
        },
    };
    Some((name.to_owned(), seconds))
}

#[cfg(test)]
mod tests_of_slow {
    use super::*;

    #[test]
    fn long_ones_are_found_in_either_output() {
        let output = "test kernels::embed ... ok <19.999s>\ntest a::b ... ok <20.500s>\ntest c ... FAILED <61.2s>\n\
            test d ... ok\n  \u{1b}[32m✓\u{1b}[39m  3 [heavy] › specs/memory.spec.ts:12:3 › chromium: frees (1.5m)\n\
              ✓  4 [light] › specs/page.spec.ts:1:1 › chromium: is a page (200ms)\n  ✘  5 [light] › specs/x.spec.ts:1:1 › y (30.0s)";
        let found: Vec<_> = tests(output)
            .into_iter()
            .map(|(name, seconds)| format!("{name} {seconds}"))
            .collect();
        assert_eq!(
            found,
            [
                "a::b 20.5",
                "c 61.2",
                "specs/memory.spec.ts:12:3 › chromium: frees 90",
                "specs/x.spec.ts:1:1 › y 30",
            ]
        );
    }
}
