//! Projections that follow the pooling of an embedding model.

use super::keys::Keys;
use crate::by_layer::in_range;
use crate::container::ModelHeader;
use crate::error::{Error, Result};
use crate::families::names::bias_of;
use crate::families::{Captions, ModelSpec};

/// The most rows or columns of a projection.
const MAX_WIDTH: usize = 1 << 17;

/// A projection of a pooled embedding, without activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dense {
    /// The tensor's name.
    pub name: &'static str,
    pub rows: usize,
    pub cols: usize,
    /// It has a bias.
    pub biased: bool,
}

/// Returns the projections of the file, each of which takes the preceding one's output.
pub(super) fn read(
    keys: &Keys,
    gguf: &ModelHeader,
    spec: &ModelSpec,
    d_model: usize,
) -> Result<Vec<Dense>> {
    let mut all = Vec::new();
    let mut width = d_model;
    for name in spec.names.dense.iter().copied() {
        let stem = name.trim_end_matches(".weight");
        let bias = bias_of(name);
        let (of_cols, of_rows) = (format!("{stem}_feat_in"), format!("{stem}_feat_out"));
        let given = [
            (keys.count(&of_cols, MAX_WIDTH)?, &of_cols),
            (keys.count(&of_rows, MAX_WIDTH)?, &of_rows),
        ];
        let is_known = match spec.captions {
            Captions::None => spec.honours.contains(&of_rows.as_str()),
            Captions::UpToEnd | Captions::Padded => true,
        };
        let takes_bias = spec.captions == Captions::Padded;
        let unwanted = [name, &bias].into_iter().find(|unwanted| {
            let is_taken = match *unwanted == name {
                true => is_known,
                false => takes_bias,
            };
            gguf.tensor(unwanted).is_some() && !is_taken
        });
        if let Some(unwanted) = unwanted {
            return Err(Error::Metadata {
                key: unwanted.to_owned(),
                expected: "no such tensor in a model of this architecture".into(),
                found: "one".into(),
            });
        }
        let Some(tensor) = gguf.tensor(name) else {
            if given.iter().all(|(n, _)| *n == 0) {
                continue;
            }
            return Err(Error::MissingTensor { name: name.into() });
        };
        let shape = [tensor.n_cols(), tensor.n_rows()].map(|n| usize::try_from(n).unwrap_or(0));
        for ((given, key), found) in given.into_iter().zip(shape) {
            in_range(name, found, MAX_WIDTH)?;
            if given != 0 && given != found {
                return Err(keys.wrong(key, format!("that of the tensor ({found})"), given));
            }
        }
        let [cols, rows] = shape;
        if cols != width || rows % 4 != 0 {
            return Err(Error::TensorShape {
                name: name.into(),
                expected: vec![width as u64, rows.next_multiple_of(4) as u64],
                found: tensor.shape.clone(),
            });
        }
        width = rows;
        all.push(Dense {
            name,
            rows,
            cols,
            biased: gguf.tensor(&bias).is_some(),
        });
    }
    Ok(all)
}
