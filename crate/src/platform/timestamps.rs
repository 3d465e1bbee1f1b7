//! Times of single launches by the device's own clock, for measurements: while they are recorded, each launch is submitted
//! by itself.

use std::cell::RefCell;

use cubecl::client::Client;
use cubecl_common::profile::ProfileDuration;

/// Name of a launch's kernel, and its time if the device gave one.
type Timed = (&'static str, Option<ProfileDuration>);

thread_local! {
    /// Launches of this thread since recording began; `None` while nothing is recorded.
    static RECORDED: RefCell<Option<Vec<Timed>>> = const { RefCell::new(None) };
}

/// Begins to record this thread's launches.
pub fn record_times() {
    RECORDED.set(Some(Vec::new()));
}

/// Ends the recording; returns its launches with the microseconds that they took, in order. A time is `None` if the device
/// gave none.
pub async fn recorded_times() -> Vec<(&'static str, Option<f64>)> {
    let mut times = Vec::new();
    for (name, time) in RECORDED.take().unwrap_or_default() {
        let ticks = match time {
            Some(time) => time.resolve().await,
            None => None,
        };
        times.push((
            name,
            ticks.map(|ticks| ticks.duration().as_secs_f64() * 1e6),
        ));
    }
    times
}

/// Calls `launch`, which launches the kernel `name`, and times it while launches are recorded.
pub fn timed(client: &Client, name: &'static str, launch: impl FnOnce()) {
    if !RECORDED.with_borrow(|recorded| recorded.is_some()) {
        return launch();
    }
    let window = client.profile_start().ok();
    launch();
    let time = window.and_then(|window| client.profile_end(window).ok());
    RECORDED.with_borrow_mut(|recorded| {
        if let Some(recorded) = recorded {
            recorded.push((name, time));
        }
    });
}
