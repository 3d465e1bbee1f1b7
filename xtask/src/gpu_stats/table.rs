//! Tables of statistics: read from the program's output, and from and to the pinned files.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// The rule by which a statistic is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Any lower value is worse.
    HigherIsBetter,
    /// Any higher value is worse.
    LowerIsBetter,
    /// A value that is higher by more than this many percent is worse.
    Within(u64),
    /// No value is worse, because another statistic says what it costs.
    Shown,
}

/// A statistic.
pub struct Column {
    pub name: &'static str,
    /// Name in the program's output.
    source: &'static str,
    pub rule: Rule,
}

const fn column(name: &'static str, source: &'static str, rule: Rule) -> Column {
    Column { name, source, rule }
}

/// Statistics of RADV. Registers and workgroup memory matter as far as they cost waves.
pub const RADV: [Column; 10] = [
    column("waves", "Subgroups per SIMD", Rule::HigherIsBetter),
    column("vgprs", "VGPRs", Rule::Shown),
    column("sgprs", "SGPRs", Rule::Shown),
    column("vgpr_spills", "Spilled VGPRs", Rule::LowerIsBetter),
    column("sgpr_spills", "Spilled SGPRs", Rule::LowerIsBetter),
    column("scratch", "Scratch size", Rule::LowerIsBetter),
    column("lds", "LDS size", Rule::Shown),
    column("code", "Code size", Rule::Within(3)),
    column("instructions", "Instructions", Rule::Within(3)),
    column("latency", "Latency", Rule::Within(10)),
];

/// Counts in naga's texts.
pub const TEXT: [Column; 5] = [
    column("msl_clamps", "msl_clamps", Rule::LowerIsBetter),
    column("msl_loop_guards", "msl_loop_guards", Rule::LowerIsBetter),
    column("hlsl_clamps", "hlsl_clamps", Rule::LowerIsBetter),
    column("hlsl_loop_guards", "hlsl_loop_guards", Rule::LowerIsBetter),
    column("zeroed_bytes", "zeroed_bytes", Rule::LowerIsBetter),
];

/// The statistics of all kernels, in the order of the columns.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Device and driver with its version; naga for its texts.
    pub driver: String,
    pub kernels: Vec<(String, Vec<u64>)>,
}

impl Table {
    /// Reads the program's output: a line of JSON with the driver if there is one, and a line for each kernel.
    pub fn from_lines(text: &str, columns: &[Column]) -> Result<Self> {
        let mut table = Self {
            driver: "naga".to_owned(),
            kernels: Vec::new(),
        };
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
            if let Some(driver) = line["driver"].as_str() {
                table.driver = driver.to_owned();
                continue;
            }
            let name = line["kernel"].as_str().context("a line without a kernel")?;
            let values = columns.iter().map(|column| {
                line["counts"][column.source].as_u64().with_context(|| {
                    format!("{name}: the driver has no statistic \"{}\"", column.source)
                })
            });
            let values = values.collect::<Result<_>>()?;
            table.kernels.push((name.to_owned(), values));
        }
        if table.kernels.is_empty() {
            bail!("expected a line for each kernel, found none");
        }
        Ok(table)
    }

    /// Reads a pinned file.
    pub fn from_json(text: &str, columns: &[Column]) -> Result<Self> {
        let file: Value = serde_json::from_str(text)?;
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        if file["columns"] != json!(names) {
            bail!("expected the columns {}", names.join(", "));
        }
        let kernels = file["kernels"].as_object().context("no kernels")?;
        let row = |(name, values): (&String, &Value)| {
            let values: Option<Vec<u64>> = values
                .as_array()
                .and_then(|values| values.iter().map(Value::as_u64).collect());
            let values = values.filter(|values| values.len() == columns.len());
            Ok((
                name.clone(),
                values.with_context(|| format!("{name}: no row of numbers"))?,
            ))
        };
        Ok(Self {
            driver: file["driver"].as_str().context("no driver")?.to_owned(),
            kernels: kernels.iter().map(row).collect::<Result<_>>()?,
        })
    }

    /// Writes a pinned file, with a line for each kernel.
    pub fn to_json(&self, columns: &[Column]) -> String {
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        let rows = self.kernels.iter();
        let rows: Vec<String> = rows
            .map(|(name, values)| format!("    {}: {}", json!(name), json!(values)))
            .collect();
        format!(
            "{{\n  \"driver\": {},\n  \"columns\": {},\n  \"kernels\": {{\n{}\n  }}\n}}\n",
            json!(self.driver),
            json!(names),
            rows.join(",\n")
        )
    }

    /// Returns the table for people.
    pub fn print(&self, columns: &[Column]) -> String {
        let wide = self.kernels.iter().map(|(name, _)| name.len());
        let wide = wide.max().unwrap_or_default();
        let mut out = format!("{:wide$}", "kernel");
        for column in columns {
            out += &format!("  {}", column.name);
        }
        for (name, values) in &self.kernels {
            out += &format!("\n{name:wide$}");
            for (column, value) in columns.iter().zip(values) {
                let wide = column.name.len();
                out += &format!("  {value:>wide$}");
            }
        }
        out
    }

    /// Returns the values of a kernel.
    pub fn row(&self, name: &str) -> Option<&[u64]> {
        let mut kernels = self.kernels.iter();
        kernels
            .find(|kernel| kernel.0 == name)
            .map(|kernel| kernel.1.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"driver":"D, 1.0"}
{"kernel":"a","counts":{"msl_clamps":1,"msl_loop_guards":2,"hlsl_clamps":3,"hlsl_loop_guards":4,"zeroed_bytes":5,"other":6}}
{"kernel":"b","counts":{"msl_clamps":0,"msl_loop_guards":0,"hlsl_clamps":0,"hlsl_loop_guards":0,"zeroed_bytes":0}}
"#;

    #[test]
    fn a_table_survives_its_file() {
        let table = Table::from_lines(LINES, &TEXT).unwrap();
        assert_eq!(table.driver, "D, 1.0");
        assert_eq!(table.row("a"), Some(&[1, 2, 3, 4, 5][..]));
        assert_eq!(table.row("c"), None);
        let json = table.to_json(&TEXT);
        assert_eq!(Table::from_json(&json, &TEXT).unwrap(), table);
        assert!(Table::from_json(&json, &RADV).is_err());
        assert!(Table::from_json(&json.replace("[1,", "["), &TEXT).is_err());
    }

    #[test]
    fn a_statistic_that_the_driver_lacks_is_named() {
        let error = Table::from_lines(&LINES.replace("hlsl_clamps", "x"), &TEXT).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a: the driver has no statistic \"hlsl_clamps\""
        );
        assert!(Table::from_lines("{\"driver\":\"D\"}\n", &TEXT).is_err());
        assert!(Table::from_lines("warning\n", &TEXT).is_err());
    }
}
