//! Attention over latent vectors: its sizes, and what YaRN does to its scores.

use super::MAX_LATENT;
use super::keys::Keys;
use crate::error::Result;
use crate::layer_spec::LatentShape;
use crate::rope::Scaling;

/// Reads and checks the sizes.
pub(super) fn read(keys: &Keys) -> Result<LatentShape> {
    const KEY: &str = "attention.key_length_mla";
    let rotated = keys.size("rope.dimension_count", 512)?;
    let key = keys.size(KEY, 1024)?;
    let shape = LatentShape {
        query_rank: keys.count("attention.q_lora_rank", 1 << 14)?,
        rank: keys.size("attention.kv_lora_rank", MAX_LATENT)?,
        plain: key.saturating_sub(rotated),
        rotated,
        value: keys.size("attention.value_length_mla", 1024)?,
    };
    for (name, size) in [
        ("attention.q_lora_rank", shape.query_rank),
        ("attention.kv_lora_rank", shape.rank),
        ("attention.value_length_mla", shape.value),
        ("rope.dimension_count", shape.rotated),
    ] {
        if !size.is_multiple_of(4) {
            return Err(keys.wrong(name, "a multiple of 4", size));
        }
    }
    if shape.plain == 0 || !shape.plain.is_multiple_of(4) {
        let expected = format!("a multiple of 4 above rope.dimension_count ({rotated})");
        return Err(keys.wrong(KEY, expected, key));
    }
    if shape.kept() > MAX_LATENT {
        let expected = format!("at most {MAX_LATENT} with rope.dimension_count ({rotated})");
        return Err(keys.wrong("attention.kv_lora_rank", expected, shape.rank));
    }
    Ok(shape)
}

/// Takes the growth by YaRN from the rotation, which keeps lengths in these models, and returns the one of scores: a square of
/// 1 + 0.1 m ln(factor), of which a file has 0.1 m.
pub(super) fn score_growth(scaling: &mut Scaling) -> f32 {
    let Scaling::Yarn(yarn) = scaling else {
        return 1.0;
    };
    if yarn.log_multiplier == 0.0 {
        return 1.0;
    }
    let growth = 1.0 + yarn.log_multiplier * yarn.factor.max(1.0).ln();
    yarn.log_multiplier = 1.0;
    growth * growth
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Metadata, Value};
    use crate::rope::Yarn;

    /// Returns the shape that a file with these numbers has: key, value, rank, rotated, query_rank.
    fn shape(sizes: [u32; 5]) -> Result<LatentShape> {
        let names = [
            "attention.key_length_mla",
            "attention.value_length_mla",
            "attention.kv_lora_rank",
            "rope.dimension_count",
            "attention.q_lora_rank",
        ];
        let keys = names.map(|name| format!("deepseek2.{name}"));
        let values = sizes.map(Value::U32);
        let meta = Metadata::from_iter(keys.iter().map(String::as_str).zip(values));
        read(&Keys {
            meta: &meta,
            architecture: "deepseek2",
        })
    }

    #[test]
    fn sizes_are_those_of_the_file_or_refused_by_their_key() {
        let found = shape([192, 128, 512, 64, 0]).unwrap();
        assert_eq!((found.plain, found.kept(), found.query()), (128, 576, 192));
        for (sizes, key) in [
            ([64, 128, 512, 64, 0], "key_length_mla"),
            ([66, 128, 512, 64, 0], "key_length_mla"),
            ([192, 126, 512, 64, 0], "value_length_mla"),
            ([192, 128, 516, 64, 0], "kv_lora_rank"),
            ([192, 128, 510, 64, 0], "kv_lora_rank"),
            ([192, 128, 512, 62, 0], "rope.dimension_count"),
            ([192, 128, 512, 64, 6], "q_lora_rank"),
        ] {
            let error = shape(sizes).unwrap_err();
            assert!(error.to_string().contains(key), "{sizes:?}: {error}");
        }
    }

    #[test]
    fn yarn_makes_scores_grow_instead_of_lengths() {
        let mut scaling = Scaling::Yarn(Yarn {
            factor: 40.0,
            original_ctx: 4096,
            beta_fast: 32.0,
            beta_slow: 1.0,
            rounds: true,
            log_multiplier: 0.0707,
        });
        // DeepSeek-V2-Lite: (1 + 0.1 * 0.707 ln 40)^2
        let growth = score_growth(&mut scaling);
        assert!((growth - 1.589_622).abs() < 1e-4, "{growth}");
        assert!(matches!(&scaling, Scaling::Yarn(yarn) if yarn.log_multiplier == 1.0));
        assert_eq!(score_growth(&mut Scaling::None), 1.0);
    }
}
