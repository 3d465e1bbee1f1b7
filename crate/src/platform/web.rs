//! In a browser.

use super::AdapterNames;
use std::pin::pin;
use std::task::Poll;

use cubecl::client::Client;
use wasm_bindgen::prelude::*;

use hearth_modelfile::text::template::Clock;

pub const BACKENDS: wgpu::Backends = wgpu::Backends::BROWSER_WEBGPU;

/// First line of a shader with subgroup functions.
pub const SUBGROUP_DIRECTIVE: &str = "enable subgroups;\n";

/// Milliseconds of a monotonic clock.
pub fn now_ms() -> f64 {
    let global = js_sys::global();
    js_sys::Reflect::get(&global, &"performance".into())
        .ok()
        .and_then(|p| p.dyn_into::<web_sys::Performance>().ok())
        .map_or_else(js_sys::Date::now, |p| p.now())
}

/// The visitor's time of day.
pub fn wall_clock() -> Clock {
    let now = js_sys::Date::new_0();
    Clock::from_javascript(now.get_time(), now.get_timezone_offset())
}

/// Browsers name an adapter by vendor and architecture; a description is rarely there.
pub fn adapter_names(device: &wgpu::Device, info: &wgpu::AdapterInfo) -> AdapterNames {
    let adapter = device.as_webgpu().and_then(|device| {
        js_sys::Reflect::get(device.as_ref(), &"adapterInfo".into())
            .ok()
            .filter(JsValue::is_object)
    });
    let field = |name: &str| {
        (adapter.as_ref())
            .and_then(|adapter| js_sys::Reflect::get(adapter, &name.into()).ok())
            .and_then(|value| value.as_string())
            .unwrap_or_default()
    };
    let (vendor, architecture) = (field("vendor"), field("architecture"));
    let name = [&info.name, &field("description")]
        .into_iter()
        .find(|name| !name.is_empty())
        .cloned()
        .unwrap_or_else(|| format!("{vendor} {architecture}").trim().to_owned());
    AdapterNames {
        name,
        vendor,
        architecture,
    }
}

/// wgpu's web backend knows no name for the feature, so the browser's own object is asked.
pub fn has_subgroups(device: &wgpu::Device) -> bool {
    let Some(device) = device.as_webgpu() else {
        return false;
    };
    let features = js_sys::Reflect::get(device.as_ref(), &"features".into());
    let Ok(features) = features else { return false };
    js_sys::Reflect::get(&features, &"has".into())
        .ok()
        .and_then(|has| has.dyn_into::<js_sys::Function>().ok())
        .and_then(|has| has.call1(&features, &"subgroups".into()).ok())
        .is_some_and(|there| there.is_truthy())
}

fn sleep(ms: i32) -> wasm_bindgen_futures::JsFuture {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let set_timeout = js_sys::Reflect::get(&js_sys::global(), &"setTimeout".into())
            .ok()
            .and_then(|f| f.dyn_into::<js_sys::Function>().ok());
        if let Some(set_timeout) = set_timeout {
            let _ = set_timeout.call2(&JsValue::NULL, &resolve, &ms.into());
        }
    });
    wasm_bindgen_futures::JsFuture::from(promise)
}

/// Polls `read` and calls `feed` every millisecond until it is done.
pub async fn with_pump<F: Future>(read: F, feed: impl Fn()) -> F::Output {
    let mut read = pin!(read);
    loop {
        let mut tick = pin!(sleep(1));
        let done = std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = read.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            tick.as_mut().poll(cx).map(|_| None)
        })
        .await;
        match done {
            Some(output) => return output,
            None => feed(),
        }
    }
}

/// Records nothing: browsers round timestamps to a tenth of a millisecond.
pub fn record_times() {}

/// Returns no times.
pub async fn recorded_times() -> Vec<(&'static str, Option<f64>)> {
    Vec::new()
}

/// Calls `launch`.
pub fn timed(_client: &Client, _name: &'static str, launch: impl FnOnce()) {
    launch();
}
