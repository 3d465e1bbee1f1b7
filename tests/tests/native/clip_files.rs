//! Files of CLIP, which is no part of a chat.

use hearth_modelfile::Error;
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::writer::GgufWriter;
use hearth_modelfile::container::{GgmlType, Value};
use hearth_modelfile::files::Files;

/// Files of CLIP itself, and towers without a projector into a text model, are refused with what to load instead.
#[test]
fn clip_in_gguf_is_refused_with_what_to_load() {
    let write = |more: (&str, Value)| {
        GgufWriter::new()
            .metadata("general.architecture", Value::String("clip".into()))
            .metadata("clip.has_vision_encoder", Value::Bool(true))
            .metadata(more.0, more.1)
            .tensor("v.class_embd", &[4], GgmlType::F32, &[0; 16])
            .finish()
    };
    let load = |files: &[&[u8]]| -> Result<(), Error> {
        let mut all = Files::default();
        for (index, file) in files.iter().enumerate() {
            all.header(index, file, file.len() as u64)?;
        }
        let (header, _) = all.join()?;
        ModelConfig::from_gguf(&header).map(drop)
    };
    let model = GgufWriter::new()
        .metadata("general.architecture", Value::String("llama".into()))
        .tensor("token_embd.weight", &[4], GgmlType::F32, &[0; 16])
        .finish();
    let whole = write(("clip.has_text_encoder", Value::Bool(true)));
    let tower = |name: &str| write(("clip.projector_type", Value::String(name.into())));
    for files in [
        &[&whole[..]][..],
        &[&model, &whole],
        &[&model, &tower("clip")],
        &[&model, &tower("siglip")],
    ] {
        let error = load(files).unwrap_err().to_string();
        assert!(error.contains("folders"), "{error}");
    }
    let other = load(&[&model, &tower("mlp")]).unwrap_err();
    assert_eq!(other.code(), "unsupported_architecture");
    let text = other.to_string();
    assert!(text.contains("mlp") && text.contains("idefics3"), "{text}");
    assert!(!text.contains("siglip"), "{text}");
}
