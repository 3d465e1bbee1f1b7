//! Small helpers of the CPU twins.

use burn::backend::Flex;
use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::{FlexTensor, Layout};

/// Creates a contiguous f32 tensor from its values.
pub fn tensor(values: Vec<f32>, shape: [usize; 2]) -> FlexTensor {
    debug_assert_eq!(values.len(), shape[0] * shape[1]);
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// Creates a [rows, cols] tensor that has a shape but no memory: each of its values is the same one.
pub fn shape_only(rows: usize, cols: usize) -> Tensor<2> {
    let layout = Layout::new([rows, cols].into(), vec![0, 0], 0);
    let one = FlexTensor::zeros([1, 1].into(), DType::F32);
    Tensor::from_primitive::<Flex>(one.with_layout(layout))
}
