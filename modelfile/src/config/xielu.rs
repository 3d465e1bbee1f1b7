//! Parameters of the activation xIELU that the metadata has for each layer.

use crate::container::{Metadata, ModelHeader, Value};
use crate::error::{Error, Result};
use crate::families::names::of_layer;
use crate::families::{Activation, ModelSpec};

const KEYS: [&str; 4] = ["xielu.alpha_p", "xielu.alpha_n", "xielu.beta", "xielu.eps"];

/// Returns alpha_p and alpha_n before their softplus, beta and eps of every layer; nothing where tensors have them, or for another
/// activation.
///
/// # Errors
/// [`Error::Metadata`] for an absent key, numbers that are not finite, or not one for each layer.
pub(super) fn read(gguf: &ModelHeader, spec: &ModelSpec, n_layers: usize) -> Result<Vec<[f32; 4]>> {
    let are_tensors = gguf.tensor(&of_layer(spec.names.xielu[0], 0)).is_some();
    if spec.activation != Activation::Xielu || are_tensors {
        return Ok(Vec::new());
    }
    let mut layers = vec![[0.0; 4]; n_layers];
    for (at, key) in KEYS.into_iter().enumerate() {
        let found = by_layer(&gguf.metadata, key, n_layers)?;
        for (layer, value) in layers.iter_mut().zip(found) {
            layer[at] = value;
        }
    }
    Ok(layers)
}

/// Returns a number for each layer, which a file gives once or for each.
fn by_layer(meta: &Metadata, key: &str, n_layers: usize) -> Result<Vec<f32>> {
    let found = match meta.get(key) {
        Some(Value::Array(_)) => meta.f32s(key)?.to_vec(),
        _ => vec![meta.f32(key)?; n_layers],
    };
    match found.len() == n_layers && found.iter().all(|value| value.is_finite()) {
        true => Ok(found),
        false => Err(Error::Metadata {
            key: key.to_owned(),
            expected: format!("{n_layers} finite numbers, one for each layer"),
            found: format!("{found:?}").chars().take(60).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Array;

    #[test]
    fn a_number_holds_for_every_layer_and_a_list_has_one_for_each() {
        let read = |value| by_layer(&Metadata::from_iter([(KEYS[2], value)]), KEYS[2], 2);
        let list = |values: &[f32]| Value::Array(Array::F32(values.into()));
        assert_eq!(read(Value::F32(0.5)), Ok(vec![0.5; 2]));
        assert_eq!(read(list(&[0.5, 0.25])), Ok(vec![0.5, 0.25]));
        for wrong in [
            list(&[0.5]),
            list(&[0.5; 3]),
            list(&[0.5, f32::NAN]),
            Value::F32(f32::INFINITY),
            Value::String("0.5".into()),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(KEYS[2]), "{error}");
        }
        assert!(by_layer(&Metadata::default(), KEYS[2], 2).is_err());
    }
}
