//! Weights of 8-bit floats (E4M3) next to the scales of their blocks: DeepSeek's and Qwen's folders with `-FP8` in their name, and
//! what compressed-tensors calls `float-quantized`.
//!
//! ```text
//! x.weight             F8_E4M3   [rows, cols]
//! x.weight_scale_inv   F32, BF16 [rows / 128, cols / 128], rounded up     quant_method fp8
//! x.weight_scale                 one, [rows, 1] or as above               quant_method compressed-tensors
//! ```
//!
//! A scale multiplies its block's elements, whatever its name. Scales of a layer's input are for programs that quantise the input,
//! too, and are not needed here.

use std::collections::HashMap;

use crate::container::{Arrangement, Fp8, GgmlType, Range, TensorInfo};
use crate::error::{Error, Result};
use crate::families::Checkpoint;
use crate::json::Object;

/// Rows and columns of a block, if a configuration does not give them.
const USUAL_BLOCK: [u64; 2] = [128, 128];

/// Ends of the names of scales that belong to a layer's input.
const OF_INPUTS: [&str; 2] = [".activation_scale", ".input_scale"];

/// The way in which a folder's weights are quantised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scheme {
    /// End of a scale's name, after the weight's.
    end: &'static str,
    blocks: Blocks,
}

/// Elements that share a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocks {
    /// All of a matrix.
    Matrix,
    /// All of a row.
    Row,
    /// Blocks of as many rows and columns.
    Of([u64; 2]),
    /// All of a matrix that has one scale, otherwise [`USUAL_BLOCK`].
    Unsaid,
}

/// Returns how the weights are quantised, or `None` if they are floats or in the family's own format.
///
/// # Errors
/// [`Error::Metadata`] for other methods, which have tensors that are not supported.
pub(super) fn scheme(config: &Object, checkpoint: &Checkpoint) -> Result<Option<Scheme>> {
    let Some(how) = config.object("quantization_config")? else {
        return Ok(None);
    };
    match how.str("quant_method")? {
        Some(found) if Some(found) == checkpoint.quant_method => Ok(None),
        Some("fp8") if !checkpoint.by_columns => fine_grained(&how).map(Some),
        Some("compressed-tensors") if !checkpoint.by_columns => compressed(&how).map(Some),
        _ => Err(how.wrong(
            "quant_method",
            "none (weights in floats), fp8, compressed-tensors in FP8, or mxfp4 of gpt_oss; other quantised models are read from GGUF",
        )),
    }
}

/// Reads the settings of the method `fp8`.
fn fine_grained(how: &Object) -> Result<Scheme> {
    if how.str("fmt")?.is_some_and(|fmt| fmt != "e4m3") {
        return Err(how.wrong("fmt", "e4m3"));
    }
    let blocks = match block(how, "weight_block_size")? {
        Some(block) => Blocks::Of(block),
        None => Blocks::Unsaid,
    };
    let end = "_scale_inv";
    Ok(Scheme { end, blocks })
}

/// Reads the settings of the method `compressed-tensors`.
fn compressed(how: &Object) -> Result<Scheme> {
    if how.str("format")? != Some("float-quantized") {
        return Err(how.wrong("format", "float-quantized"));
    }
    if let Some(found) = how.object("transform_config")?
        && found.object("config_groups")?.is_some()
    {
        return Err(how.wrong("transform_config", "no rotation of the weights"));
    }
    if let Some(sparsity) = how.object("sparsity_config")?
        && sparsity
            .str("format")?
            .is_some_and(|format| format != "dense")
    {
        return Err(sparsity.wrong("format", "dense"));
    }
    let names = how.get("config_groups").and_then(|all| all.as_object());
    let names = names.into_iter().flat_map(|groups| groups.keys());
    let groups = how.object("config_groups")?;
    let mut found = None;
    for name in names {
        let group = match &groups {
            Some(groups) => groups.object(name)?,
            None => None,
        };
        let weights = match &group {
            Some(group) => group.object("weights")?,
            None => None,
        };
        let Some(weights) = weights else {
            return Err(how.wrong("config_groups", "weights in each group"));
        };
        let blocks = compressed_blocks(&weights)?;
        if found.is_some_and(|found| found != blocks) {
            return Err(how.wrong("config_groups", "one strategy for all weights"));
        }
        found = Some(blocks);
    }
    let blocks = found.ok_or_else(|| how.wrong("config_groups", "at least one group"))?;
    let end = "_scale";
    Ok(Scheme { end, blocks })
}

