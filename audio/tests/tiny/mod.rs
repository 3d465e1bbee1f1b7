//! A tiny seeded Whisper with 80 bands, which several tests run.

use std::path::Path;

use hearth_audio::whisper::{Loader, Whisper};

pub fn whisper() -> Whisper {
    let folder = Path::new(env!("HEARTH_ROOT")).join("tests/goldens/data/whisper/whisper_mel80");
    let mut loader = Loader::default();
    for name in ["config.json", "generation_config.json", "tokenizer.json"] {
        loader.text(name, &std::fs::read_to_string(folder.join(name)).unwrap());
    }
    loader
        .push(&std::fs::read(folder.join("model.safetensors")).unwrap())
        .unwrap();
    loader.finish().unwrap()
}
