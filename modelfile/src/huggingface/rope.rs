//! Translates rotary positions in `config.json` to GGUF's metadata.

use super::config::{Keys, text};
use crate::container::{Array, Value};
use crate::error::Result;
use crate::families::{SlidingRope, Turns};
use crate::json::Object;

/// Writes the bases, and the scaling for longer contexts.
pub(super) fn convert(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    let mut theta = config.f32("rope_theta")?;
    let mut local = config.f32("rope_local_base_freq")?;
    let mut scaling = config.object("rope_scaling")?;
    // transformers 5 groups them in one object, and in one per kind of layer if there are two kinds.
    if let Some(parameters) = config.object("rope_parameters")?
        && let Some(sliding) = parameters.object("sliding_attention")?
    {
        local = sliding.f32("rope_theta")?;
        let own = kind(&sliding)?.is_some_and(|kind| kind != "default");
        if own && matches!(keys.spec.sliding_rope, SlidingRope::Unscaled { .. }) {
            return Err(sliding.wrong("rope_type", "default where layers slide"));
        }
    }
    if let Some(parameters) = parameters(config)? {
        theta = parameters.f32("rope_theta")?.or(theta);
        scaling = Some(parameters);
    }
    if let (Some(parameters), Some(base)) = (&scaling, theta)
        && let Some(alpha) = parameters.f32("alpha")?.filter(|alpha| *alpha > 0.0)
        && kind(parameters)? == Some("dynamic")
    {
        theta = Some(grown(base, alpha, keys)?);
        scaling = None;
    }
    if let Some(theta) = theta {
        keys.insert("rope.freq_base", Value::F32(theta));
    }
    if let Some(local) = local {
        keys.insert("rope.freq_base_swa", Value::F32(local));
    }
    let Some(scaling) = scaling else {
        return Ok(());
    };
    if let Some(sections) = scaling.f32s("mrope_section")?
        && keys.spec.turns != Turns::ByOne
    {
        let sections = sections.iter().map(|pairs| *pairs as u32).collect();
        keys.insert(
            "rope.dimension_sections",
            Value::Array(Array::U32(sections)),
        );
    }
    let kind = kind(&scaling)?;
    let number = |key: &str, default: f32| scaling.f32(key).map(|v| v.unwrap_or(default));
    let original = match scaling.u32("original_max_position_embeddings")? {
        Some(original) => Some(original),
        None => config.u32("original_max_position_embeddings")?,
    };
    match kind.unwrap_or("default") {
        "default" => {}
        // (the rotation in three dimensions, as files of before transformers 5 call it)
        "mrope" if keys.spec.turns == Turns::InSections => {}
        "linear" => {
            keys.insert("rope.scaling.type", text("linear"));
            keys.insert("rope.scaling.factor", Value::F32(number("factor", 1.0)?));
        }
        "yarn" => {
            keys.insert("rope.scaling.type", text("yarn"));
            for (from, to, default) in [
                ("factor", "factor", 1.0),
                ("beta_fast", "yarn_beta_fast", 32.0),
                ("beta_slow", "yarn_beta_slow", 1.0),
            ] {
                let value = Value::F32(number(from, default)?);
                keys.insert(&format!("rope.scaling.{to}"), value);
            }
            // Determined by the family; GGUF has no key for it.
            let truncate = keys.spec.yarn_rounds;
            if scaling.bool("truncate")?.unwrap_or(true) != truncate {
                return Err(scaling.wrong("truncate", if truncate { "true" } else { "false" }));
            }
            yarn_growth(&scaling, number("factor", 1.0)?, keys)?;
            if let Some(beta) = scaling.f32("llama_4_scaling_beta")? {
                keys.insert("attention.temperature_scale", Value::F32(beta));
            }
            let trained = config.u32("max_position_embeddings")?;
            let original = Value::U32(original.or(trained).unwrap_or(1));
            keys.insert("rope.scaling.original_context_length", original);
        }
        "llama3" => {
            let divisors = llama3(
                theta.unwrap_or(10_000.0),
                keys.metadata
                    .u32(&format!("{}.rope.dimension_count", keys.spec.name))?,
                number("factor", 8.0)?,
                [
                    number("low_freq_factor", 1.0)?,
                    number("high_freq_factor", 4.0)?,
                ],
                original.unwrap_or(8192),
            );
            keys.insert_global("hearth.rope.freqs", floats(divisors));
        }
        "proportional" => {
            let dim = format!("{}.rope.dimension_count", keys.spec.name);
            let pairs = keys.metadata.u32(&dim)? / 2;
            let share = number("partial_rotary_factor", 1.0)?.clamp(0.0, 1.0);
            let rotated = (share * pairs as f32) as u32;
            let factor = number("factor", 1.0)?;
            // (as in GGUF: a frequency so low that nothing turns)
            let divisors = (0..pairs).map(|i| if i < rotated { factor } else { 1e30 });
            keys.insert_global("hearth.rope.freqs", floats(divisors.collect()));
        }
        "longrope" | "su" => longrope(config, &scaling, original, keys)?,
        _ => {
            let expected = "default, linear, yarn, llama3, longrope or proportional";
            return Err(scaling.wrong("rope_type", expected));
        }
    }
    Ok(())
}

