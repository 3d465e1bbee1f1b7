//! Codes of languages: those of models' tokens as BCP-47 (RFC 5646).

/// Codes of three letters (ISO 639-2 and 639-3) with the shorter ones (ISO 639-1) that BCP-47 has instead. Of those that models
/// have for the most common variety of a language, such as `arb`, the language's own.
const SHORT: &str = "\
aar aa abk ab afr af aka ak als sq amh am ara ar arb ar arg an asm as ava av aym ay ayr ay aze az azj az bak ba bam bm bel be \
ben bn bih bh bis bi bod bo bos bs bre br bul bg cat ca ces cs cha ch che ce chv cv cmn zh cor kw cos co cre cr cym cy dan da \
deu de div dv dzo dz ekk et ell el eng en epo eo est et eus eu ewe ee fao fo fas fa fij fj fin fi fra fr fry fy ful ff fuv ff \
gaz om gla gd gle ga glg gl glv gv grn gn gug gn guj gu hat ht hau ha heb he her hz hin hi hmo ho hrv hr hun hu hye hy ibo ig \
ido io iii ii iku iu ile ie ina ia ind id ipk ik isl is ita it jav jv jpn ja kal kl kan kn kas ks kat ka kau kr kaz kk khk mn \
khm km kik ki kin rw kir ky kmr ku knc kr kom kv kon kg kor ko kua kj kur ku lao lo lat la lav lv lim li lin ln lit lt ltz lb \
lub lu lug lg lvs lv mah mh mal ml mar mr mkd mk mlg mg mlt mt mon mn mri mi msa ms mya my nau na nav nv nbl nr nde nd ndo ng \
nep ne nld nl nno nn nob nb nor no npi ne nya ny oci oc oji oj ori or orm om ory or oss os pan pa pbt ps pes fa plt mg pol pl \
por pt pus ps que qu quy qu roh rm ron ro run rn rus ru sag sg san sa sin si slk sk slv sl sme se smo sm sna sn snd sd som so \
sot st spa es sqi sq srd sc srp sr ssw ss sun su swa sw swe sv swh sw tah ty tam ta tat tt tel te tgk tg tgl tl tha th tir ti \
ton to tsn tn tso ts tuk tk tur tr twi tw uig ug ukr uk urd ur uzb uz uzn uz ven ve vie vi vol vo wln wa wol wo xho xh ydd yi \
yid yi yor yo zha za zho zh zsm ms zul zu";

/// Codes of two letters that were replaced, or that models have in another sense than BCP-47.
const RENAMED: [(&str, &str); 6] = [
    ("in", "id"),
    ("iw", "he"),
    ("ji", "yi"),
    ("jw", "jv"),
    ("mo", "ro"),
    ("ns", "nso"),
];

/// Codes that stand for nearly the same, either of which serves for the other.
const NEAR: [(&str, &str); 3] = [("no", "nb"), ("tl", "fil"), ("zh", "cmn")];

/// A language, its script and its region, as far as they are said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub language: String,
    pub script: Option<String>,
    pub region: Option<String>,
}

impl Tag {
    /// Reads a code of BCP-47, or of a model: `de`, `pt-BR`, `zho_Hant`, `sr_Latn_RS`. Other parts are left out.
    pub fn read(code: &str) -> Option<Self> {
        let mut parts = code.split(['-', '_']);
        let language = parts.next()?.to_ascii_lowercase();
        if !(2..=3).contains(&language.len()) || !language.bytes().all(|b| b.is_ascii_lowercase()) {
            return None;
        }
        let mut tag = Self {
            language: short(&language).to_owned(),
            script: None,
            region: None,
        };
        for part in parts {
            let is_letters = part.bytes().all(|b| b.is_ascii_alphabetic());
            match part.len() {
                4 if is_letters && tag.script.is_none() => {
                    let lower = part.to_ascii_lowercase();
                    let (first, rest) = lower.split_at(1);
                    tag.script = Some(first.to_ascii_uppercase() + rest);
                }
                2 if is_letters => tag.region = Some(part.to_ascii_uppercase()),
                3 if part.bytes().all(|b| b.is_ascii_digit()) => {
                    tag.region = Some(part.to_owned());
                }
                _ => return None,
            }
        }
        Some(tag)
    }

    /// Returns the script, or that which the region or the language implies where readers write in several.
    pub fn script(&self) -> Option<&str> {
        if let Some(script) = &self.script {
            return Some(script);
        }
        match (self.language.as_str(), self.region.as_deref()) {
            ("zh" | "yue", Some("TW" | "HK" | "MO")) => Some("Hant"),
            ("zh", _) => Some("Hans"),
            ("ar" | "ks" | "fa" | "ur", _) => Some("Arab"),
            ("sr", _) => Some("Cyrl"),
            ("ace" | "bjn" | "min" | "kr" | "taq", _) => Some("Latn"),
            _ => None,
        }
    }

    /// Writes the tag as BCP-47 does.
    pub fn write(&self) -> String {
        let parts = [
            Some(&self.language),
            self.script.as_ref(),
            self.region.as_ref(),
        ];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.join("-")
    }

    /// Returns whether both are of one language, or nearly.
    pub fn is_near(&self, other: &Self) -> bool {
        let (a, b) = (self.language.as_str(), other.language.as_str());
        a == b || NEAR.contains(&(a, b)) || NEAR.contains(&(b, a))
    }
}

/// Returns BCP-47's code of a language.
fn short(language: &str) -> &str {
    if language.len() == 3 {
        let mut codes = SHORT.split(' ');
        while let (Some(long), Some(short)) = (codes.next(), codes.next()) {
            if long == language {
                return short;
            }
        }
    }
    let renamed = RENAMED.iter().find(|(old, _)| *old == language);
    renamed.map_or(language, |(_, new)| new)
}

/// Returns whether the code of three letters is one that the list shortens: groups of languages, such as `roa`, are not.
pub fn is_known(language: &str) -> bool {
    language.len() == 2 || SHORT.split(' ').step_by(2).any(|long| long == language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_bcp_47() {
        for (code, wanted) in [
            ("de", "de"),
            ("DEU", "de"),
            ("deu_Latn", "de-Latn"),
            ("zho_Hant", "zh-Hant"),
            ("pt_BR", "pt-BR"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("ceb", "ceb"),
            ("ns", "nso"),
            ("iw", "he"),
            ("es-419", "es-419"),
        ] {
            assert_eq!(
                Tag::read(code).map(|tag| tag.write()).as_deref(),
                Some(wanted)
            );
        }
        for code in ["", "d", "english", "e2", "de-", "de-DE-1996-x"] {
            assert_eq!(Tag::read(code), None, "{code}");
        }
        assert!(SHORT.split(' ').count().is_multiple_of(2));
        let lengths = SHORT.split(' ').enumerate();
        assert!(lengths.clone().all(|(i, code)| code.len() == 3 - i % 2));
    }
}
