//! The time of day for `strftime_now`, from a clock that the caller reads.

use std::fmt::Write as _;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A moment and the local time zone. The caller reads it (in the browser: `Date.now()` and
/// `getTimezoneOffset()`), because WebAssembly has no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub unix_seconds: i64,
    /// Local time minus UTC in seconds, e.g. 3600 for UTC+1. (JavaScript's `getTimezoneOffset()` is in minutes
    /// and has the opposite sign.)
    pub utc_offset_seconds: i32,
}

impl Clock {
    /// Converts a time from JavaScript's `Date`: milliseconds since 1970, and the minutes by which local time trails
    /// UTC.
    pub fn from_javascript(ms: f64, minutes_behind: f64) -> Self {
        Self {
            unix_seconds: (ms / 1e3) as i64,
            utc_offset_seconds: (-60.0 * minutes_behind) as i32,
        }
    }

    /// Formats the local time as `format` describes, with the codes of C's `strftime` in the C locale.
    /// An unknown code is left unchanged.
    pub fn format(&self, format: &str) -> String {
        let moment = Moment::new(self);
        let mut out = String::with_capacity(format.len() * 2);
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                None => out.push('%'),
                // "%-d": no leading zeros.
                Some('-') => match chars.next() {
                    None => out.push_str("%-"),
                    Some(code) => {
                        let mut padded = String::new();
                        moment.code(code, &mut padded);
                        let digits = padded.trim_start_matches(['0', ' ']);
                        let all_zero = digits.is_empty() && !padded.is_empty();
                        out.push_str(if all_zero { "0" } else { digits });
                    }
                },
                Some(code) => moment.code(code, &mut out),
            }
        }
        out
    }
}