/// Reads how the weights of a group of compressed-tensors share scales.
fn compressed_blocks(weights: &Object) -> Result<Blocks> {
    if weights.u32("num_bits")? != Some(8) {
        return Err(weights.wrong("num_bits", "8"));
    }
    if weights.str("type")? != Some("float") {
        return Err(weights.wrong("type", "float"));
    }
    if weights.bool("symmetric")? == Some(false) {
        return Err(weights.wrong("symmetric", "true"));
    }
    match weights.str("strategy")? {
        Some("tensor") => Ok(Blocks::Matrix),
        Some("channel") => Ok(Blocks::Row),
        Some("block") => match block(weights, "block_structure")? {
            Some(block) => Ok(Blocks::Of(block)),
            None => Err(weights.wrong("block_structure", "two numbers above 0")),
        },
        _ => Err(weights.wrong("strategy", "tensor, channel or block")),
    }
}

/// Reads the rows and columns of a block.
fn block(how: &Object, key: &str) -> Result<Option<[u64; 2]>> {
    let Some(found) = how.get(key) else {
        return Ok(None);
    };
    let numbers = found.as_array().and_then(|all| {
        let [rows, cols] = &all[..] else { return None };
        Some([rows.as_u64()?, cols.as_u64()?])
    });
    let numbers = numbers.filter(|numbers| !numbers.contains(&0));
    numbers
        .map(Some)
        .ok_or_else(|| how.wrong(key, "two numbers above 0"))
}

/// Gives weights of 8-bit floats their scales, which are no tensors of the model's own then.
///
/// # Errors
/// [`Error::MissingTensor`] for a weight without scales, [`Error::TensorShape`] for scales of other blocks, [`Error::UnsupportedQuant`]
/// for 8-bit floats that are no matrix or that the configuration does not mention, [`Error::Metadata`] for scales without a weight.
pub(super) fn pair(tensors: Vec<TensorInfo>, scheme: Option<Scheme>) -> Result<Vec<TensorInfo>> {
    let Some(scheme) = scheme else {
        return match tensors.iter().find(|tensor| is_fp8(tensor)) {
            None => Ok(tensors),
            Some(tensor) => Err(unsupported(tensor, "F8_E4M3", vec!["F32", "F16", "BF16"])),
        };
    };
    let of_input = |tensor: &TensorInfo| OF_INPUTS.iter().any(|end| tensor.name.ends_with(end));
    let tensors = tensors.into_iter().filter(|tensor| !of_input(tensor));
    let (scales, weights): (Vec<_>, Vec<_>) =
        tensors.partition(|tensor| tensor.name.ends_with(scheme.end));
    let mut scales: HashMap<String, TensorInfo> = (scales.into_iter())
        .map(|tensor| (tensor.name.clone(), tensor))
        .collect();
    let mut paired = Vec::with_capacity(weights.len());
    for weight in weights {
        if !is_fp8(&weight) {
            paired.push(weight);
            continue;
        }
        let name = format!("{}{}", weight.name, scheme.end);
        match scales.remove(&name) {
            Some(scales) => paired.push(scaled(weight, &scales, scheme.blocks)?),
            None => return Err(Error::MissingTensor { name }),
        }
    }
    match scales.into_keys().min() {
        None => Ok(paired),
        Some(name) => Err(Error::Metadata {
            key: name,
            expected: "scales of a weight in F8_E4M3".into(),
            found: "no such weight".into(),
        }),
    }
}

/// Returns whether a tensor holds 8-bit floats. Raw bytes with the names of MXFP4's parts do not.
fn is_fp8(tensor: &TensorInfo) -> bool {
    let is_mxfp4 = ["_blocks", "_scales"].map(|end| tensor.name.ends_with(end));
    tensor.dtype == GgmlType::I8 && is_mxfp4 == [false; 2]
}

fn unsupported(tensor: &TensorInfo, found: &str, supported: Vec<&'static str>) -> Error {
    Error::UnsupportedQuant {
        tensor: tensor.name.clone(),
        found: format!("safetensors' {found}"),
        supported,
    }
}

