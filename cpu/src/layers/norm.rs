//! Normalisation of rows.

use std::vec::Vec;

/// LayerNorm with scale and shift [d] (Ba et al. 2016, arXiv:1607.06450).
pub struct LayerNorm {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
    pub eps: f32,
}

impl LayerNorm {
    /// Returns the normalised rows of `x`: [rows, d].
    pub fn of(&self, x: &[f32]) -> Vec<f32> {
        let d = self.scale.len();
        let mut out = Vec::with_capacity(x.len());
        for row in x.chunks_exact(d.max(1)) {
            let mean = row.iter().sum::<f32>() / d as f32;
            let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / d as f32;
            let inverse = 1.0 / (variance + self.eps).sqrt();
            let scaled = row.iter().zip(self.scale.iter().zip(&self.shift));
            out.extend(scaled.map(|(v, (scale, shift))| (v - mean) * inverse * scale + shift));
        }
        out
    }
}

/// RMSNorm with a scale [d] (Zhang & Sennrich 2019, arXiv:1910.07467).
pub struct RmsNorm {
    pub scale: Vec<f32>,
    pub eps: f32,
}

impl RmsNorm {
    /// Returns the normalised rows of `x`: [rows, d].
    pub fn of(&self, x: &[f32]) -> Vec<f32> {
        let d = self.scale.len();
        let mut out = Vec::with_capacity(x.len());
        for row in x.chunks_exact(d.max(1)) {
            let square = row.iter().map(|v| v * v).sum::<f32>() / d as f32;
            let inverse = 1.0 / (square + self.eps).sqrt();
            let scaled = row.iter().zip(&self.scale);
            out.extend(scaled.map(|(v, scale)| v * inverse * scale));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn rows_of_known_values() {
        let layer = LayerNorm {
            scale: vec![1.0, 2.0],
            shift: vec![0.5, 0.0],
            eps: 0.0,
        };
        assert_eq!(layer.of(&[1.0, 3.0, 5.0, 1.0]), [-0.5, 2.0, 1.5, -2.0]);
        let rms = RmsNorm {
            scale: vec![1.0, 2.0],
            eps: 0.0,
        };
        assert_eq!(rms.of(&[1.0, 1.0, -3.0, 3.0]), [1.0, 2.0, -1.0, 2.0]);
    }
}