/// A moment in the proleptic Gregorian calendar.
struct Moment {
    unix_seconds: i64,
    offset: i32,
    year: i64,
    /// 1 to 12.
    month: u32,
    /// 1 to 31.
    day: u32,
    /// 1 to 366.
    day_of_year: i64,
    /// 0 is Sunday.
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Moment {
    fn new(clock: &Clock) -> Self {
        let local = clock
            .unix_seconds
            .saturating_add(i64::from(clock.utc_offset_seconds));
        let (days, seconds) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        Moment {
            unix_seconds: clock.unix_seconds,
            offset: clock.utc_offset_seconds,
            year,
            month,
            day,
            day_of_year: days - days_to_year(year) + 1,
            // 1970-01-01 was a Thursday.
            weekday: (days + 4).rem_euclid(7) as usize,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    fn code(&self, code: char, out: &mut String) {
        let hour12 = (self.hour + 11) % 12 + 1;
        let month = MONTHS[(self.month as usize - 1) % 12];
        let weekday = DAYS[self.weekday % 7];
        // Writing to a string cannot fail.
        let _ = match code {
            'Y' => write!(out, "{}", self.year),
            'y' => write!(out, "{:02}", self.year.rem_euclid(100)),
            'C' => write!(out, "{:02}", self.year.div_euclid(100)),
            'm' => write!(out, "{:02}", self.month),
            'd' => write!(out, "{:02}", self.day),
            'e' => write!(out, "{:2}", self.day),
            'B' => write!(out, "{month}"),
            'b' | 'h' => write!(out, "{}", &month[..3]),
            'A' => write!(out, "{weekday}"),
            'a' => write!(out, "{}", &weekday[..3]),
            'j' => write!(out, "{:03}", self.day_of_year),
            'u' => write!(out, "{}", (self.weekday + 6) % 7 + 1),
            'w' => write!(out, "{}", self.weekday),
            'H' => write!(out, "{:02}", self.hour),
            'I' => write!(out, "{hour12:02}"),
            'M' => write!(out, "{:02}", self.minute),
            'S' => write!(out, "{:02}", self.second),
            'f' => write!(out, "000000"),
            'p' => write!(out, "{}", if self.hour < 12 { "AM" } else { "PM" }),
            's' => write!(out, "{}", self.unix_seconds),
            'z' => {
                let minutes = self.offset.unsigned_abs() / 60;
                let sign = if self.offset < 0 { '-' } else { '+' };
                write!(out, "{sign}{:02}{:02}", minutes / 60, minutes % 60)
            }
            // A time without a named zone, as Python's `datetime.now()` returns.
            'Z' => Ok(()),
            'F' => ['Y', '-', 'm', '-', 'd']
                .iter()
                .try_for_each(|&c| self.part(c, out)),
            'D' | 'x' => ['m', '/', 'd', '/', 'y']
                .iter()
                .try_for_each(|&c| self.part(c, out)),
            'T' | 'X' => ['H', ':', 'M', ':', 'S']
                .iter()
                .try_for_each(|&c| self.part(c, out)),
            'R' => ['H', ':', 'M'].iter().try_for_each(|&c| self.part(c, out)),
            'c' => ['a', ' ', 'b', ' ', 'e', ' ', 'T', ' ', 'Y']
                .iter()
                .try_for_each(|&c| self.part(c, out)),
            'n' => writeln!(out),
            't' => write!(out, "\t"),
            '%' => write!(out, "%"),
            other => write!(out, "%{other}"),
        };
    }

    /// Writes the field of a code if `c` is a letter, else `c` itself.
    fn part(&self, c: char, out: &mut String) -> std::fmt::Result {
        match c.is_ascii_alphabetic() {
            true => self.code(c, out),
            false => out.push(c),
        }
        Ok(())
    }
}

/// Returns year, month and day of a day number, 0 being 1970-01-01.
///
/// The count runs in eras of 400 years that begin on 1 March, so that leap days come last (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

/// Returns the day number of 1 January.
fn days_to_year(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400)
        - 477
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_seconds: i64, format: &str) -> String {
        Clock {
            unix_seconds,
            utc_offset_seconds: 0,
        }
        .format(format)
    }

    #[test]
    fn javascript_counts_westwards() {
        // Kolkata is 5.5 hours ahead; New York in winter is five hours behind.
        let format = |minutes| Clock::from_javascript(1_751_620_087_000.0, minutes).format("%F %T");
        assert_eq!(format(-330.0), "2025-07-04 14:38:07");
        assert_eq!(format(300.0), "2025-07-04 04:08:07");
    }

    #[test]
    fn known_moments() {
        assert_eq!(
            at(0, "%Y-%m-%d %H:%M:%S %A %j"),
            "1970-01-01 00:00:00 Thursday 001"
        );
        assert_eq!(at(1_721_952_000, "%d %b %Y"), "26 Jul 2024");
        assert_eq!(
            at(1_709_164_799, "%F %T %a %B"),
            "2024-02-28 23:59:59 Wed February"
        );
        assert_eq!(at(1_709_164_800, "%F %j"), "2024-02-29 060");
        assert_eq!(at(1_735_603_200, "%F %j"), "2024-12-31 366");
        assert_eq!(at(951_782_400, "%D %u %w"), "02/29/00 2 2");
        assert_eq!(at(-1, "%c"), "Wed Dec 31 23:59:59 1969");
        assert_eq!(
            at(1_740_000_000, "%-d/%-m %I:%M %p, %-H, %e, 100%%, %Q, %"),
            "19/2 09:20 PM, 21, 19, 100%, %Q, %"
        );
        assert_eq!(at(1_736_000_000, "%-d %-H %-M %e"), "4 14 13  4");
        assert_eq!(at(1_735_689_600, "%-H|%-M|%-"), "0|0|%-");
    }

    #[test]
    fn local_time() {
        let clock = Clock {
            unix_seconds: 1_735_687_800,
            utc_offset_seconds: 3600,
        };
        assert_eq!(clock.format("%Y %H:%M %z"), "2025 00:30 +0100");
        let clock = Clock {
            unix_seconds: 0,
            utc_offset_seconds: -12_600,
        };
        assert_eq!(clock.format("%F %R %z"), "1969-12-31 20:30 -0330");
    }

    #[test]
    fn absurd_moments_do_not_fail() {
        for unix_seconds in [i64::MIN, i64::MAX] {
            assert!(!at(unix_seconds, "%c %j %s %z").is_empty());
        }
    }
}
