use super::*;

const T5: &str = r#"{"model_type":"t5","d_model":64,"d_kv":16,"d_ff":128,"num_layers":2,"num_heads":4,"vocab_size":300,
    "feed_forward_proj":"relu","task_specific_params":{"translation_en_to_de":{"prefix":"translate English to German: "},
    "summarization":{"prefix":"summarize: "}}}"#;
const MARIAN: &str = r#"{"model_type":"marian","d_model":64,"encoder_layers":2,"decoder_layers":2,"encoder_attention_heads":4,
    "decoder_attention_heads":4,"encoder_ffn_dim":96,"decoder_ffn_dim":96,"vocab_size":400,"max_position_embeddings":64,
    "pad_token_id":399,"eos_token_id":0,"scale_embedding":true}"#;

fn read(text: &str) -> Result<Config> {
    Config::from_texts(text, None, false)
}

#[test]
fn kinds_of_t5_differ() {
    let first = read(T5).unwrap();
    assert_eq!((first.head_scale, first.is_tied), (0.125, true));
    assert_eq!(
        (first.activation, first.is_gated),
        (Activation::Relu, false)
    );
    assert_eq!(first.tasks.len(), 1);
    assert_eq!((first.start, &first.ends[..]), (0, &[1][..]));
    let later = T5.replace("\"relu\"", "\"gated-gelu\",\"tie_word_embeddings\":false");
    let later = read(&later).unwrap();
    assert_eq!((later.head_scale, later.is_tied), (1.0, false));
    assert_eq!(
        (later.activation, later.is_gated),
        (Activation::GeluTanh, true)
    );
    let each = read(&T5.replace("\"t5\"", "\"umt5\"")).unwrap();
    assert!(matches!(
        each.positions,
        Positions::Relative {
            in_each_layer: true,
            ..
        }
    ));
}

#[test]
fn marian_never_writes_its_padding() {
    let config = read(MARIAN).unwrap();
    assert_eq!((config.start, &config.suppressed[..]), (399, &[399][..]));
    assert_eq!(config.embedding_scale, 8.0);
    assert!(config.is_post_norm);
}

#[test]
fn beams_are_those_of_the_generation_file() {
    let rules = |config: &str, generation: Option<&str>| {
        let config = MARIAN.replace("\"scale_embedding\":true", config);
        Config::from_texts(&config, generation, false).map(|config| config.rules)
    };
    let of_config = r#""num_beams":6,"early_stopping":true,"length_penalty":0.5"#;
    let found = rules(of_config, None).unwrap();
    assert_eq!((found.advised, found.length_penalty), (6, 0.5));
    assert_eq!(
        (found.stopping, found.is_renormalised),
        (Stopping::Early, false)
    );
    let generation = r#"{"num_beams":4,"early_stopping":"never","renormalize_logits":true}"#;
    let found = rules(of_config, Some(generation)).unwrap();
    assert_eq!((found.advised, found.length_penalty), (4, 1.0));
    assert_eq!(
        (found.stopping, found.is_renormalised),
        (Stopping::Never, true)
    );
    assert_eq!(rules(of_config, Some("{}")).unwrap(), Rules::default());
    for wrong in [
        r#""num_beams":0"#,
        r#""early_stopping":"soon""#,
        r#""length_penalty":1e9"#,
        r#""renormalize_logits":1"#,
    ] {
        let error = rules(wrong, None).err().map(|error| error.code());
        assert_eq!(error, Some("bad_metadata"), "{wrong}");
    }
}

#[test]
fn unknown_mathematics_is_refused() {
    let code = |text: &str| read(text).err().map(|error| error.code());
    for (text, from, to, wanted) in [
        (T5, "\"t5\"", "\"longt5\"", "unsupported_architecture"),
        (T5, "\"relu\"", "\"gated-tanh\"", "bad_metadata"),
        (T5, "\"d_kv\":16", "\"d_kv\":-16", "bad_metadata"),
        (
            T5,
            "\"num_layers\":2",
            "\"num_layers\":99999",
            "bad_metadata",
        ),
        (T5, "\"d_model\":64,", "", "bad_metadata"),
        (T5, "\"d_ff\":128", "\"d_ff\":1e99", "bad_metadata"),
        (
            T5,
            "\"d_ff\":128",
            "\"d_ff\":128,\"relative_attention_num_buckets\":31",
            "bad_metadata",
        ),
        (
            T5,
            "\"d_ff\":128",
            "\"d_ff\":128,\"eos_token_id\":300",
            "bad_metadata",
        ),
        (T5, "{\"model", "[{\"model", "bad_file"),
        (
            MARIAN,
            "\"encoder_attention_heads\":4",
            "\"encoder_attention_heads\":5",
            "bad_metadata",
        ),
        (
            MARIAN,
            "true",
            "true,\"normalize_before\":true",
            "bad_metadata",
        ),
        (
            MARIAN,
            "true",
            "true,\"activation_function\":\"mish\"",
            "bad_metadata",
        ),
        (
            MARIAN,
            "true",
            "true,\"share_encoder_decoder_embeddings\":false,\"decoder_vocab_size\":5",
            "bad_metadata",
        ),
        (
            MARIAN,
            "true",
            "true,\"bad_words_ids\":[[1,2]]",
            "bad_metadata",
        ),
    ] {
        let text = text.replacen(from, to, 1);
        assert_eq!(code(&text), Some(wanted), "{to}");
    }
}
