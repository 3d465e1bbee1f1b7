//! Compares a golden with the same golden made again, perhaps by another kind of CPU.
//!
//! There torch picks other kernels, and the last bits of logits, embeddings, scores and margins differ. Nothing else may: ids,
//! texts, tokenizers and weights are the same everywhere.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

/// Largest difference of two numbers, in parts of the larger of 1 and what a file has as the largest.
const TOLERANCE: f64 = 1e-3;

/// Returns whether both files say the same, floats to within [`TOLERANCE`].
pub fn alike(one: &Path, other: &Path) -> Result<bool> {
    let (a, b) = (fs::read(one)?, fs::read(other)?);
    Ok(match one.extension().and_then(|end| end.to_str()) {
        Some("bin") => floats_alike(&a, &b),
        Some("json") => values_alike(&serde_json::from_slice(&a)?, &serde_json::from_slice(&b)?),
        _ => a == b,
    })
}

fn floats_alike(a: &[u8], b: &[u8]) -> bool {
    let floats = |bytes: &[u8]| -> Vec<f64> {
        let all = bytes.as_chunks::<4>().0.iter();
        all.map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
            .collect()
    };
    let (a, b) = (floats(a), floats(b));
    let largest = a.iter().fold(1.0f64, |most, v| most.max(v.abs()));
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= TOLERANCE * largest;
    a.len() == b.len() && a.iter().zip(&b).all(near)
}

fn values_alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) if x.is_f64() || y.is_f64() => {
            let (Some(x), Some(y)) = (x.as_f64(), y.as_f64()) else {
                return false;
            };
            (x - y).abs() <= TOLERANCE * x.abs().max(1.0)
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| values_alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(key, value): (&String, &Value)| {
                b.get(key).is_some_and(|other| values_alike(value, other))
            };
            a.len() == b.len() && a.iter().all(same)
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn last_bits_may_differ_and_nothing_else() {
        let golden = json!({"ids": [1, 2], "margins": [0.5, 20.0], "text": "a"});
        let with = |key: &str, value: Value| {
            let mut other = golden.clone();
            other[key] = value;
            values_alike(&golden, &other)
        };
        assert!(with("margins", json!([0.5000001, 20.0001])));
        for (key, value) in [
            ("margins", json!([0.5, 20.1])),
            ("margins", json!([0.5])),
            ("ids", json!([1, 3])),
            ("text", json!("b")),
            ("more", json!(1)),
        ] {
            assert!(!with(key, value), "{key}");
        }
        let bytes = |floats: &[f32]| -> Vec<u8> {
            let all = floats.iter().flat_map(|v| v.to_le_bytes());
            all.collect()
        };
        let logits = bytes(&[0.0, 8.0]);
        assert!(floats_alike(&logits, &bytes(&[1e-6, 8.000001])));
        for other in [&[0.0, 8.1][..], &[0.0], &[0.0, f32::NAN]] {
            assert!(!floats_alike(&logits, &bytes(other)), "{other:?}");
        }
    }
}
