//! Choices from times that are computed.

use std::cell::RefCell;

use super::*;
use hearth_modelfile::error::Error;

/// A device whose times are computed by `ms`, in milliseconds of a launch; `None` for a shader that it refuses.
struct Synthetic<F> {
    ms: F,
    workgroup_bytes: usize,
    /// Milliseconds that each trial takes the device beside what is timed: compiling.
    compiling: f64,
    asked: RefCell<Vec<Trial>>,
}

impl<F: Fn(Trial) -> Option<f64>> Timer for Synthetic<F> {
    async fn ms(&self, trial: Trial) -> Result<f64> {
        self.asked.borrow_mut().push(trial);
        let refused = || Error::Gpu {
            op: "tuning".into(),
            message: "refused".into(),
        };
        (self.ms)(trial)
            .map(|ms| ms * LAUNCHES as f64)
            .ok_or_else(refused)
    }

    fn elapsed_ms(&self) -> f64 {
        self.compiling * self.asked.borrow().len() as f64
    }

    fn has(&self, feature: &str) -> bool {
        feature == "subgroups"
    }

    fn workgroup_bytes(&self) -> usize {
        self.workgroup_bytes
    }
}

fn device<F: Fn(Trial) -> Option<f64>>(ms: F) -> Synthetic<F> {
    Synthetic {
        ms,
        workgroup_bytes: 32 << 10,
        compiling: 1.0,
        asked: RefCell::default(),
    }
}

/// Times of a GPU that reads 1 TB/s and multiplies 10^13 a second, and gains from threads on a row up to `wanted`.
fn gpu(trial: Trial, wanted: impl Fn(usize, bool) -> u32) -> f64 {
    let Trial::Projection {
        rows,
        each,
        normed,
        tokens,
        candidate,
    } = trial
    else {
        return 1.0;
    };
    let distance = (candidate.threads_per_tile as f64 / f64::from(wanted(each, normed))).log2();
    let reading = (rows * COLS) as f64 * 0.6 / 1e9 * (1.0 + 0.2 * distance.abs());
    let computing = (rows * COLS * tokens) as f64 / 1e10;
    let of_tile = match candidate.tile {
        Some(_) => 0.5,
        None => 1.0,
    };
    reading.max(computing * of_tile)
}

fn chosen<F: Fn(Trial) -> Option<f64>>(device: &Synthetic<F>) -> DeviceProfile {
    pollster::block_on(choose(device)).unwrap()
}

#[test]
fn each_class_gets_the_threads_that_are_fastest_for_it() {
    let wanted = |each: usize, normed: bool| match (each <= SMALL_ROWS, normed) {
        (false, false) => 16,
        (true, false) => 64,
        (false, true) => 32,
        (true, true) => 16,
    };
    let found = chosen(&device(|trial| Some(gpu(trial, wanted))));
    let shapes = found.shapes.unwrap();
    assert_eq!(found.decode_threads_per_tile, 16);
    assert_eq!(
        [shapes.few_rows, shapes.normed, shapes.few_rows_normed],
        [64, 32, 16]
    );
    assert!(found.is_possible(&["subgroups"]));
}

/// Trials of projections, by rows of a matrix and tile.
fn with_tiles(best: [TileShape; 2]) -> impl Fn(Trial) -> Option<f64> {
    move |trial| {
        let ms = gpu(trial, |_, _| 16);
        let Trial::Projection {
            each, candidate, ..
        } = trial
        else {
            return Some(ms);
        };
        let wanted = best[usize::from(each > SMALL_ROWS)];
        Some(match candidate.tile {
            Some(shape) if shape == wanted => 0.8 * ms,
            _ => ms,
        })
    }
}

#[test]
fn small_matrices_get_a_tile_of_their_own() {
    let found = chosen(&device(with_tiles([TileShape::Low, TileShape::Tall])));
    assert!(found.shared_tile);
    let shapes = found.shapes.unwrap();
    assert_eq!(shapes.few_rows_tile, TileShape::Low);
    assert_eq!(shapes.tile, TileShape::Tall);
}

