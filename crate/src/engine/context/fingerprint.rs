//! Identity of an engine's saved pages: they are of use only where every value would be computed the same.

use sha2::{Digest, Sha256};

use crate::device::Device;
use crate::model::Transformer;
use hearth_modelfile::container::ModelHeader;

/// Version of the layout of pages and of what is in them. Raise it with every change of either, and of the values that a
/// model's layers keep.
pub(super) const LAYOUT: u32 = 1;

/// Hash of everything that the values of a page depend on, but for the tokens.
pub(crate) type Fingerprint = [u8; 32];

/// Sum of the bytes of a model's weights while they arrive.
#[derive(Clone, Default)]
pub(crate) struct WeightSum {
    sum: crc32fast::Hasher,
    len: u64,
}

impl WeightSum {
    /// Adds the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// Returns the identity of a model whose bytes these were, on a device.
    pub(crate) fn fingerprint(
        self,
        device: &Device,
        model: &Transformer,
        header: &ModelHeader,
    ) -> Fingerprint {
        let mut hash = Sha256::new();
        let mut add = |text: String| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        add(format!("{LAYOUT} {}", env!("CARGO_PKG_VERSION")));
        add(format!("{} {}", device.is_gpu(), self.len));
        add(format!("{:08x}", self.sum.finalize()));
        add(format!("{:?} {}", model.kv, model.n_ctx));
        // These follow from the header, which may have been overridden.
        add(format!("{:?}", model.config));
        for tensor in &header.tensors {
            add(format!("{tensor:?}"));
        }
        // Weights may have been quantised on their way.
        add(format!("{}", model.weight_bytes));
        hash.finalize().into()
    }
}

/// Returns the identity of a model with adapters, whose key is empty without one.
pub(super) fn adapted(fingerprint: Fingerprint, adapters: &[u8]) -> Fingerprint {
    match adapters {
        [] => fingerprint,
        key => Sha256::new()
            .chain_update(fingerprint)
            .chain_update(key)
            .finalize()
            .into(),
    }
}
