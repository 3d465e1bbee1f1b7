//! Languages that a model has, by BCP-47, and how it is told of them.

mod codes;

use hearth_modelfile::{Error, Result};
use serde::Serialize;

use crate::config::{Config, Family, Task};
use crate::nllb::is_language;
use crate::vocabulary::Vocabulary;
use codes::{Tag, is_known};

/// Codes of M2M100 by the order of their tokens, which follow those of the vocabulary.
const M2M100: &str = "\
af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht hu hy id ig ilo is it \
ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt ro ru sd si sk sl so sq sr ss su sv sw \
ta th tl tn tr uk ur uz vi wo xh yi yo zh zu";
/// Codes of its successor of the competition of 2021.
const WMT21: &str = "en ha is ja cs ru zh de";

/// One language of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language {
    /// Code in BCP-47.
    pub code: String,
    /// Code in the model's own terms.
    pub native: String,
    /// Its token, if there is one.
    pub id: Option<u32>,
}

/// Languages of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Languages {
    /// Languages of texts; none if the model is not told.
    pub sources: Vec<Language>,
    /// Languages of translations; none if there is no choice and nothing says which it is.
    pub targets: Vec<Language>,
    /// Whether a text's language has to be said, and a translation's.
    pub needs_source: bool,
    pub needs_target: bool,
    /// Whether a text without a target is taken as it is.
    pub plain: bool,
}

/// Languages as JavaScript sees them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    sources: Vec<&'a str>,
    targets: Vec<&'a str>,
    needs_source: bool,
    needs_target: bool,
    plain: bool,
}

/// Languages of the folder's files, where vocabularies do not tell.
#[derive(Debug, Clone, Default)]
pub struct Said {
    pub source: Option<String>,
    pub target: Option<String>,
}

impl Languages {
    /// Finds the languages of a model.
    pub fn of(config: &Config, vocabulary: &Vocabulary, said: &Said) -> Self {
        match config.family {
            Family::T5 => Self::of_t5(&config.tasks, vocabulary),
            Family::Marian => Self::of_marian(vocabulary, said),
            Family::M2m100 => Self::both(of_m2m100(config.n_vocab, vocabulary)),
            Family::Nllb => Self::both(named(vocabulary, |token| {
                is_language(token).then_some(token)
            })),
        }
    }

    fn both(languages: Vec<Language>) -> Self {
        Self {
            sources: languages.clone(),
            targets: languages,
            needs_source: true,
            needs_target: true,
            plain: false,
        }
    }

    fn of_t5(tasks: &[Task], vocabulary: &Vocabulary) -> Self {
        let targets = named(vocabulary, |token| {
            token.strip_prefix("<2")?.strip_suffix('>')
        });
        if !targets.is_empty() {
            return Self {
                targets,
                plain: true,
                ..Self::default()
            };
        }
        let mut languages = Self {
            plain: true,
            ..Self::default()
        };
        for task in tasks {
            for (list, code) in [
                (&mut languages.sources, &task.source),
                (&mut languages.targets, &task.target),
            ] {
                let known = list.iter().any(|language| language.native == *code);
                if let (false, Some(tag)) = (known, Tag::read(code)) {
                    list.push(Language {
                        code: tag.write(),
                        native: code.clone(),
                        id: None,
                    });
                }
            }
        }
        languages
    }

    fn of_marian(vocabulary: &Vocabulary, said: &Said) -> Self {
        let targets = named(vocabulary, |token| {
            token.strip_prefix(">>")?.strip_suffix("<<")
        });
        // (`roa` and `mul` are groups of languages)
        let one = |code: &Option<String>| -> Vec<Language> {
            let code = code.iter().filter(|code| is_known(code));
            let found = code.filter_map(|code| {
                Some(Language {
                    code: Tag::read(code)?.write(),
                    native: code.clone(),
                    id: None,
                })
            });
            found.collect()
        };
        let needs_target = !targets.is_empty();
        Self {
            sources: one(&said.source),
            targets: if needs_target {
                targets
            } else {
                one(&said.target)
            },
            needs_source: false,
            needs_target,
            plain: false,
        }
    }

