//! Small helpers of the CPU twins.

use burn::tensor::TensorData;
use burn_flex::FlexTensor;

/// Creates a contiguous f32 tensor from its values.
pub fn tensor(values: Vec<f32>, shape: [usize; 2]) -> FlexTensor {
    debug_assert_eq!(values.len(), shape[0] * shape[1]);
    FlexTensor::from_data(TensorData::new(values, shape))
}
