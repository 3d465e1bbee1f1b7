//! The report on a file's header, with the speed that the cost model predicts.

use crate::model::cost::{kinds, per_second, time};
use crate::ops::{KvType, Tuning};
use hearth_modelfile::budget::{self, InspectOptions, Report, Runs};
use hearth_modelfile::container::ModelHeader;
use hearth_modelfile::cost::{DeviceClass, Speed};

/// Reports on a file's header. With a bandwidth, the verdict has a prediction of the speed.
pub fn inspect(gguf: &ModelHeader, options: InspectOptions<'_>) -> Report {
    let mut report = budget::inspect(gguf, options);
    let Runs::Budget(budget) = &mut report.run else {
        return report;
    };
    let verdict = budget.device.as_mut();
    let (Some(verdict), Some(bandwidth)) = (verdict, options.bandwidth) else {
        return report;
    };
    if !budget.config.spec.causal || bandwidth.is_nan() || bandwidth <= 0.0 {
        return report;
    }
    let kv_type = options.kv_type.unwrap_or(KvType::F16);
    // A file that cannot be loaded has no speed.
    let Ok(kinds) = kinds(gguf, Tuning::LARGE_GPU, kv_type, budget.n_ctx, false) else {
        return report;
    };
    let class = DeviceClass::nearest(bandwidth, options.launch_gap);
    let step = time(&class, &kinds);
    let speed = Speed {
        tokens_per_second: per_second(step),
        at_most: bandwidth / budget.token.bytes as f64,
        launches: kinds.iter().map(|kind| kind.launches).sum(),
        step,
        bandwidth,
        gap: class.gap,
        gap_measured: options.launch_gap.is_some(),
        like: class.name,
    };
    verdict.tokens_per_second = Some(speed.tokens_per_second);
    verdict.speed = Some(speed);
    report
}