/// Returns the rotation of the layers that do not slide, as transformers 5 writes it: alone, or beside that of those which do.
pub(super) fn parameters(config: &Object) -> Result<Option<Object>> {
    match config.object("rope_parameters")? {
        Some(all) => Ok(Some(all.object("full_attention")?.unwrap_or(all))),
        None => Ok(None),
    }
}

/// Writes which layers rotate, if the configuration lists their bases: 0 for none, and otherwise the same in all of them.
pub(super) fn by_layer(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    const KEY: &str = "layer_rope_theta";
    let Some(bases) = config.f32s(KEY)? else {
        return Ok(());
    };
    let mut rotating = bases.iter().copied().filter(|base| *base != 0.0);
    if let Some(first) = rotating.next() {
        if rotating.any(|base| base != first) {
            return Err(config.wrong(KEY, "one base, and 0 where nothing rotates"));
        }
        keys.insert("rope.freq_base", Value::F32(first));
    }
    let rotates = bases.iter().map(|base| *base != 0.0).collect();
    keys.insert("attention.rope_pattern", Value::Array(Array::Bool(rotates)));
    Ok(())
}

fn kind(scaling: &Object) -> Result<Option<&str>> {
    Ok(scaling.str("rope_type")?.or(scaling.str("type")?))
}

/// Returns the base that grows by a fixed `alpha`: base * alpha^(dim / (dim - 2)).
///
/// Source: `compute_ntk_alpha_rope_parameters` in transformers' `modeling_hunyuan_v1_dense.py`.
fn grown(base: f32, alpha: f32, keys: &Keys<'_>) -> Result<f32> {
    let key = format!("{}.rope.dimension_count", keys.spec.name);
    let dim = f64::from(keys.metadata.u32(&key)?.max(4));
    Ok((f64::from(base) * f64::from(alpha).powf(dim / (dim - 2.0))) as f32)
}

/// Writes the factor of cos and sin if it differs from the one that YaRN's `factor` implies.
///
/// Source: `_compute_yarn_parameters` in transformers' `modeling_rope_utils.py`.
fn yarn_growth(scaling: &Object, factor: f32, keys: &mut Keys<'_>) -> Result<()> {
    let grown = |by: f32| 0.1 * by * factor.max(1.0).ln() + 1.0;
    let parts = [scaling.f32("mscale")?, scaling.f32("mscale_all_dim")?];
    let given = match (scaling.f32("attention_factor")?, parts) {
        (Some(given), _) => Some(given),
        (None, [Some(scale), Some(all)]) if scale != 0.0 && all != 0.0 => {
            Some(grown(scale) / grown(all))
        }
        _ => None,
    };
    if let Some(given) = given {
        keys.insert("rope.scaling.attn_factor", Value::F32(given / grown(1.0)));
    }
    Ok(())
}

fn floats(values: Vec<f32>) -> Value {
    Value::Array(Array::F32(values))
}

/// Returns Llama 3's divisor of each pair's frequency: the factor for slow pairs, 1 for fast ones, interpolated
/// between.
///
/// Source: `_compute_llama3_parameters` in transformers' `modeling_rope_utils.py`.
fn llama3(theta: f32, dim: u32, factor: f32, [low, high]: [f32; 2], original: u32) -> Vec<f32> {
    let original = f64::from(original);
    let (factor, low, high) = (f64::from(factor), f64::from(low), f64::from(high));
    (0..dim / 2)
        .map(|i| {
            let exponent = f64::from(2 * i) / f64::from(dim);
            let wavelength = 2.0 * std::f64::consts::PI * f64::from(theta).powf(exponent);
            let smooth = ((original / wavelength - low) / (high - low)).clamp(0.0, 1.0);
            (1.0 / ((1.0 - smooth) / factor + smooth)) as f32
        })
        .collect()
}

/// Source: `_compute_longrope_parameters` in transformers' `modeling_rope_utils.py`.
fn longrope(
    config: &Object,
    scaling: &Object,
    original: Option<u32>,
    keys: &mut Keys<'_>,
) -> Result<()> {
    for (from, to) in [("short_factor", "short"), ("long_factor", "long")] {
        let factors = scaling.f32s(from)?;
        let factors = factors.ok_or_else(|| scaling.wrong(from, "an array of numbers"))?;
        keys.insert_global(&format!("hearth.rope.{to}"), floats(factors));
    }
    let Some(original) = original.filter(|n| *n > 1) else {
        return Ok(());
    };
    let key = "rope.scaling.original_context_length";
    keys.insert(key, Value::U32(original));
    let trained = config.u32("max_position_embeddings")?.unwrap_or(original);
    let stretch = match scaling.f32("factor")? {
        Some(factor) => factor,
        None => trained as f32 / original as f32,
    };
    let computed = match stretch > 1.0 {
        true => (1.0 + stretch.ln() / (original as f32).ln()).sqrt(),
        false => 1.0,
    };
    let factor = scaling.f32("attention_factor")?.unwrap_or(computed);
    keys.insert("rope.scaling.attn_factor", Value::F32(factor));
    Ok(())
}
