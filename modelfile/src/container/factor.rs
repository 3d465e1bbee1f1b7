//! Factors that NVFP4 tensors come with: `blk.0.attn_q.scale` multiplies `blk.0.attn_q.weight`, one number for each of its
//! matrices.
//!
//! The scale of the layer's input that other programs quantise (`blk.0.attn_q.input_scale`) is not needed here: inputs are
//! floats.
//!
//! Source: `_repack_nvfp4` in `convert_hf_to_gguf.py` of llama.cpp.

use std::collections::HashMap;

use super::{GgmlType, TensorInfo};
use crate::error::{Error, Result};

const WEIGHT: &str = ".weight";
const SCALES: [&str; 2] = [".input_scale", ".scale"];

/// Returns the name of the weight that a factor or the scale of an input belongs to, if the name is one of such a tensor.
pub fn weight_of(name: &str) -> Option<String> {
    let stem = SCALES.iter().find_map(|end| name.strip_suffix(end))?;
    Some(format!("{stem}{WEIGHT}"))
}

/// Returns the tensor with the factors of `weight`, if it has one: F32, a number for each of the weight's matrices.
///
/// # Errors
/// [`Error::UnsupportedQuant`] and [`Error::TensorShape`], with the factors' name.
pub fn factors_of<'a>(
    weight: &TensorInfo,
    all: &HashMap<&str, &'a TensorInfo>,
) -> Result<Option<&'a TensorInfo>> {
    let stem = weight.name.strip_suffix(WEIGHT);
    let Some(stem) = stem.filter(|_| weight.dtype == GgmlType::NVFP4) else {
        return Ok(None);
    };
    let Some(factors) = all.get(format!("{stem}.scale").as_str()).copied() else {
        return Ok(None);
    };
    if factors.dtype != GgmlType::F32 {
        return Err(Error::UnsupportedQuant {
            tensor: factors.name.clone(),
            found: factors.dtype.name().into(),
            supported: vec![GgmlType::F32.name()],
        });
    }
    let matrices = matrices(weight);
    if factors.n_cols().saturating_mul(factors.n_rows()) != matrices {
        return Err(Error::TensorShape {
            name: factors.name.clone(),
            expected: vec![matrices],
            found: factors.shape.clone(),
        });
    }
    Ok(Some(factors))
}

/// Returns the number of matrices of a tensor: experts are its third dimension.
pub fn matrices(tensor: &TensorInfo) -> u64 {
    let others = tensor.shape.iter().skip(2);
    others.fold(1, |n, dim| n.saturating_mul(*dim))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Arrangement;

    fn tensor(name: &str, dtype: GgmlType, shape: &[u64]) -> TensorInfo {
        TensorInfo {
            name: name.into(),
            shape: shape.into(),
            dtype,
            offset: 0,
            size: 0,
            arrangement: Arrangement::default(),
        }
    }

    #[test]
    fn factors_have_a_number_for_each_matrix() {
        let weight = tensor("a.weight", GgmlType::NVFP4, &[64, 2, 3]);
        let found = |dtype, shape: &[u64]| {
            let factors = tensor("a.scale", dtype, shape);
            let found = factors_of(&weight, &HashMap::from([("a.scale", &factors)]));
            found
                .map(|factors| factors.is_some())
                .map_err(|error| (error.code(), error.to_string().contains("\"a.scale\"")))
        };
        assert_eq!(found(GgmlType::F32, &[3]), Ok(true));
        assert_eq!(found(GgmlType::F32, &[1]), Err(("tensor_shape", true)));
        assert_eq!(found(GgmlType::F32, &[3, 2]), Err(("tensor_shape", true)));
        assert_eq!(found(GgmlType::F16, &[3]), Err(("unsupported_quant", true)));
        assert_eq!(factors_of(&weight, &HashMap::new()), Ok(None));
    }

    #[test]
    fn both_kinds_of_scales_name_their_weight() {
        for name in ["blk.0.attn_q.scale", "blk.0.attn_q.input_scale"] {
            assert_eq!(weight_of(name).as_deref(), Some("blk.0.attn_q.weight"));
        }
        assert_eq!(weight_of("blk.0.layer_output_scale.weight"), None);
    }
}
