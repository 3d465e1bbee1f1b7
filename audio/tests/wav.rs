//! The WAV reader on files made here, and on broken ones.

use hearth_audio::wav;

fn file(tag: u16, bits: u16, channels: u16, data: &[u8]) -> Vec<u8> {
    let block = channels * (bits / 8);
    let mut out = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
    for value in [tag, channels] {
        out.extend(value.to_le_bytes());
    }
    out.extend(16_000_u32.to_le_bytes());
    out.extend((16_000 * u32::from(block)).to_le_bytes());
    for value in [block, bits] {
        out.extend(value.to_le_bytes());
    }
    out.extend(b"data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

#[test]
fn every_encoding_is_read() {
    let cases: [(u16, u16, &[u8], &[f32]); 5] = [
        (1, 8, &[0, 128, 192], &[-1.0, 0.0, 0.5]),
        (1, 16, &[0, 128, 0, 64, 1, 0], &[-1.0, 0.5, 1.0 / 32_768.0]),
        (1, 24, &[0, 0, 128, 0, 0, 64], &[-1.0, 0.5]),
        (1, 32, &[0, 0, 0, 128, 0, 0, 0, 64], &[-1.0, 0.5]),
        (3, 32, &[0, 0, 0, 63, 0, 0, 0, 192], &[0.5, -2.0]),
    ];
    for (tag, bits, data, samples) in cases {
        let sound = wav::read(&file(tag, bits, 1, data)).unwrap();
        assert_eq!(
            (sound.rate, sound.samples.as_slice()),
            (16_000, samples),
            "{tag} {bits}"
        );
    }
    assert_eq!(
        wav::read(&file(1, 8, 2, &[0, 128, 255, 129]))
            .unwrap()
            .samples,
        [-0.5, 0.5]
    );
}

#[test]
fn extensible_and_endless_files_are_read() {
    let mut bytes = file(0xFFFE, 16, 1, &[0, 64]);
    let at = bytes.len() - 10;
    let guid = *b"\x16\0\x10\0\0\0\0\0\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";
    bytes.splice(at..at, guid);
    bytes[28] = 40;
    assert_eq!(wav::read(&bytes).unwrap().samples, [0.5]);
    bytes[at + 10] = 9;
    let refused = wav::read(&bytes).unwrap_err();
    assert_eq!(refused.code(), "bad_audio");
    assert!(
        refused.to_string().contains("unknown subformat"),
        "{refused}"
    );
    for length in [0_u32, u32::MAX] {
        let mut bytes = file(1, 8, 1, &[192, 192]);
        let at = bytes.len() - 6;
        bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
        assert_eq!(wav::read(&bytes).unwrap().samples, [0.5, 0.5]);
    }
}

#[test]
fn faults_have_names() {
    let names = |bytes: &[u8], fault: &str| {
        let error = wav::read(bytes).unwrap_err();
        assert_eq!(error.code(), "bad_audio");
        assert!(
            error.to_string().contains(fault),
            "{error}, expected {fault}"
        );
    };
    names(b"OggS", "no WAV file");
    names(&file(1, 16, 0, &[]), "0 channels");
    names(&file(2, 16, 1, &[]), "format tag 2");
    names(&file(1, 16, 1, &[1]), "ends within its last frame");
    names(
        &file(3, 32, 1, &f32::NAN.to_le_bytes()),
        "not a finite number",
    );
    let whole = file(1, 16, 1, &[0; 8]);
    for end in 0..whole.len() {
        let error = wav::read(&whole[..end]).unwrap_err().to_string();
        let is_named = error.contains("no WAV file") || error.contains("ends within its");
        assert!(is_named, "{end}: {error}");
    }
}

#[test]
fn no_change_of_bytes_makes_it_panic() {
    let whole = file(1, 24, 2, &[7; 36]);
    for at in 0..whole.len() {
        for value in [0, 1, 3, 0x7F, 0x80, 0xFE, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            if let Ok(sound) = wav::read(&bytes) {
                assert!(sound.samples.len() <= bytes.len());
            }
            let end = at + 4;
            if end <= bytes.len() {
                bytes[at..end].fill(value);
                let _ = wav::read(&bytes);
            }
        }
    }
}
