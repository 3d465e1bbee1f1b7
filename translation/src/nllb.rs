//! Ids of NLLB without `tokenizer.json`: those of its SentencePiece model moved by one, then its languages.
//!
//! Source: fairseq's dictionaries, in which padding stands second; transformers 4 `models/nllb/tokenization_nllb.py`, 5
//! `convert_slow_tokenizer.py`.

use std::collections::HashMap;

use hearth_modelfile::{Error, Result};
use serde_json::Value;

/// Pieces that SentencePiece's model begins with.
const PIECES: [&str; 3] = ["<unk>", "<s>", "</s>"];

/// Tokens in their place.
const FIRST: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];

const MASK: &str = "<mask>";

/// Codes of the languages by the order of their ids.
const LANGUAGES: &str = "\
ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn amh_Ethi apc_Arab arb_Arab ars_Arab ary_Arab \
arz_Arab asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn bak_Cyrl bam_Latn ban_Latn bel_Cyrl bem_Latn ben_Beng \
bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn bug_Latn bul_Cyrl cat_Latn ceb_Latn ces_Latn cjk_Latn ckb_Arab crh_Latn \
cym_Latn dan_Latn deu_Latn dik_Latn dyu_Latn dzo_Tibt ell_Grek eng_Latn epo_Latn est_Latn eus_Latn ewe_Latn fao_Latn \
pes_Arab fij_Latn fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr hat_Latn \
hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn \
jpn_Jpan kab_Latn kac_Latn kam_Latn kan_Knda kas_Arab kas_Deva kat_Geor knc_Arab knc_Latn kaz_Cyrl kbp_Latn kea_Latn \
khm_Khmr kik_Latn kin_Latn kir_Cyrl kmb_Latn kon_Latn kor_Hang kmr_Latn lao_Laoo lvs_Latn lij_Latn lim_Latn lin_Latn \
lit_Latn lmo_Latn ltg_Latn ltz_Latn lua_Latn lug_Latn luo_Latn lus_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Latn \
mkd_Cyrl plt_Latn mlt_Latn mni_Beng khk_Cyrl mos_Latn mri_Latn zsm_Latn mya_Mymr nld_Latn nno_Latn nob_Latn npi_Deva \
nso_Latn nus_Latn nya_Latn oci_Latn gaz_Latn ory_Orya pag_Latn pan_Guru pap_Latn pol_Latn por_Latn prs_Arab pbt_Arab \
quy_Latn ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Beng scn_Latn shn_Mymr sin_Sinh slk_Latn slv_Latn smo_Latn \
sna_Latn snd_Arab som_Latn sot_Latn spa_Latn als_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn swe_Latn swh_Latn szl_Latn \
tam_Taml tat_Cyrl tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi taq_Latn taq_Tfng tpi_Latn tsn_Latn tso_Latn tuk_Latn \
tum_Latn tur_Latn twi_Latn tzm_Tfng uig_Arab ukr_Cyrl umb_Latn urd_Arab uzn_Latn vec_Latn vie_Latn war_Latn wol_Latn \
xho_Latn ydd_Hebr yor_Latn yue_Hant zho_Hans zho_Hant zul_Latn";

