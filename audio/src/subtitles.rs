//! Subtitle files: SubRip (`.srt`) and WebVTT (`.vtt`).

use serde::Deserialize;

/// One subtitle.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Cue {
    /// Seconds from the start of the file.
    pub start: f64,
    /// Seconds from the start of the file.
    pub end: f64,
    /// Text as the model wrote it.
    pub text: String,
}

/// Returns the cues as SubRip.
#[must_use]
pub fn srt(cues: &[Cue]) -> String {
    let cue = |(i, cue): (usize, &Cue)| {
        let text = lines(&cue.text).replace("-->", "->");
        format!(
            "{}\n{} --> {}\n{text}\n\n",
            i + 1,
            time(cue.start, ','),
            time(cue.end, ',')
        )
    };
    cues.iter().enumerate().map(cue).collect()
}

/// Returns the cues as WebVTT; what its syntax would read as tags is escaped.
#[must_use]
pub fn vtt(cues: &[Cue]) -> String {
    let cue = |cue: &Cue| {
        let text = lines(&cue.text)
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        format!(
            "{} --> {}\n{text}\n\n",
            time(cue.start, '.'),
            time(cue.end, '.')
        )
    };
    format!("WEBVTT\n\n{}", cues.iter().map(cue).collect::<String>())
}

/// Returns the text without blank lines, which would end a cue.
fn lines(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Returns seconds as `00:00:00,000`, rounded to the nearest millisecond.
fn time(seconds: f64, point: char) -> String {
    // A float beyond the integers' range, or none at all, ends at the nearest of them.
    let ms = (seconds.max(0.0) * 1_000.0).round() as u64;
    format!(
        "{:02}:{:02}:{:02}{point}{:03}",
        ms / 3_600_000,
        ms / 60_000 % 60,
        ms / 1_000 % 60,
        ms % 1_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_and_texts_stay_texts() {
        let cues = [
            Cue {
                start: 0.0,
                end: 59.9995,
                text: " Hello,\n\n<b>you</b> & --> me".into(),
            },
            Cue {
                start: 3_661.25,
                end: 360_000.0,
                text: "end".into(),
            },
        ];
        assert_eq!(
            srt(&cues),
            "1\n00:00:00,000 --> 00:01:00,000\nHello,\n<b>you</b> & -> me\n\n2\n01:01:01,250 --> 100:00:00,000\nend\n\n"
        );
        assert_eq!(
            vtt(&cues),
            "WEBVTT\n\n00:00:00.000 --> 00:01:00.000\nHello,\n&lt;b&gt;you&lt;/b&gt; &amp; --&gt; me\n\n01:01:01.250 --> 100:00:00.000\nend\n\n"
        );
        assert_eq!(time(f64::NAN, '.'), "00:00:00.000");
    }
}
