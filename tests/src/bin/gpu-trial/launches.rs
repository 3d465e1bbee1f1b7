//! Times of a decode step's launches by the device's own clock, beside those that the cost model predicts.

use anyhow::{Result, ensure};
use hearth::model::outline::{OutlineOptions, Step, outline};
use hearth_modelfile::cost::{Counters, DeviceClass, step_time};
use hearth_tests::calibration::calibrate;
use pollster::block_on;
use serde_json::json;

use crate::options::Options;

/// Steps of which the shortest time of each launch counts.
const STEPS: usize = 8;
/// Steps whose whole time is measured, without timestamps.
const WHOLE: usize = 32;

/// Launches of a step that cost the same.
struct Group {
    name: String,
    counters: Counters,
    launches: u64,
    /// Microseconds of all of them.
    us: f64,
}

/// Prints a line for each group of launches, and one for the step that they are of, at each context.
pub fn print(options: &Options) -> Result<()> {
    let mut engine = options.load(true)?;
    let device = engine.device().clone();
    let (bandwidth, launch_s) = calibrate(&device)?;
    let class = DeviceClass::nearest(bandwidth, Some(launch_s * 1e6));
    let header = options.shape()?.parsed();
    let info = engine.info();
    let (tuning, n_ctx, kv_type) = (device.tuning(info.parameters), info.n_ctx, info.kv_type);
    for &context in &options.contexts {
        let measured = block_on(engine.launch_us(context, STEPS))?;
        ensure!(
            !measured.is_empty(),
            "expected an adapter with timestamps, found {} without",
            device.info().name
        );
        let described = outline(
            &header,
            OutlineOptions {
                tuning,
                step: Step::Decode,
                context_size: Some(n_ctx),
                kv_type,
                positions: Some(context + 1),
                filters: false,
            },
        )?;
        ensure!(
            measured.len() == described.len(),
            "{} launches are described, and {} were measured",
            described.len(),
            measured.len()
        );
        let mut groups: Vec<Group> = Vec::new();
        for (launch, (kernel, us)) in described.into_iter().zip(measured) {
            let main = launch.kernel.modules().first().map_or("", |main| main.name);
            ensure!(
                main == kernel,
                "{}: {main} is described, and {kernel} was launched",
                launch.name
            );
            let (name, counters) = (launch.name, launch.counters);
            let same = |group: &&mut Group| group.name == name && group.counters == counters;
            match groups.iter_mut().find(same) {
                Some(group) => {
                    group.launches += 1;
                    group.us += us;
                }
                None => groups.push(Group {
                    name,
                    counters,
                    launches: 1,
                    us,
                }),
            }
        }
        for group in &groups {
            let model = step_time(&class, [(&group.counters, 1)]);
            let line = json!({
                "case": "launch", "context": context, "name": group.name, "launches": group.launches,
                "us": group.us / group.launches as f64, "model_us": model.latency + model.work,
                "model_latency_us": model.latency, "counters": group.counters,
            });
            println!("{line}");
        }
        let (ms, _) = block_on(engine.decode_ms(context, WHOLE))?;
        let launches: u64 = groups.iter().map(|group| group.launches).sum();
        let in_launches: f64 = groups.iter().map(|group| group.us).sum();
        let model = step_time(
            &class,
            groups.iter().map(|group| (&group.counters, group.launches)),
        );
        let line = json!({
            "case": "step", "context": context, "us": ms * 1e3, "launches": launches,
            "launches_us": in_launches, "gap_us": (ms * 1e3 - in_launches) / launches as f64,
            "model_us": model.total(), "model_gap_us": class.gap, "like": class.name,
            "bandwidth": class.bandwidth,
        });
        println!("{line}");
    }
    Ok(())
}
