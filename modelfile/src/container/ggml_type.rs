//! The storage types of GGML tensors, their ids in a GGUF file and their block sizes.
//!
//! Source: `enum ggml_type` in `ggml/include/ggml.h` and the `block_*` structs in
//! `ggml/src/ggml-common.h` of llama.cpp.

macro_rules! ggml_types {
    ($($variant:ident = $id:literal, $name:literal, $block_len:literal, $block_bytes:literal;)*) => {
        /// Storage type of a tensor's elements. PQ2_0 is PrismML's, all others are GGML's. Ids absent here (4, 5, 31..=33, 36..=38) were withdrawn by
        /// GGML; files with them cannot be read by anything current.
        #[allow(non_camel_case_types)] // GGML's own spelling, e.g. `Q4_0`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum GgmlType {
            $($variant = $id,)*
        }

        impl GgmlType {
            /// Every known type, in ascending order of ids.
            pub const ALL: &'static [GgmlType] = &[$(GgmlType::$variant,)*];

            /// Returns the type with this id in a GGUF file, or `None` if the id is unknown.
            pub fn from_id(id: u32) -> Option<GgmlType> {
                match id {
                    $($id => Some(GgmlType::$variant),)*
                    _ => None,
                }
            }

            /// Returns GGML's name, e.g. `"Q4_0"`.
            pub fn name(self) -> &'static str {
                match self {
                    $(GgmlType::$variant => $name,)*
                }
            }

            /// Returns the elements per block. A row is a whole number of blocks. Never 0.
            pub fn block_len(self) -> usize {
                match self {
                    $(GgmlType::$variant => $block_len,)*
                }
            }

            /// Returns the bytes per block. Never 0.
            pub fn block_bytes(self) -> usize {
                match self {
                    $(GgmlType::$variant => $block_bytes,)*
                }
            }
        }
    };
}

ggml_types! {
    F32 = 0, "F32", 1, 4;
    F16 = 1, "F16", 1, 2;
    Q4_0 = 2, "Q4_0", 32, 18;
    Q4_1 = 3, "Q4_1", 32, 20;
    Q5_0 = 6, "Q5_0", 32, 22;
    Q5_1 = 7, "Q5_1", 32, 24;
    Q8_0 = 8, "Q8_0", 32, 34;
    Q8_1 = 9, "Q8_1", 32, 36;
    Q2_K = 10, "Q2_K", 256, 84;
    Q3_K = 11, "Q3_K", 256, 110;
    Q4_K = 12, "Q4_K", 256, 144;
    Q5_K = 13, "Q5_K", 256, 176;
    Q6_K = 14, "Q6_K", 256, 210;
    Q8_K = 15, "Q8_K", 256, 292;
    IQ2_XXS = 16, "IQ2_XXS", 256, 66;
    IQ2_XS = 17, "IQ2_XS", 256, 74;
    IQ3_XXS = 18, "IQ3_XXS", 256, 98;
    IQ1_S = 19, "IQ1_S", 256, 50;
    IQ4_NL = 20, "IQ4_NL", 32, 18;
    IQ3_S = 21, "IQ3_S", 256, 110;
    IQ2_S = 22, "IQ2_S", 256, 82;
    IQ4_XS = 23, "IQ4_XS", 256, 136;
    I8 = 24, "I8", 1, 1;
    I16 = 25, "I16", 1, 2;
    I32 = 26, "I32", 1, 4;
    I64 = 27, "I64", 1, 8;
    F64 = 28, "F64", 1, 8;
    IQ1_M = 29, "IQ1_M", 256, 56;
    BF16 = 30, "BF16", 1, 2;
    TQ1_0 = 34, "TQ1_0", 256, 54;
    TQ2_0 = 35, "TQ2_0", 256, 66;
    MXFP4 = 39, "MXFP4", 32, 17;
    NVFP4 = 40, "NVFP4", 64, 36;
    Q1_0 = 41, "Q1_0", 128, 18;
    Q2_0 = 42, "Q2_0", 64, 18;
    PQ2_0 = 142, "PQ2_0", 128, 34;
}

impl GgmlType {
    /// Returns the id in a GGUF file.
    pub fn id(self) -> u32 {
        self as u32
    }
}

impl std::fmt::Display for GgmlType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Types that can be read; `quant` has a format for each, in this order.
pub const SUPPORTED: [GgmlType; 29] = {
    use GgmlType::*;
    [
        F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS,
        MXFP4, Q1_0, Q2_0, PQ2_0, TQ1_0, TQ2_0, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ1_S,
        IQ1_M, NVFP4,
    ]
};

impl GgmlType {
    /// Returns the names of the types that can be read.
    pub fn supported_names() -> Vec<&'static str> {
        SUPPORTED.iter().map(|dtype| dtype.name()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_blocks_are_never_empty() {
        for &t in GgmlType::ALL {
            assert_eq!(GgmlType::from_id(t.id()), Some(t));
            assert!(t.block_len() > 0 && t.block_bytes() > 0);
        }
        assert_eq!(GgmlType::from_id(4), None);
        assert_eq!(GgmlType::from_id(31), None);
        assert_eq!(GgmlType::from_id(u32::MAX), None);
    }
}
