//! Small helpers of the CPU twins.

use burn::backend::Flex;
use burn::tensor::{DType, Int, Tensor, TensorData};
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

/// Creates a tensor of the CPU from its values, as models have them.
pub fn matrix(values: Vec<f32>, shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_primitive::<Flex>(tensor(values, shape))
}

/// Creates a row of values, [1, n].
pub fn row(values: Vec<f32>) -> Tensor<2> {
    let shape = [1, values.len()];
    matrix(values, shape)
}

/// Returns a tensor of the CPU.
pub fn of(tensor: &Tensor<2>) -> FlexTensor {
    match tensor.clone().try_into_primitive::<Flex>() {
        Ok(tensor) => tensor,
        Err(_) => unreachable!("ops of the CPU have its tensors alone"),
    }
}

/// Returns a tensor of whole numbers of the CPU.
pub fn of_ints(tensor: &Tensor<2, Int>) -> FlexTensor {
    match tensor.clone().try_into_primitive::<Flex>() {
        Ok(tensor) => tensor,
        Err(_) => unreachable!("ops of the CPU have its tensors alone"),
    }
}
