//! The linker of WebAssembly modules: LLVM's, without the static constructors of the GPU runtime's kernel compiler.
//!
//! Each operation of that compiler registers itself in a static constructor, 4,900 of them, and a linker keeps what a
//! constructor reaches: two fifths of the core's code, though every kernel here is WGSL already
//! (docs/decisions/042 and 047). rustc offers no option that leaves constructors out, so the compiler's objects are
//! linked from copies in which their list has another name.
//!
//! cargo is told to link with a copy of this program, and [`REAL`] tells that copy which linker to call. The copy lies in the
//! cache, because cargo compiles everything anew when the linker's path changes.
//!
//! Source: <https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md>.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::paths::Dirs;
use crate::proc;

/// Environment variable with the linker to call; set exactly if this program is to link.
const REAL: &str = "HEARTH_WASM_LD";

/// Crates whose constructors are left out.
const COMPILER: [&str; 5] = [
    "cubecl_core",
    "cubecl_ir",
    "cubecl_opt",
    "cubecl_wgpu",
    "pliron",
];

const ARCHIVE_MAGIC: &[u8] = b"!<arch>\n";
/// Bytes of a member's header in an archive, the place of its size in them, and how they end.
const HEADER: usize = 60;
const SIZE: std::ops::Range<usize> = 48..58;
const OBJECT_MAGIC: &[u8] = b"\0asm";
/// Type of the subsection that lists the constructors, and one that linkers skip.
const INIT_FUNCS: u8 = 6;
const SKIPPED: u8 = 0x7f;

/// Linker for cargo: a copy of this program, and what the copy calls.
pub struct Linker {
    /// Copy of this program.
    ours: PathBuf,
    /// LLVM's linker, which the copy calls.
    real: PathBuf,
}

impl Linker {
    /// Puts this program into the cache as a linker that calls `real`.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn new(dirs: &Dirs, real: PathBuf) -> Result<Self> {
        let ours = (dirs.tools()).join(format!("wasm-linker{}", std::env::consts::EXE_SUFFIX));
        let copy = || {
            let bytes = fs::read(std::env::current_exe()?)?;
            if fs::read(&ours).is_ok_and(|old| old == bytes) {
                return Ok(());
            }
            fs::create_dir_all(dirs.tools())?;
            // Renamed into place: a program that runs cannot be overwritten.
            let new = ours.with_extension(std::process::id().to_string());
            fs::copy(std::env::current_exe()?, &new)?;
            fs::rename(&new, &ours)
        };
        copy().with_context(|| format!("cannot write {}", ours.display()))?;
        Ok(Self { ours, real })
    }

    /// Makes a command of cargo's link with it.
    pub fn of(&self, command: &mut Command) {
        command
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &self.ours)
            .env(REAL, &self.real);
    }
}

/// Links, if that is what this program was started for.
pub fn asked() -> Option<ExitCode> {
    let real = std::env::var_os(REAL)?;
    match link(&real, std::env::args_os().skip(1)) {
        Ok(code) => Some(ExitCode::from(code)),
        Err(error) => {
            eprintln!("error: {error:#}");
            Some(ExitCode::FAILURE)
        }
    }
}

/// Calls the linker with copies of the archives that must not have constructors; returns its exit status.
fn link(real: &OsStr, args: impl Iterator<Item = OsString>) -> Result<u8> {
    let copies = Copies::new()?;
    let args = args.map(|arg| copies.of(arg)).collect::<Result<Vec<_>>>()?;
    let status = Command::new(real).args(args).status();
    let status = status.with_context(|| format!("cannot run {}", Path::new(real).display()))?;
    Ok(proc::code_of(status))
}

/// A folder of copies that goes with the value.
struct Copies(PathBuf);

