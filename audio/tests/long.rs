//! An hour of sound in flat memory. A program of its own, because it counts the bytes of every allocation.

// A test ends where one of its helpers does.
#![allow(clippy::unwrap_used)]

mod tiny;

use std::alloc::{GlobalAlloc, Layout, System};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hearth_audio::whisper::{Event, Options, Transcription};

/// An allocator that counts allocated bytes.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is forwarded to the system allocator; only sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RATE: usize = 16_000;
const SECONDS: usize = 61 * 60;
/// Seconds from one sound to the next, and of each.
const EVERY: usize = 300;
const SOUND: usize = 2;
/// Bytes that one window may take beside the sound: its spectrogram, the encoder's rows, keys and values.
const MOST: usize = 13 << 20;

/// Returns sound that comes now and then, in silence.
fn sound() -> Vec<f32> {
    let mut samples = vec![0.0; SECONDS * RATE];
    let mut state = 1_u32;
    for from in (10 * RATE..samples.len()).step_by(EVERY * RATE) {
        for sample in samples.iter_mut().skip(from).take(SOUND * RATE) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
        }
    }
    samples
}

#[test]
fn an_hour_takes_the_memory_of_one_window() {
    let options = Options {
        language: Some("en".into()),
        temperatures: vec![0.0],
        ..Options::default()
    };
    let mut run = Transcription::new(Rc::new(tiny::whisper()), sound(), options).unwrap();
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    // Peaks of each tenth of the recording, and what was left behind at its end.
    let (mut peaks, mut left) = ([0; 10], [0; 10]);
    let (mut segments, mut heard, mut ended) = (0, 0.0, false);
    while let Some(event) = run.next().unwrap() {
        match event {
            Event::Progress { seconds, duration } => {
                assert!(seconds >= heard && duration == SECONDS as f64);
                heard = seconds;
            }
            Event::Segments { segments: found } => segments += found.len(),
            Event::Done { .. } => ended = true,
            Event::Encode | Event::Decode { .. } | Event::Align { .. } => {
                panic!("nothing is computed elsewhere")
            }
            Event::Language { .. } => {}
        }
        let tenth = (heard * 10.0 / SECONDS as f64).min(9.0) as usize;
        peaks[tenth] = peaks[tenth].max(
            PEAK.swap(LIVE.load(Relaxed), Relaxed)
                .saturating_sub(before),
        );
        left[tenth] = LIVE.load(Relaxed).saturating_sub(before);
    }
    println!("{segments} segments; peaks {peaks:?}, left {left:?}");
    assert!(ended && segments > SECONDS / EVERY);
    // A window leaves its mark, so that the counter is known to count.
    assert!(peaks[0] > 1 << 20 && peaks[0] < MOST, "{peaks:?}");
    for peak in peaks {
        assert!(peak <= peaks[0] + peaks[0] / 8, "{peaks:?}");
    }
    assert!(left[9] < 1 << 20, "{left:?}");
}
