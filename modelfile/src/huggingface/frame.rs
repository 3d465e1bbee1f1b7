//! Tokens that `tokenizer.json` puts around a text.

use serde_json::Value as Json;

use super::Object;
use super::tokenizer::in_turn;

/// Returns the token that the post-processor puts in front of a text.
pub(super) fn begins_with(json: &Object) -> Option<&str> {
    frame(json)?.first()?["SpecialToken"]["id"].as_str()
}

/// Returns the token that the post-processor puts behind a text.
pub(super) fn ends_with(json: &Object) -> Option<&str> {
    frame(json)?.last()?["SpecialToken"]["id"].as_str()
}

/// Returns a text among the tokens that the post-processor puts around it.
fn frame(json: &Object) -> Option<&Vec<Json>> {
    let all = in_turn(json.get("post_processor"), "processors");
    let template = all
        .into_iter()
        .find(|p| p["type"] == "TemplateProcessing")?;
    template["single"].as_array()
}