    /// Returns the languages as JSON.
    pub fn to_json(&self) -> String {
        fn codes(list: &[Language]) -> Vec<&str> {
            list.iter().map(|language| language.code.as_str()).collect()
        }
        let listed = Listed {
            sources: codes(&self.sources),
            targets: codes(&self.targets),
            needs_source: self.needs_source,
            needs_target: self.needs_target,
            plain: self.plain,
        };
        serde_json::json!(listed).to_string()
    }

    /// Returns the language of a text.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`], which lists the languages that there are.
    pub fn source(&self, code: Option<&str>) -> Result<Option<&Language>> {
        if self.sources.is_empty() {
            return Ok(None);
        }
        choose("source", code, &self.sources, self.needs_source)
    }

    /// Returns the language of a translation.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`], which lists the languages that there are.
    pub fn target(&self, code: Option<&str>) -> Result<Option<&Language>> {
        choose("target", code, &self.targets, self.needs_target)
    }
}

/// Returns the language that a code asks for.
fn choose<'a>(
    field: &str,
    code: Option<&str>,
    all: &'a [Language],
    is_needed: bool,
) -> Result<Option<&'a Language>> {
    let wrong = |found: String| Error::InvalidRequest {
        field: field.to_owned(),
        expected: match all
            .iter()
            .map(|l| l.code.as_str())
            .collect::<Vec<_>>()
            .join(", ")
        {
            list if list.is_empty() => {
                "left out, since the files of this model name no language".to_owned()
            }
            list => format!("one of {list}"),
        },
        found,
    };
    let Some(code) = code else {
        return match is_needed {
            true => Err(wrong("none".into())),
            false => Ok(None),
        };
    };
    let own = all
        .iter()
        .find(|language| language.native.eq_ignore_ascii_case(code));
    let found = own.or_else(|| {
        let asked = Tag::read(code)?;
        let tags = all.iter().filter_map(|l| Some((l, Tag::read(&l.native)?)));
        let mut near: Vec<(&Language, Tag)> = tags.filter(|(_, tag)| tag.is_near(&asked)).collect();
        // Another script is another text; a region only tells which one is preferred.
        near.retain(|(_, tag)| match (&tag.script, asked.script.as_deref()) {
            (Some(script), Some(wanted)) => script == wanted,
            (None, Some(_)) => tag.script().is_none() || tag.script() == asked.script(),
            (Some(script), None) => asked.script().is_none_or(|wanted| wanted == script),
            (None, None) => tag.script() == asked.script() || tag.script().is_none(),
        });
        let rank = |(_, tag): &(&Language, Tag)| {
            let is_same = tag.language == asked.language;
            (!is_same, tag.region != asked.region, tag.region.is_some())
        };
        near.sort_by_key(rank);
        near.first().map(|(language, _)| *language)
    });
    match found {
        Some(language) => Ok(Some(language)),
        None => Err(wrong(format!("{code:?}"))),
    }
}

/// Returns the languages of the vocabulary's tokens, of which `code` gives the code, sorted by their codes.
fn named<'a>(
    vocabulary: &'a Vocabulary,
    code: impl Fn(&'a str) -> Option<&'a str>,
) -> Vec<Language> {
    let found = vocabulary.tokens().filter_map(|(id, token)| {
        let native = code(token)?;
        // Tokens of other tasks are no codes: `<2translate>`.
        let tag = Tag::read(native)?;
        Some((tag, native.to_owned(), id))
    });
    let found: Vec<(Tag, String, u32)> = found.collect();
    let is_alone = |tag: &Tag| {
        let same = found
            .iter()
            .filter(|(other, ..)| other.language == tag.language);
        same.count() == 1
    };
    let mut languages: Vec<Language> = found
        .iter()
        .map(|(tag, native, id)| {
            let mut tag = tag.clone();
            // A script that a language is always written in is not said.
            let is_default = || {
                let plain = Tag {
                    script: None,
                    ..tag.clone()
                };
                tag.language != "zh" && plain.script() == tag.script.as_deref()
            };
            if is_alone(&tag) || is_default() {
                tag.script = None;
            }
            Language {
                code: tag.write(),
                native: native.clone(),
                id: Some(*id),
            }
        })
        .collect();
    languages.sort_by(|a, b| (&a.code, &a.native).cmp(&(&b.code, &b.native)));
    languages
}

