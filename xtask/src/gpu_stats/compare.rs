//! Changes between a pinned table and a measured one.

use std::fmt::{Display, Formatter, Result};

use super::table::{Column, Rule, Table};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Worse,
    Better,
    /// Neither: another value of a statistic that has no better one, or within the tolerance.
    Changed,
}

/// One statistic of one kernel that changed, or a kernel in one table only.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    pub kernel: String,
    pub verdict: Verdict,
    what: String,
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}: {}", self.kernel, self.what)
    }
}

impl Rule {
    fn judge(self, before: u64, now: u64) -> Verdict {
        let worse = match self {
            Rule::HigherIsBetter => now < before,
            Rule::LowerIsBetter => now > before,
            Rule::Within(percent) => now * 100 > before * (100 + percent),
            Rule::Shown => false,
        };
        let better = match self {
            Rule::HigherIsBetter => now > before,
            Rule::LowerIsBetter => now < before,
            Rule::Within(percent) => now * (100 + percent) < before * 100,
            Rule::Shown => false,
        };
        match (worse, better) {
            (true, _) => Verdict::Worse,
            (_, true) => Verdict::Better,
            _ => Verdict::Changed,
        }
    }
}

/// Returns the changes, by kernel. A kernel that is not pinned, or gone, counts as worse: the table has to be made
/// again.
pub fn changes(pinned: &Table, now: &Table, columns: &[Column]) -> Vec<Change> {
    let mut all = Vec::new();
    for (kernel, values) in &now.kernels {
        let mut add = |verdict, what| {
            all.push(Change {
                kernel: kernel.clone(),
                verdict,
                what,
            });
        };
        let Some(before) = pinned.row(kernel) else {
            add(Verdict::Worse, "is not pinned".to_owned());
            continue;
        };
        for ((column, before), now) in columns.iter().zip(before).zip(values) {
            if before != now {
                let what = format!("{} {before} -> {now}", column.name);
                add(column.rule.judge(*before, *now), what);
            }
        }
    }
    for (kernel, _) in &pinned.kernels {
        if now.row(kernel).is_none() {
            all.push(Change {
                kernel: kernel.clone(),
                verdict: Verdict::Worse,
                what: "is gone".to_owned(),
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::table::RADV;
    use super::*;

    /// waves, vgprs, sgprs, vgpr_spills, sgpr_spills, scratch, lds, code, instructions, latency
    const ROW: [u64; 10] = [16, 60, 128, 0, 0, 0, 1024, 1000, 200, 5000];

    fn table(row: [u64; 10]) -> Table {
        Table {
            driver: "D".to_owned(),
            kernels: vec![("k".to_owned(), row.to_vec())],
        }
    }

    /// Returns the verdict on a change of one column.
    fn verdict(name: &str, value: u64) -> Option<Verdict> {
        let at = RADV.iter().position(|column| column.name == name).unwrap();
        let mut row = ROW;
        row[at] = value;
        let changes = changes(&table(ROW), &table(row), &RADV);
        assert!(changes.len() <= 1);
        let change = changes.first()?;
        assert_eq!(
            change.to_string(),
            format!("k: {name} {} -> {value}", ROW[at])
        );
        Some(change.verdict)
    }

    #[test]
    fn every_kind_of_worse_is_found() {
        use Verdict::*;
        let cases = [
            ("waves", 15, Worse),
            ("waves", 17, Better),
            ("vgpr_spills", 1, Worse),
            ("sgpr_spills", 1, Worse),
            ("scratch", 4, Worse),
            ("code", 1031, Worse),
            ("code", 1030, Changed),
            ("code", 970, Better),
            ("instructions", 207, Worse),
            ("latency", 5501, Worse),
            ("latency", 5500, Changed),
            // More registers cost something only where they cost waves.
            ("vgprs", 64, Changed),
            ("lds", 2048, Changed),
        ];
        for (name, value, expected) in cases {
            assert_eq!(verdict(name, value), Some(expected), "{name} {value}");
        }
        assert_eq!(verdict("code", 1000), None);
    }

    #[test]
    fn kernels_that_came_or_went_are_named() {
        let mut other = table(ROW);
        other.kernels[0].0 = "l".to_owned();
        let changes = changes(&table(ROW), &other, &RADV);
        let texts: Vec<String> = changes.iter().map(Change::to_string).collect();
        assert_eq!(texts, ["l: is not pinned", "k: is gone"]);
        assert!(
            changes
                .iter()
                .all(|change| change.verdict == Verdict::Worse)
        );
    }
}
