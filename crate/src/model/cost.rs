//! Cost of a token: the counters of a decode step's launches, and the time that a cost model gives them.

use serde::Serialize;

use crate::model::outline::{OutlineOptions, Step, outline};
use crate::ops::{KvType, Tuning};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::ModelHeader;
use hearth_modelfile::cost::{CLASSES, Counters, DeviceClass, StepTime, step_time};
use hearth_modelfile::error::Result;

/// Costs of a decode step with a context in use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepCost {
    pub name: String,
    /// Positions in use.
    pub positions: usize,
    /// Launches, those with equal names and counters together, in the order of their first.
    pub launches: Vec<Kind>,
    pub totals: Totals,
    /// The predicted step on each class of devices.
    pub predictions: Vec<Prediction>,
}

/// Launches that cost the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kind {
    pub name: String,
    /// Launches of a step.
    pub launches: u64,
    /// Counters of one.
    pub counters: Counters,
}

/// Sums over a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub launches: u64,
    pub weight_bytes: u64,
    pub file_bytes: u64,
    pub state_bytes: u64,
    pub prologue_bytes: u64,
    pub merge_bytes: u64,
    pub barriers: u64,
    pub trips: u64,
}

/// A predicted step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prediction {
    pub class: &'static str,
    /// Tokens per second when the sampler takes the largest logit, and when it applies top-k and top-p.
    pub greedy: f64,
    pub filtered: f64,
    /// Share of the tokens per second that the bytes in the file and the sequence's memory allow at the class's bandwidth.
    pub of_roofline: f64,
    /// Microseconds of a greedy step.
    pub step: StepTime,
}

/// Returns the launches of a decode step with `positions` in use, those that cost the same together.
///
/// # Errors
/// The errors of [`outline`].
pub fn kinds(
    gguf: &ModelHeader,
    tuning: Tuning,
    kv_type: KvType,
    positions: usize,
    filters: bool,
) -> Result<Vec<Kind>> {
    let options = OutlineOptions {
        tuning,
        step: Step::Decode,
        context_size: Some(positions),
        kv_type,
        positions: None,
        filters,
    };
    let mut kinds: Vec<Kind> = Vec::new();
    for launch in outline(gguf, options)? {
        let (name, counters) = (launch.name, launch.counters);
        let same = |kind: &&mut Kind| kind.name == name && kind.counters == counters;
        match kinds.iter_mut().find(same) {
            Some(kind) => kind.launches += 1,
            None => kinds.push(Kind {
                name,
                launches: 1,
                counters,
            }),
        }
    }
    Ok(kinds)
}

/// Returns the cost of a decode step with `positions` in use, for the tuning of a large GPU.
///
/// # Errors
/// The errors of [`outline`].
pub fn cost(gguf: &ModelHeader, kv_type: KvType, context: Option<usize>) -> Result<StepCost> {
    let config = ModelConfig::from_gguf(gguf)?;
    let positions = config.context(context, gguf.kept_bytes(), None);
    let kinds_of = |filters| kinds(gguf, Tuning::LARGE_GPU, kv_type, positions, filters);
    let (launches, filtered) = (kinds_of(false)?, kinds_of(true)?);
    let totals = totals(&launches);
    let predictions = CLASSES.iter().map(|class| {
        let step = time(class, &launches);
        let greedy = per_second(step);
        let roofline = class.bandwidth / (totals.file_bytes + totals.state_bytes).max(1) as f64;
        Prediction {
            class: class.name,
            greedy,
            filtered: per_second(time(class, &filtered)),
            of_roofline: greedy / roofline,
            step,
        }
    });
    Ok(StepCost {
        name: config.name,
        positions,
        predictions: predictions.collect(),
        totals,
        launches,
    })
}

/// Returns the time of a step.
pub fn time(class: &DeviceClass, kinds: &[Kind]) -> StepTime {
    step_time(
        class,
        kinds.iter().map(|kind| (&kind.counters, kind.launches)),
    )
}

/// Returns steps per second.
pub fn per_second(step: StepTime) -> f64 {
    1e6 / step.total()
}

fn totals(kinds: &[Kind]) -> Totals {
    let mut sum = Totals::default();
    for Kind {
        launches,
        counters: c,
        ..
    } in kinds
    {
        let trips = c.trips + c.near_trips;
        sum.launches += launches;
        for (total, one) in [
            (&mut sum.weight_bytes, c.weight_bytes),
            (&mut sum.file_bytes, c.file_bytes),
            (&mut sum.state_bytes, c.state_bytes),
            (&mut sum.prologue_bytes, c.prologue_bytes),
            (&mut sum.merge_bytes, c.merge_bytes),
            (&mut sum.barriers, c.barriers.into()),
            (&mut sum.trips, trips.into()),
        ] {
            *total += launches * one;
        }
    }
    sum
}