/// Returns the languages of M2M100: tokens `__de__`, or by their order those behind the vocabulary.
fn of_m2m100(n_vocab: usize, vocabulary: &Vocabulary) -> Vec<Language> {
    let languages = named(vocabulary, |token| {
        token.strip_prefix("__")?.strip_suffix("__")
    });
    if !languages.is_empty() {
        return languages;
    }
    let first = vocabulary.n_read();
    let lists = [M2M100, WMT21].map(|list| list.split(' ').collect::<Vec<_>>());
    // (eight rows of padding follow)
    let list = lists
        .into_iter()
        .find(|list| first + list.len() + 8 == n_vocab);
    let all = list.unwrap_or_default().into_iter().zip(first as u32..);
    let all = all.filter_map(|(code, id)| {
        Some(Language {
            code: Tag::read(code)?.write(),
            native: code.to_owned(),
            id: Some(id),
        })
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(codes: &[&str]) -> Vec<Language> {
        let all = codes.iter().zip(0..).map(|(code, id)| Language {
            code: Tag::read(code).unwrap().write(),
            native: (*code).to_owned(),
            id: Some(id),
        });
        all.collect()
    }

    #[test]
    fn codes_find_the_nearest_language() {
        let nllb = list(&[
            "deu_Latn", "zho_Hans", "zho_Hant", "arb_Arab", "arb_Latn", "nob_Latn", "srp_Cyrl",
            "tgl_Latn",
        ]);
        let m2m = list(&["de", "zh", "no", "sr", "ns"]);
        let madlad = list(&["pt", "pt_BR", "zh", "fil"]);
        for (all, asked, wanted) in [
            (&nllb, "de", Some("deu_Latn")),
            (&nllb, "de-AT", Some("deu_Latn")),
            (&nllb, "DEU_latn", Some("deu_Latn")),
            (&nllb, "zh", Some("zho_Hans")),
            (&nllb, "zh-TW", Some("zho_Hant")),
            (&nllb, "zh-Hant", Some("zho_Hant")),
            (&nllb, "ar", Some("arb_Arab")),
            (&nllb, "ar-Latn", Some("arb_Latn")),
            (&nllb, "no", Some("nob_Latn")),
            (&nllb, "fil", Some("tgl_Latn")),
            (&nllb, "sr-Latn", None),
            (&nllb, "en", None),
            (&nllb, "German", None),
            (&m2m, "deu", Some("de")),
            (&m2m, "nb", Some("no")),
            (&m2m, "nso", Some("ns")),
            (&m2m, "zh-Hans", Some("zh")),
            (&m2m, "zh-Hant", None),
            (&m2m, "zh-TW", None),
            (&madlad, "pt-BR", Some("pt_BR")),
            (&madlad, "pt-PT", Some("pt")),
            (&madlad, "tl", Some("fil")),
        ] {
            let found = choose("target", Some(asked), all, true);
            let found = found
                .ok()
                .flatten()
                .map(|language| language.native.as_str());
            assert_eq!(found, wanted, "{asked}");
        }
        let error = choose("target", Some("en"), &m2m, true).unwrap_err();
        assert!(error.to_string().contains("de, zh, no, sr, nso"), "{error}");
        assert!(choose("target", None, &m2m, true).is_err());
        assert_eq!(choose("target", None, &m2m, false).unwrap(), None);
    }
}
