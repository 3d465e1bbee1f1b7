//! Writes down a WAV file: `cargo run --release -p hearth-llm-audio --example transcribe MODEL WAV [LANGUAGE]`.
//!
//! MODEL: a folder of transformers, or a `.bin` of whisper.cpp.

use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use hearth_audio::whisper::{Event, Loader, Options, Transcription};
use hearth_audio::{SAMPLE_RATE, resample, wav};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(model), Some(file)) = (args.next(), args.next()) else {
        return Err("expected MODEL and WAV".into());
    };
    let start = Instant::now();
    let mut loader = Loader::default();
    let mut weights = Path::new(&model).to_owned();
    if weights.is_dir() {
        for name in ["config.json", "generation_config.json", "tokenizer.json"] {
            loader.text(name, &std::fs::read_to_string(weights.join(name))?);
        }
        weights.push("model.safetensors");
    }
    loader.push(&std::fs::read(weights)?)?;
    let model = Rc::new(loader.finish()?);
    eprintln!("loaded in {:.1} s", start.elapsed().as_secs_f64());
    let sound = wav::read(&std::fs::read(file)?)?;
    let samples = resample::to_16k(&sound.samples, sound.rate)?;
    let seconds = samples.len() as f64 / f64::from(SAMPLE_RATE);
    let options = Options {
        language: args.next(),
        words: std::env::var_os("WORDS").is_some(),
        ..Options::default()
    };
    let start = Instant::now();
    let mut run = Transcription::new(model, samples, options)?;
    while let Some(event) = run.next()? {
        match event {
            Event::Segments { segments } => {
                for segment in segments {
                    println!("{:7.2} {:7.2} {}", segment.start, segment.end, segment.text);
                    for word in segment.words.unwrap_or_default() {
                        println!("  {:7.2} {:7.2} {}", word.start, word.end, word.word);
                    }
                }
            }
            Event::Language {
                language,
                probability,
            } => println!("{language} {probability:.3}"),
            _ => {}
        }
    }
    let took = start.elapsed().as_secs_f64();
    eprintln!(
        "{seconds:.1} s of sound in {took:.1} s, {:.1} times as fast",
        seconds / took
    );
    Ok(())
}