impl Copies {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("hearth-link-{}", std::process::id()));
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// Returns an argument with the copy's path in the place of an archive's.
    fn of(&self, arg: OsString) -> Result<OsString> {
        if let Some(list) = arg.to_str().and_then(|arg| arg.strip_prefix('@')) {
            return self.of_list(Path::new(list));
        }
        let path = Path::new(&arg);
        if !is_compilers(path) {
            return Ok(arg);
        }
        let mut bytes =
            fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        if without_constructors(&mut bytes).with_context(|| format!("in {}", path.display()))? == 0
        {
            return Ok(arg);
        }
        let copy = self.0.join(path.file_name().unwrap_or_default());
        fs::write(&copy, bytes).with_context(|| format!("cannot write {}", copy.display()))?;
        Ok(copy.into())
    }

    /// Returns the argument for a file of arguments, one a line with blanks and backslashes escaped, as rustc writes it where a
    /// command line would be too long.
    fn of_list(&self, list: &Path) -> Result<OsString> {
        let text =
            fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
        let mut out = String::new();
        for line in text.lines() {
            let mut escaped = false;
            let plain: String = (line.chars())
                .filter(|c| {
                    escaped = *c == '\\' && !escaped;
                    !escaped
                })
                .collect();
            let arg = self.of(plain.into())?;
            let Some(arg) = arg.to_str() else {
                bail!("expected {} to be UTF-8", Path::new(&arg).display());
            };
            out += &arg.replace('\\', "\\\\").replace(' ', "\\ ");
            out.push('\n');
        }
        let new = self.0.join("arguments");
        fs::write(&new, out).with_context(|| format!("cannot write {}", new.display()))?;
        let mut arg = OsString::from("@");
        arg.push(new);
        Ok(arg)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns whether a file is the archive of a crate of the kernel compiler.
fn is_compilers(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    let stem = name.and_then(|name| name.strip_suffix(".rlib")?.strip_prefix("lib"));
    let library = stem.and_then(|stem| stem.rsplit_once('-'));
    library.is_some_and(|(library, _)| COMPILER.contains(&library))
}

/// Makes linkers skip the lists of constructors in an archive of objects; returns how many lists there were.
fn without_constructors(archive: &mut [u8]) -> Result<usize> {
    if !archive.starts_with(ARCHIVE_MAGIC) {
        bail!("expected an archive");
    }
    let mut lists = Vec::new();
    let mut at = ARCHIVE_MAGIC.len();
    while let Some(header) = archive.get(at..at + HEADER) {
        let size = std::str::from_utf8(&header[SIZE]).ok();
        let size: Option<usize> = size.and_then(|size| size.trim().parse().ok());
        let member = at + HEADER;
        let bytes = size.and_then(|size| archive.get(member..member + size));
        let Some(bytes) = bytes else {
            bail!("expected a member's size at byte {at}");
        };
        if bytes.starts_with(OBJECT_MAGIC) {
            let found = constructors(bytes);
            let found = found.with_context(|| format!("expected an object at byte {member}"))?;
            lists.extend(found.into_iter().map(|list| member + list));
        }
        at = (member + bytes.len()).next_multiple_of(2);
    }
    for list in &lists {
        archive[*list] = SKIPPED;
    }
    Ok(lists.len())
}

/// Returns the places of the types of an object's lists of constructors; `None` if it is no object.
fn constructors(object: &[u8]) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    let mut at = OBJECT_MAGIC.len() + 4;
    while at < object.len() {
        let section = *object.get(at)?;
        let (from, to) = payload(object, at + 1)?;
        at = to;
        if section != 0 {
            continue;
        }
        let (name, after) = payload(object, from)?;
        if object.get(name..after)? != b"linking" {
            continue;
        }
        let (_version, mut at) = number(object, after)?;
        while at < to {
            let (_, end) = payload(object, at + 1)?;
            if object[at] == INIT_FUNCS {
                found.push(at);
            }
            at = end;
        }
    }
    Some(found)
}

/// Returns where the bytes behind a length begin and end.
fn payload(object: &[u8], at: usize) -> Option<(usize, usize)> {
    let (length, from) = number(object, at)?;
    let to = from.checked_add(length)?;
    (to <= object.len()).then_some((from, to))
}