#[test]
fn a_tile_that_does_not_fit_is_not_tried() {
    let little = Synthetic {
        workgroup_bytes: 16 << 10,
        ..device(with_tiles([TileShape::Tall; 2]))
    };
    let shapes = chosen(&little).shapes.unwrap();
    assert_eq!([shapes.tile, shapes.few_rows_tile], [TileShape::Square; 2]);
    let is_tall = |trial: &Trial| matches!(trial, Trial::Projection { candidate, .. } if candidate.tile == Some(TileShape::Tall));
    assert!(!little.asked.borrow().iter().any(is_tall));
}

#[test]
fn attention_takes_many_queries_where_that_is_faster_by_a_margin() {
    for (many, wanted) in [
        (Some(0.5), true),
        (Some(0.95), false),
        (Some(2.0), false),
        (None, false),
    ] {
        let found = chosen(&device(|trial| match trial {
            Trial::Attention { many_queries: true } => many,
            Trial::Attention { .. } => Some(1.0),
            trial => Some(gpu(trial, |_, _| 16)),
        }));
        assert_eq!(found.shapes.unwrap().many_queries, wanted, "{many:?}");
    }
}

#[test]
fn threads_read_keys_together_where_that_is_faster_and_subgroups_are() {
    for (shared, subgroups, wanted) in [
        (Some(0.5), 0.5, true),
        (Some(0.95), 0.5, false),
        (None, 0.5, false),
        (Some(0.5), 1.0, false),
    ] {
        let found = chosen(&device(|trial| match trial {
            Trial::Step { shared_keys: true } => shared,
            Trial::Projection { candidate, .. } if candidate.subgroups => {
                Some(subgroups * gpu(trial, |_, _| 16))
            }
            trial => Some(gpu(trial, |_, _| 16)),
        }));
        assert_eq!(found.subgroups, subgroups < 1.0);
        assert_eq!(found.shapes.unwrap().shared_keys, wanted, "{shared:?}");
    }
}

/// The better launch of one class by less than the margin is left.
#[test]
fn a_small_difference_decides_nothing() {
    let found = chosen(&device(|trial| {
        let ms = gpu(trial, |_, _| 16);
        Some(match trial {
            Trial::Projection { candidate, .. } if candidate.threads_per_tile == 32 => {
                ms / 1.2 * 0.95
            }
            _ => ms,
        })
    }));
    let shapes = found.shapes.unwrap();
    assert_eq!(shapes.few_rows, 16);
    assert_eq!(shapes.normed, 16);
}

/// A software adapter computes 10^9 a second whatever the threads, and compiles for 200 ms a kernel.
#[test]
fn a_software_adapter_is_asked_little_and_has_no_classes() {
    let slow = Synthetic {
        compiling: 200.0,
        ..device(|trial| match trial {
            Trial::Projection {
                rows,
                tokens,
                candidate,
                ..
            } => {
                let barriers = f64::from(candidate.threads_per_tile);
                Some((rows * COLS * tokens) as f64 / 1e6 * barriers.sqrt())
            }
            _ => None,
        })
    };
    let found = chosen(&slow);
    assert_eq!(found.decode_threads_per_tile, 1);
    assert_eq!(found.shapes, None);
    assert!(slow.asked.borrow().len() <= 4);
}

#[test]
fn a_device_that_refuses_a_candidate_keeps_the_one_before() {
    let found = chosen(&device(|trial| match trial {
        Trial::Projection { normed: true, .. } => None,
        Trial::Projection { candidate, .. } if candidate.threads_per_tile > 16 => None,
        trial => Some(gpu(trial, |_, _| 64)),
    }));
    let shapes = found.shapes.unwrap();
    assert_eq!(found.decode_threads_per_tile, 16);
    assert_eq!(
        [shapes.few_rows, shapes.normed, shapes.few_rows_normed],
        [16; 3]
    );
}
