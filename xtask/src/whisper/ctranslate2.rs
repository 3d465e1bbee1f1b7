//! Reads CTranslate2's `model.bin`, version 6: a header, named variables, and names that stand for others.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

const VERSION: u32 = 6;
const SPEC: &str = "WhisperSpec";
/// The code of 16-bit floats.
const F16: u8 = 4;
/// The code of 16-bit integers.
const I16: u8 = 2;

/// A variable's shape and bytes.
pub struct Variable<'a> {
    pub shape: Vec<usize>,
    pub data: &'a [u8],
    dtype: u8,
}

impl Variable<'_> {
    pub fn is_f16(&self) -> bool {
        self.dtype == F16
    }
}

/// The variables of a file by their names.
pub struct Variables<'a>(BTreeMap<String, Variable<'a>>);

impl<'a> Variables<'a> {
    /// Reads a file to its last byte.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut rest = Rest(bytes);
        let (version, spec, _revision) = (rest.u32()?, rest.text()?, rest.u32()?);
        ensure!(
            version == VERSION && spec == SPEC,
            "model.bin: expected {SPEC} in version {VERSION}, found {spec} in version {version}"
        );
        let mut variables = BTreeMap::new();
        for _ in 0..rest.u32()? {
            let name = rest.text()?;
            let rank = rest.take(1)?[0];
            let shape = (0..rank).map(|_| Ok(rest.u32()? as usize));
            let shape = shape.collect::<Result<Vec<_>>>()?;
            let dtype = rest.take(1)?[0];
            let count = rest.u32()? as usize;
            let data = rest.take(count)?;
            if dtype == F16 {
                let expected = 2 * shape.iter().product::<usize>();
                ensure!(
                    count == expected,
                    "{name}: expected {expected} bytes, found {count}"
                );
            }
            variables.insert(name, Variable { shape, data, dtype });
        }
        for _ in 0..rest.u32()? {
            let (name, target) = (rest.text()?, rest.text()?);
            ensure!(
                name == "decoder/projection/weight" && target == "decoder/embeddings/weight",
                "model.bin: expected only the head as another name, found {name} for {target}"
            );
        }
        ensure!(
            rest.0.is_empty(),
            "model.bin: {} bytes behind its end",
            rest.0.len()
        );
        Ok(Self(variables))
    }

    /// Returns the 16-bit floats `name`.
    pub fn f16(&self, name: &str) -> Result<&Variable<'a>> {
        match self.0.get(name) {
            Some(variable) if variable.is_f16() => Ok(variable),
            Some(variable) => bail!(
                "{name}: expected 16-bit floats, found type {}",
                variable.dtype
            ),
            None => bail!("model.bin has no {name}"),
        }
    }

    /// Returns the small whole number `name`.
    pub fn number(&self, name: &str) -> Result<usize> {
        let found = self.0.get(name).filter(|variable| variable.dtype == I16);
        let found = found.and_then(|variable| variable.data.try_into().ok());
        let bytes: [u8; 2] = found.with_context(|| format!("model.bin has no number {name}"))?;
        Ok(u16::from_le_bytes(bytes).into())
    }

    /// Returns the names of all 16-bit floats.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let floats = self.0.iter().filter(|(_, variable)| variable.is_f16());
        floats.map(|(name, _)| name)
    }
}

/// The bytes that are not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = (self.0.split_at_checked(count)).context("model.bin is cut off")?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into()?))
    }

    /// Reads a length in 16 bits and as many bytes, the last of which is 0.
    fn text(&mut self) -> Result<String> {
        let length = u16::from_le_bytes(self.take(2)?.try_into()?);
        let bytes = self.take(length.into())?;
        let bytes = bytes.strip_suffix(&[0]).context("a name without its end")?;
        Ok(str::from_utf8(bytes)?.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let length = (text.len() as u16 + 1).to_le_bytes();
        [&length[..], text.as_bytes(), &[0]].concat()
    }

    fn variable(name: &str, shape: &[u32], dtype: u8, data: &[u8]) -> Vec<u8> {
        let shape = shape.iter().flat_map(|size| size.to_le_bytes());
        let mut bytes = text(name);
        bytes.push(shape.clone().count() as u8 / 4);
        bytes.extend(shape);
        bytes.push(dtype);
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn a_file_is_read_whole_or_refused() {
        let alias = [
            text("decoder/projection/weight"),
            text("decoder/embeddings/weight"),
        ]
        .concat();
        let file = [
            &VERSION.to_le_bytes()[..],
            &text(SPEC),
            &[3, 0, 0, 0],
            &[2, 0, 0, 0],
            &variable("encoder/num_heads", &[], I16, &[6, 0]),
            &variable("a/weight", &[1, 2], F16, &[1, 2, 3, 4]),
            &[1, 0, 0, 0],
            &alias,
        ]
        .concat();
        let variables = Variables::read(&file).unwrap();
        let weight = variables.f16("a/weight").unwrap();
        assert_eq!(
            (&weight.shape[..], weight.data),
            (&[1, 2][..], &[1, 2, 3, 4][..])
        );
        assert_eq!(variables.number("encoder/num_heads").unwrap(), 6);
        assert!(variables.f16("encoder/num_heads").is_err());
        assert_eq!(variables.names().collect::<Vec<_>>(), ["a/weight"]);
        for length in 0..file.len() {
            assert!(Variables::read(&file[..length]).is_err(), "{length}");
        }
        assert!(Variables::read(&[&file[..], &[0]].concat()).is_err());
    }
}