/// Returns a weight with its scales.
fn scaled(weight: TensorInfo, scales: &TensorInfo, blocks: Blocks) -> Result<TensorInfo> {
    if is_fp8(scales) {
        return Err(unsupported(scales, "F8_E4M3", vec!["F32", "F16", "BF16"]));
    }
    let [cols, rows, experts @ ..] = &weight.shape[..] else {
        return Err(unsupported(
            &weight,
            "F8_E4M3 without rows",
            vec!["F32", "F16", "BF16"],
        ));
    };
    let elements = scales.n_cols().saturating_mul(scales.n_rows());
    let matrices = experts.iter().fold(1, |n: u64, dim| n.saturating_mul(*dim));
    let [block_rows, block_cols] = match blocks {
        Blocks::Matrix => [*rows, *cols],
        Blocks::Row => [1, *cols],
        Blocks::Of(block) => block,
        Blocks::Unsaid if elements == matrices => [*rows, *cols],
        Blocks::Unsaid => USUAL_BLOCK,
    };
    let per_matrix = [cols.div_ceil(block_cols), rows.div_ceil(block_rows)];
    let expected = [&per_matrix[..], experts].concat();
    // Dimensions of 1 are written or left out.
    let dims =
        |shape: &[u64]| -> Vec<u64> { shape.iter().copied().filter(|dim| *dim > 1).collect() };
    if dims(&scales.shape) != dims(&expected) {
        return Err(Error::TensorShape {
            name: scales.name.clone(),
            expected,
            found: scales.shape.clone(),
        });
    }
    let fp8 = Fp8 {
        scales: Range {
            offset: scales.offset,
            size: scales.size,
        },
        scale_type: scales.dtype,
        rows: *rows,
        block_rows,
        block_cols,
    };
    Ok(TensorInfo {
        dtype: GgmlType::BF16,
        arrangement: Arrangement {
            fp8: Some(fp8),
            ..weight.arrangement
        },
        ..weight
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::FAMILIES;

    fn checkpoint(model_type: &str) -> &'static Checkpoint {
        let mut all = FAMILIES.iter().flat_map(|spec| spec.checkpoints);
        all.find(|checkpoint| checkpoint.model_type == model_type)
            .unwrap()
    }

    fn read(model_type: &str, how: &str) -> Result<Option<Scheme>> {
        let text = format!(r#"{{"quantization_config": {how}}}"#);
        scheme(
            &Object::parse(&text, "config.json")?,
            checkpoint(model_type),
        )
    }

    fn tensor(name: &str, dtype: GgmlType, shape: &[u64]) -> TensorInfo {
        TensorInfo {
            name: name.into(),
            shape: shape.into(),
            dtype,
            offset: 7,
            size: 5,
            arrangement: Arrangement::default(),
        }
    }

    /// Returns the blocks of the weight `a.weight` with scales of a shape.
    fn blocks(scheme: Option<Scheme>, weight: &[u64], scales: &[u64]) -> Result<[u64; 3]> {
        let end = scheme.unwrap().end;
        let tensors = vec![
            tensor(&format!("a.weight{end}"), GgmlType::F32, scales),
            tensor("a.weight", GgmlType::I8, weight),
            tensor("a.input_scale", GgmlType::F32, &[1]),
        ];
        let paired = pair(tensors, scheme)?;
        let [weight] = &paired[..] else {
            panic!("{paired:?}")
        };
        assert_eq!((weight.dtype, weight.size), (GgmlType::BF16, 5));
        let fp8 = weight.arrangement.fp8.unwrap();
        assert_eq!((fp8.scales.offset, fp8.scale_type), (7, GgmlType::F32));
        Ok([fp8.rows, fp8.block_rows, fp8.block_cols])
    }

    const COMPRESSED: &str = r#"{"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups":
        {"group_0": {"weights": {"num_bits": 8, "type": "float", "symmetric": true, "strategy": "channel"}}}}"#;

    #[test]
    fn blocks_are_those_of_the_configuration() {
        let fine =
            |more: &str| read("qwen3", &format!(r#"{{"quant_method": "fp8" {more}}}"#)).unwrap();
        let given = fine(r#", "fmt": "e4m3", "weight_block_size": [64, 32]"#);
        assert_eq!(blocks(given, &[160, 100], &[5, 2]), Ok([100, 64, 32]));
        assert_eq!(blocks(given, &[160, 100, 3], &[5, 2, 3]), Ok([100, 64, 32]));
        assert_eq!(blocks(fine(""), &[160, 100], &[2]), Ok([100, 128, 128]));
        assert_eq!(blocks(fine(""), &[160, 100], &[1]), Ok([100, 100, 160]));
        let of =
            |strategy: &str| read("llama", &COMPRESSED.replace("\"channel\"", strategy)).unwrap();
        assert_eq!(
            blocks(of("\"channel\""), &[160, 100], &[1, 100]),
            Ok([100, 1, 160])
        );
        assert_eq!(
            blocks(of("\"tensor\""), &[160, 100], &[1]),
            Ok([100, 100, 160])
        );
        let block = of(r#""block", "block_structure": [50, 80]"#);
        assert_eq!(blocks(block, &[160, 100], &[2, 2]), Ok([100, 50, 80]));
    }

    #[test]
    fn scales_that_do_not_fit_are_refused() {
        let given = read(
            "qwen3",
            r#"{"quant_method": "fp8", "weight_block_size": [64, 32]}"#,
        )
        .unwrap();
        for (weight, scales, code) in [
            (&[160, 100][..], &[5, 3][..], "tensor_shape"),
            (&[160, 100], &[1], "tensor_shape"),
            (&[160], &[5], "unsupported_quant"),
        ] {
            let error = blocks(given, weight, scales).unwrap_err();
            assert_eq!(error.code(), code, "{weight:?} {scales:?}: {error}");
        }
        let [weight, scales, floats] = [
            tensor("a.weight", GgmlType::I8, &[160, 100]),
            tensor("a.weight_scale_inv", GgmlType::I8, &[5, 2]),
            tensor("a.weight", GgmlType::BF16, &[160, 100]),
        ];
        for (tensors, scheme, code) in [
            (vec![weight.clone()], given, "missing_tensor"),
            (vec![weight.clone()], None, "unsupported_quant"),
            (vec![weight, scales.clone()], given, "unsupported_quant"),
            (vec![floats, scales], given, "bad_metadata"),
        ] {
            let error = pair(tensors, scheme).unwrap_err();
            assert!(error.to_string().contains("a.weight"), "{error}");
            assert_eq!(error.code(), code, "{error}");
        }
    }

    #[test]
    fn other_methods_are_refused_by_name() {
        assert_eq!(read("gpt_oss", r#"{"quant_method": "mxfp4"}"#), Ok(None));
        for (model_type, how, named) in [
            ("llama", r#"{"quant_method": "gptq"}"#, "gptq"),
            ("llama", r#"{"quant_method": "awq"}"#, "awq"),
            (
                "llama",
                r#"{"quant_method": "bitsandbytes"}"#,
                "bitsandbytes",
            ),
            ("llama", r#"{"quant_method": "mxfp4"}"#, "mxfp4"),
            ("llama", r#"{"load_in_8bit": true}"#, "quant_method"),
            // (its matrices are stored by columns)
            ("gpt2", r#"{"quant_method": "fp8"}"#, "fp8"),
            ("llama", r#"{"quant_method": "fp8", "fmt": "e5m2"}"#, "e5m2"),
            (
                "llama",
                r#"{"quant_method": "fp8", "weight_block_size": [0, 1]}"#,
                "weight_block_size",
            ),
            (
                "llama",
                &COMPRESSED.replace("float-q", "pack-q"),
                "pack-quantized",
            ),
            ("llama", &COMPRESSED.replace("\"float\"", "\"int\""), "int"),
            ("llama", &COMPRESSED.replace("8", "4"), "num_bits"),
            ("llama", &COMPRESSED.replace("true", "false"), "symmetric"),
            ("llama", &COMPRESSED.replace("channel", "group"), "group"),
            (
                "llama",
                &COMPRESSED
                    .replace("group_0", "group_1")
                    .replace("weights", "output"),
                "config_groups",
            ),
        ] {
            let error = read(model_type, how).unwrap_err();
            assert_eq!(error.code(), "bad_metadata", "{how}");
            assert!(error.to_string().contains(named), "{how}: {error}");
        }
    }
}
