//! Errors that a GPU reports when no call is waiting for one.
//!
//! WebGPU gives out-of-memory and validation errors to a handler, some time after the call that caused them. They are
//! kept here until [`crate::Device::check`] makes them the error of the work in hand.

use std::sync::{Arc, Mutex};

use hearth_modelfile::error::{Error, Result};

/// The first error since the last look.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Option<Error>>>);

impl Faults {
    /// Makes `device` report its errors here, in place of the runtime's handler, which panics.
    pub(crate) fn watch(&self, device: &wgpu::Device) {
        let faults = self.clone();
        device.on_uncaptured_error(Arc::new(move |error| faults.report(&error)));
    }

    /// Keeps `error` unless an earlier one is there, of which it may be a consequence.
    pub(crate) fn report(&self, error: &wgpu::Error) {
        if let Ok(mut slot) = self.0.lock() {
            slot.get_or_insert_with(|| of(error));
        }
    }

    /// Gives the error reported since the last call, if any.
    pub(crate) fn take(&self) -> Result<()> {
        match self.0.lock().ok().and_then(|mut slot| slot.take()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// A driver may call its lack of memory an internal error; a validation error that speaks of memory is none.
fn of(error: &wgpu::Error) -> Error {
    let message = error.to_string();
    let is_out_of_memory = match error {
        wgpu::Error::OutOfMemory { .. } => true,
        wgpu::Error::Internal { .. } => message.to_lowercase().contains("out of memory"),
        wgpu::Error::Validation { .. } => false,
    };
    if is_out_of_memory {
        Error::OutOfMemory {
            what: format!("the GPU ({message})"),
            needed: 0,
            available: 0,
        }
    } else {
        Error::Gpu {
            op: "queue".into(),
            message,
        }
    }
}

/// A fault for tests of what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// As the device reports it; no memory is taken.
    OutOfMemory,
    /// A shader that the device really refuses.
    RefusedPipeline,
    /// A device that is really gone.
    Lost,
}

impl Fault {
    /// Causes the fault on `device`.
    pub(crate) fn provoke(self, device: &wgpu::Device, faults: &Faults) {
        match self {
            Fault::OutOfMemory => faults.report(&wgpu::Error::OutOfMemory {
                source: "provoked by a test".into(),
            }),
            Fault::RefusedPipeline => {
                let _refused = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                    label: Some("provoked by a test"),
                    source: wgpu::ShaderSource::Wgsl("fn f() { no_such_name(); }".into()),
                });
            }
            Fault::Lost => device.destroy(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_kind_is_kept_once() {
        let faults = Faults::default();
        assert!(faults.take().is_ok());
        let validation = |text: &str| wgpu::Error::Validation {
            source: text.into(),
            description: text.into(),
        };
        faults.report(&validation(
            "workgroup memory is 32 KiB, out of memory there",
        ));
        faults.report(&wgpu::Error::OutOfMemory {
            source: "behind it".into(),
        });
        let error = faults.take().unwrap_err();
        assert_eq!(error.code(), "gpu_error", "{error}");
        assert!(faults.take().is_ok(), "it was taken");
        faults.report(&wgpu::Error::Internal {
            source: "x".into(),
            description: "VK_ERROR: Out of memory".into(),
        });
        assert_eq!(faults.take().unwrap_err().code(), "out_of_memory");
    }
}
