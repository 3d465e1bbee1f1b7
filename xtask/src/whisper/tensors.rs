//! Whisper's weights under transformers' names, out of CTranslate2's variables, which stack the projections of attention.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use super::ctranslate2::Variables;

/// A tensor of 16-bit floats.
pub struct Tensor<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    pub data: &'a [u8],
}

/// Sizes of a model.
pub struct Dims {
    pub d_model: usize,
    pub d_ff: usize,
    pub n_heads: usize,
    pub n_encoder_layers: usize,
    pub n_decoder_layers: usize,
    pub n_mels: usize,
    pub n_audio_ctx: usize,
    pub n_text_ctx: usize,
    pub n_vocab: usize,
}

impl Dims {
    pub fn of(variables: &Variables, tensors: &[Tensor]) -> Result<Self> {
        let size = |name: &str, axis: usize| {
            let found = tensors.iter().find(|tensor| tensor.name == name);
            let found = found.and_then(|tensor| tensor.shape.get(axis).copied());
            found.with_context(|| format!("{name} has no axis {axis}"))
        };
        let n_heads = variables.number("encoder/num_heads")?;
        ensure!(
            n_heads == variables.number("decoder/num_heads")?,
            "encoder and decoder have different numbers of heads"
        );
        Ok(Self {
            n_heads,
            d_model: size("model.decoder.embed_tokens.weight", 1)?,
            d_ff: size("model.decoder.layers.0.fc1.weight", 0)?,
            n_encoder_layers: layers(variables, "encoder"),
            n_decoder_layers: layers(variables, "decoder"),
            n_mels: size("model.encoder.conv1.weight", 1)?,
            n_audio_ctx: size("model.encoder.embed_positions.weight", 0)?,
            n_text_ctx: size("model.decoder.embed_positions.weight", 0)?,
            n_vocab: size("model.decoder.embed_tokens.weight", 0)?,
        })
    }
}

/// Returns all tensors, sorted by name. The head is tied to the embedding and has none.
pub fn all<'a>(variables: &Variables<'a>) -> Result<Vec<Tensor<'a>>> {
    let mut made = Made {
        variables,
        tensors: Vec::new(),
        used: BTreeSet::new(),
    };
    for conv in ["conv1", "conv2"] {
        made.linear(
            &format!("encoder/{conv}"),
            &[&format!("model.encoder.{conv}")],
        )?;
    }
    made.one(
        "decoder/embeddings/weight",
        "model.decoder.embed_tokens.weight",
    )?;
    for stack in ["encoder", "decoder"] {
        made.one(
            &format!("{stack}/position_encodings/encodings"),
            &format!("model.{stack}.embed_positions.weight"),
        )?;
        made.norm(
            &format!("{stack}/layer_norm"),
            &format!("model.{stack}.layer_norm"),
        )?;
        for layer in 0..layers(variables, stack) {
            made.layer(stack, layer)?;
        }
    }
    let unused = variables.names().find(|name| !made.used.contains(*name));
    ensure!(
        unused.is_none(),
        "model.bin: no place for {}",
        unused.map_or("", |name| name)
    );
    made.tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(made.tensors)
}

fn layers(variables: &Variables, stack: &str) -> usize {
    let of = |layer: &usize| {
        variables
            .f16(&format!("{stack}/layer_{layer}/ffn/linear_0/weight"))
            .is_ok()
    };
    (0..).take_while(of).count()
}

struct Made<'a, 'b> {
    variables: &'b Variables<'a>,
    tensors: Vec<Tensor<'a>>,
    used: BTreeSet<String>,
}

impl Made<'_, '_> {
    fn layer(&mut self, stack: &str, layer: usize) -> Result<()> {
        let from = |part: &str| format!("{stack}/layer_{layer}/{part}");
        let to = |part: &str| format!("model.{stack}.layers.{layer}.{part}");
        let mut linear = |part: &str, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| to(name)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            self.linear(&from(part), &names)
        };
        let qkv = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];
        linear("self_attention/linear_0", &qkv)?;
        linear("self_attention/linear_1", &["self_attn.out_proj"])?;
        linear("ffn/linear_0", &["fc1"])?;
        linear("ffn/linear_1", &["fc2"])?;
        let mut norms = vec![
            ("self_attention/layer_norm", "self_attn_layer_norm"),
            ("ffn/layer_norm", "final_layer_norm"),
        ];
        if stack == "decoder" {
            linear("attention/linear_0", &["encoder_attn.q_proj"])?;
            let kv = ["encoder_attn.k_proj", "encoder_attn.v_proj"];
            linear("attention/linear_1", &kv)?;
            linear("attention/linear_2", &["encoder_attn.out_proj"])?;
            norms.push(("attention/layer_norm", "encoder_attn_layer_norm"));
        }
        let mut norms = norms.into_iter();
        norms.try_for_each(|(part, name)| self.norm(&from(part), &to(name)))
    }

    /// Takes a weight and its bias apart into those of `names`. Keys have no bias: theirs is 0 and left out.
    fn linear(&mut self, from: &str, names: &[&str]) -> Result<()> {
        for kind in ["weight", "bias"] {
            let variable = self.take(&format!("{from}/{kind}"))?;
            let (shape, data) = (variable.0, variable.1);
            ensure!(
                shape.first().is_some_and(|rows| rows % names.len() == 0),
                "{from}/{kind}: expected {} parts",
                names.len()
            );
            for (name, data) in names.iter().zip(data.chunks(data.len() / names.len())) {
                if kind == "bias" && name.ends_with("k_proj") {
                    let is_zero = data.iter().all(|byte| *byte == 0);
                    ensure!(is_zero, "{from}: expected keys without a bias");
                    continue;
                }
                let mut shape = shape.clone();
                shape[0] /= names.len();
                let name = format!("{name}.{kind}");
                self.tensors.push(Tensor { name, shape, data });
            }
        }
        Ok(())
    }

    fn norm(&mut self, from: &str, to: &str) -> Result<()> {
        self.one(&format!("{from}/gamma"), &format!("{to}.weight"))?;
        self.one(&format!("{from}/beta"), &format!("{to}.bias"))
    }

    fn one(&mut self, from: &str, to: &str) -> Result<()> {
        let (shape, data) = self.take(from)?;
        let name = to.to_owned();
        self.tensors.push(Tensor { name, shape, data });
        Ok(())
    }
}

impl<'a> Made<'a, '_> {
    fn take(&mut self, name: &str) -> Result<(Vec<usize>, &'a [u8])> {
        let variable = self.variables.f16(name)?;
        self.used.insert(name.to_owned());
        Ok((variable.shape.clone(), variable.data))
    }
}