/// Returns the id of each token. `config`: `tokenizer_config.json`, which may list the languages.
///
/// # Errors
/// [`Error::Tokenizer`] for a SentencePiece model that begins otherwise, and for languages that are listed as none.
pub fn ids(pieces: &[String], config: &Value) -> Result<HashMap<String, u32>> {
    let refuse = |message: String| Error::Tokenizer { message };
    if pieces.len() < PIECES.len() || pieces.iter().zip(PIECES).any(|(a, b)| a != b) {
        let found = pieces.get(..3).unwrap_or(pieces).join(", ");
        return Err(refuse(format!(
            "sentencepiece.bpe.model: expected {} first, found {found}",
            PIECES.join(", ")
        )));
    }
    let all = FIRST.into_iter().map(str::to_owned);
    let all = all.chain(pieces[PIECES.len()..].iter().cloned());
    let mut ids: HashMap<String, u32> = all.zip(0..).collect();
    let first = pieces.len() as u32 + 1;
    if let Some(added) = config["added_tokens_decoder"].as_object() {
        for (id, token) in added {
            let id = id.parse::<u32>().ok();
            match (id, token["content"].as_str()) {
                (Some(id), Some(token)) => ids.insert(token.to_owned(), id),
                _ => {
                    let key = "tokenizer_config.json: added_tokens_decoder";
                    return Err(refuse(format!("{key}: expected tokens by their ids")));
                }
            };
        }
        return Ok(ids);
    }
    let keys = ["extra_special_tokens", "additional_special_tokens"];
    let listed = keys.map(|key| (key, config[key].as_array()));
    let listed = listed
        .into_iter()
        .find_map(|(key, list)| Some((key, list?)));
    let languages: Vec<&str> = match listed {
        None => LANGUAGES.split(' ').collect(),
        Some((key, list)) => {
            let codes: Option<Vec<&str>> = list.iter().map(code_of).collect();
            codes.ok_or_else(|| {
                let rest =
                    "expected codes of languages only, where added_tokens_decoder gives no ids";
                refuse(format!("tokenizer_config.json: {key}: {rest}"))
            })?
        }
    };
    let behind = languages.into_iter().chain([MASK]);
    ids.extend(behind.map(str::to_owned).zip(first..));
    Ok(ids)
}

/// Returns the code of a language that a list has as a text or as a token.
fn code_of(token: &Value) -> Option<&str> {
    let text = token.as_str().or(token["content"].as_str());
    text.filter(|text| is_language(text))
}

/// Returns whether a token is a code such as `deu_Latn`.
pub fn is_language(token: &str) -> bool {
    let is_letters = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_alphabetic());
    token
        .split_once('_')
        .is_some_and(|(language, script)| is_letters(language, 3) && is_letters(script, 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pieces() -> Vec<String> {
        ["<unk>", "<s>", "</s>", "a", "b"].map(str::to_owned).into()
    }

    #[test]
    fn ids_are_moved_by_one_and_languages_follow() {
        let of = |config: Value| ids(&pieces(), &config).unwrap();
        let all = of(json!({}));
        for (token, id) in [
            ("<s>", 0),
            ("<pad>", 1),
            ("</s>", 2),
            ("<unk>", 3),
            ("a", 4),
            ("b", 5),
            ("ace_Arab", 6),
            ("zul_Latn", 207),
            (MASK, 208),
        ] {
            assert_eq!(all.get(token), Some(&id), "{token}");
        }
        assert_eq!(all.len(), 209);
        let listed =
            of(json!({"additional_special_tokens": ["deu_Latn", {"content": "eng_Latn"}]}));
        assert_eq!((listed["eng_Latn"], listed[MASK], listed.len()), (7, 8, 9));
        let stated = of(json!({"added_tokens_decoder": {"9": {"content": "deu_Latn"}}}));
        assert_eq!((stated["deu_Latn"], stated.len()), (9, 7));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let message =
            |pieces: &[String], config: Value| ids(pieces, &config).unwrap_err().to_string();
        let mut other = pieces();
        other.swap(0, 1);
        assert!(message(&other, json!({})).contains("sentencepiece.bpe.model"));
        assert!(message(&[], json!({})).contains("sentencepiece.bpe.model"));
        for key in ["extra_special_tokens", "additional_special_tokens"] {
            assert!(message(&pieces(), json!({key: ["deu_Latn", "<custom>"]})).contains(key));
        }
        let wrong = json!({"added_tokens_decoder": {"x": {"content": "deu_Latn"}}});
        assert!(message(&pieces(), wrong).contains("added_tokens_decoder"));
    }
}
