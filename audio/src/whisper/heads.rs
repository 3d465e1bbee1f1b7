//! Heads of the cross attention that follow the sound, of models whose files do not name them: whisper.cpp's have none, and old
//! folders neither. Source: `generation_config.json` of OpenAI's models.

use super::config::Config;

/// Vocabulary of the models for English alone, and of those with 99 and with 100 languages.
const ENGLISH: usize = 51_864;
const WITH_99: usize = 51_865;
const WITH_100: usize = 51_866;

/// Layer and head.
type Head = (usize, usize);

const TINY_EN: &[Head] = &[
    (1, 0),
    (2, 0),
    (2, 5),
    (3, 0),
    (3, 1),
    (3, 2),
    (3, 3),
    (3, 4),
];
const TINY: &[Head] = &[(2, 2), (3, 0), (3, 2), (3, 3), (3, 4), (3, 5)];
const BASE_EN: &[Head] = &[(3, 3), (4, 7), (5, 1), (5, 5), (5, 7)];
const BASE: &[Head] = &[
    (3, 1),
    (4, 2),
    (4, 3),
    (4, 7),
    (5, 1),
    (5, 2),
    (5, 4),
    (5, 6),
];
#[rustfmt::skip] // a head a line says no more
const SMALL_EN: &[Head] = &[
    (6, 6), (7, 0), (7, 3), (7, 8), (8, 2), (8, 5), (8, 7), (9, 0), (9, 4), (9, 8), (9, 10), (10, 0), (10, 1), (10, 2), (10, 3),
    (10, 6), (10, 11), (11, 2), (11, 4),
];
#[rustfmt::skip]
const SMALL: &[Head] = &[
    (5, 3), (5, 9), (8, 0), (8, 4), (8, 7), (8, 8), (9, 0), (9, 7), (9, 9), (10, 5),
];
#[rustfmt::skip]
const MEDIUM_EN: &[Head] = &[
    (11, 4), (14, 1), (14, 12), (14, 14), (15, 4), (16, 0), (16, 4), (16, 9), (17, 12), (17, 14), (18, 7), (18, 10), (18, 15),
    (20, 0), (20, 3), (20, 9), (20, 14), (21, 12),
];
const MEDIUM: &[Head] = &[(13, 15), (15, 4), (15, 15), (16, 1), (20, 0), (23, 4)];
#[rustfmt::skip]
const LARGE_V3: &[Head] = &[
    (7, 0), (10, 17), (12, 18), (13, 12), (16, 1), (17, 14), (19, 11), (21, 4), (24, 1), (25, 6),
];
const TURBO: &[Head] = &[(2, 4), (2, 11), (3, 3), (3, 6), (3, 11), (3, 14)];

/// Returns the heads of a model by its sizes. The first two large models have the same sizes and other heads: as for models that
/// nobody knows, these are all heads of the upper half of the layers (openai/whisper).
pub fn known(config: &Config) -> Vec<Head> {
    let (layers, heads) = (config.decoder_layers, config.decoder_heads);
    let known = match (layers, heads, config.n_vocab) {
        (4, 6, ENGLISH) => TINY_EN,
        (4, 6, WITH_99) => TINY,
        (6, 8, ENGLISH) => BASE_EN,
        (6, 8, WITH_99) => BASE,
        (12, 12, ENGLISH) => SMALL_EN,
        (12, 12, WITH_99) => SMALL,
        (24, 16, ENGLISH) => MEDIUM_EN,
        (24, 16, WITH_99) => MEDIUM,
        (32, 20, WITH_100) => LARGE_V3,
        (4, 20, WITH_100) => TURBO,
        _ => {
            let upper = layers / 2..layers;
            return upper
                .flat_map(|layer| (0..heads).map(move |head| (layer, head)))
                .collect();
        }
    };
    known.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(decoder_layers: usize, decoder_heads: usize, n_vocab: usize) -> Config {
        Config {
            d_model: decoder_heads * 64,
            encoder_layers: decoder_layers,
            encoder_heads: decoder_heads,
            decoder_layers,
            decoder_heads,
            n_mels: 80,
            n_vocab,
            audio_ctx: 1_500,
            text_ctx: 448,
        }
    }

    #[test]
    fn each_known_head_is_one_of_its_model() {
        for (layers, heads) in [(4, 6), (6, 8), (12, 12), (24, 16), (32, 20), (4, 20)] {
            for n_vocab in [ENGLISH, WITH_99, WITH_100] {
                let found = known(&config(layers, heads, n_vocab));
                assert!(!found.is_empty() && found.is_sorted());
                assert!(found.iter().all(|(l, h)| *l < layers && *h < heads));
            }
        }
        assert_eq!(known(&config(4, 6, WITH_99)), TINY);
        assert_eq!(known(&config(4, 20, WITH_100)), TURBO);
    }

    #[test]
    fn other_models_look_with_the_upper_half() {
        let found = known(&config(3, 2, 2_000));
        assert_eq!(found, [(1, 0), (1, 1), (2, 0), (2, 1)]);
        assert_eq!(known(&config(1, 1, 2_000)), [(0, 0)]);
        assert_eq!(known(&config(32, 20, WITH_99)).len(), 320);
    }
}
