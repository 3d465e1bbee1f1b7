//! Broken responses, for tests of how clients handle them. Obeyed only by a server started with `--faults`.
//!
//! | query            | effect                                                                        |
//! |------------------|-------------------------------------------------------------------------------|
//! | `status=500`     | that status (400 to 599) and a line of text                                   |
//! | `cut=N`          | the connection ends after N bytes of body                                     |
//! | `stall=N`        | nothing more comes after N bytes of body, but the connection stays            |
//! | `slow=N`         | at most N bytes a second                                                      |
//! | `norange`        | ranges are ignored and not offered: 200 and the whole file                    |
//! | `wrong_length=D` | the file claims to be D bytes longer (1 if D is absent; negative: shorter)    |
//! | `flip=N`         | all bits of the byte at offset N of the file are flipped                      |
//! | `times=K`        | only the first K requests for exactly this path and query are broken          |
//!
//! They can be combined. N counts within one response, except for `flip`, where it counts within the file. Other
//! names in the query are ignored, so `&id=...` gives a test a separate path for `times`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default, PartialEq, Eq, Clone)]
pub struct Faults {
    pub status: Option<u16>,
    pub cut: Option<u64>,
    pub stall: Option<u64>,
    pub slow: Option<u64>,
    pub norange: bool,
    pub wrong_length: Option<i64>,
    pub flip: Option<u64>,
    times: Option<u32>,
}

/// Number of requests so far for each target with `times`.
#[derive(Default)]
pub struct Counters(Mutex<HashMap<String, u32>>);

impl Faults {
    /// Parses a query. An error names the part that makes no sense: a test with a typo must not pass for a working
    /// one.
    pub fn parse(query: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for part in query.split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name {
                "status" => match number(part, value)? {
                    status @ 400..=599 => faults.status = Some(status),
                    _ => return Err(format!("{part}: expected a status from 400 to 599")),
                },
                "cut" => faults.cut = Some(number(part, value)?),
                "stall" => faults.stall = Some(number(part, value)?),
                "slow" => match number(part, value)? {
                    0 => {
                        return Err(format!(
                            "{part}: expected at least 1 byte a second; stall=0 sends none"
                        ));
                    }
                    rate => faults.slow = Some(rate),
                },
                "norange" => faults.norange = true,
                "wrong_length" => {
                    faults.wrong_length = Some(if value.is_empty() {
                        1
                    } else {
                        number(part, value)?
                    })
                }
                "flip" => faults.flip = Some(number(part, value)?),
                "times" => faults.times = Some(number(part, value)?),
                _ => {}
            }
        }
        Ok(faults)
    }

    /// Returns these faults, or none once `times` requests have received them.
    pub fn counted(self, target: &str, counters: &Counters) -> Self {
        let Some(times) = self.times else { return self };
        // A panic elsewhere leaves the map of numbers intact.
        let mut counts = counters.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(target.to_owned()).or_insert(0);
        *count += 1;
        if *count > times {
            Self::default()
        } else {
            self
        }
    }

    /// Returns the length that the file claims to have.
    pub fn claimed(&self, length: u64) -> u64 {
        length.saturating_add_signed(self.wrong_length.unwrap_or(0))
    }
}

fn number<T: std::str::FromStr>(part: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{part}: expected a number after ="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_combine_and_typos_are_named() {
        let faults = Faults::parse("id=7&cut=10&slow=5&norange").unwrap();
        assert_eq!(
            (faults.cut, faults.slow, faults.norange, faults.stall),
            (Some(10), Some(5), true, None)
        );
        assert_eq!(Faults::parse("").unwrap(), Faults::default());
        assert_eq!(Faults::parse("wrong_length").unwrap().claimed(10), 11);
        assert_eq!(Faults::parse("wrong_length=-4").unwrap().claimed(10), 6);
        for bad in ["cut=", "cut=x", "status=200", "slow=0", "flip=-1"] {
            assert!(Faults::parse(bad).unwrap_err().starts_with(bad), "{bad}");
        }
    }

    #[test]
    fn times_counts_each_target_apart() {
        let counters = Counters::default();
        let faults = || Faults::parse("cut=1&times=2").unwrap();
        let broken: Vec<bool> = (0..4)
            .map(|_| faults().counted("/a", &counters).cut.is_some())
            .collect();
        assert_eq!(broken, [true, true, false, false]);
        assert!(faults().counted("/b", &counters).cut.is_some());
    }
}