/// Returns the LEB128 number at a place, and what follows it.
fn number(object: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = usize::from(*object.get(at)?);
        at += 1;
        value |= (byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value, at));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an object with a section of code, and a list of symbols (type 8) and one of constructors.
    fn object() -> Vec<u8> {
        let linking = [
            &b"\x07linking\x02"[..],
            b"\x08\x01\x06",
            b"\x06\x03\x01\x06\x00",
        ]
        .concat();
        let code = [&[10, 200, 1][..], &[6; 200]].concat();
        let custom = [&[0, linking.len() as u8][..], &linking].concat();
        [&b"\0asm\x01\0\0\0"[..], &code, &custom].concat()
    }

    fn archive(members: &[&[u8]]) -> Vec<u8> {
        let mut archive = ARCHIVE_MAGIC.to_vec();
        for member in members {
            archive.extend(format!("{:<48}{:<10}`\n", "a.o/", member.len()).bytes());
            archive.extend(*member);
            archive.resize(archive.len().next_multiple_of(2), b'\n');
        }
        archive
    }

    #[test]
    fn lists_of_constructors_are_skipped_and_nothing_else() {
        let (object, other) = (object(), b"metadata\x06".to_vec());
        let mut linked = archive(&[&other, &object, &object]);
        let before = linked.clone();
        assert_eq!(without_constructors(&mut linked).unwrap(), 2);
        let changed: Vec<_> = (before.iter().zip(&linked))
            .filter(|(before, after)| before != after)
            .collect();
        assert_eq!(changed, [(&INIT_FUNCS, &SKIPPED); 2]);
        assert_eq!(without_constructors(&mut linked).unwrap(), 0);
    }

    #[test]
    fn broken_files_are_refused() {
        let whole = archive(&[&object()]);
        assert!(without_constructors(&mut b"no archive".to_vec()).is_err());
        for end in [whole.len() - 6, ARCHIVE_MAGIC.len() + HEADER + 20] {
            assert!(without_constructors(&mut whole[..end].to_vec()).is_err());
        }
        let object = object();
        for end in OBJECT_MAGIC.len() + 5..object.len() {
            let whole_sections = end == OBJECT_MAGIC.len() + 4 + 203;
            assert_eq!(
                constructors(&object[..end]).is_some(),
                whole_sections,
                "{end}"
            );
        }
    }

    #[test]
    fn only_the_compilers_archives_are_copied() {
        let is = |path| is_compilers(Path::new(path));
        assert!(is("/target/deps/libpliron-763bc315609a8446.rlib"));
        assert!(is("libcubecl_ir-dfda7ec21df9587b.rlib"));
        for other in [
            "libcubecl_server-1.rlib",
            "libpliron.rmeta",
            "pliron-1.rlib",
            "libhearth-1.rlib",
        ] {
            assert!(!is(other), "{other}");
        }
        let copies = Copies::new().unwrap();
        let folder = copies.0.clone();
        let path = folder.join("libpliron-1.rlib");
        fs::write(&path, archive(&[&object()])).unwrap();
        fs::create_dir_all(folder.join("copies")).unwrap();
        let inner = Copies(folder.join("copies"));
        let list = folder.join("list");
        fs::write(
            &list,
            format!("--gc-sections\na\\ b\\\\c\n{}\n", path.display()),
        )
        .unwrap();
        let new = inner.of(format!("@{}", list.display()).into()).unwrap();
        let new = fs::read_to_string(new.to_str().unwrap().strip_prefix('@').unwrap()).unwrap();
        let copy = folder.join("copies/libpliron-1.rlib");
        assert_eq!(
            new,
            format!("--gc-sections\na\\ b\\\\c\n{}\n", copy.display())
        );
        assert_ne!(fs::read(copy).unwrap(), fs::read(path).unwrap());
        drop(inner);
        assert!(!folder.join("copies").exists());
    }
}
