//! Unpacking archives from strangers: nothing is written outside the directory, and nothing without end.

use flate2::read::MultiGzDecoder;
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use tar::EntryType;

/// What an archive may hold at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes, unpacked.
    pub(super) bytes: u64,
    /// Files, directories and links.
    pub(super) entries: usize,
}

/// Far more than any package has.
pub(super) const LIMITS: Limits = Limits { bytes: 1 << 30, entries: 100_000 };

/// Why an archive was not unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is no archive, or a broken one.
    Broken(String),
    /// It would do harm.
    Unsafe(String),
}

/// A symbolic link that is made after all files.
struct Link {
    at: PathBuf,
    target: PathBuf,
}

/// Unpacks a `.tar.gz` into a new directory. Gives the one directory in it.
pub(super) fn unpack(archive: impl Read, into: &Path, limits: Limits) -> Result<PathBuf, Refused> {
    let exceeded = Rc::new(Cell::new(false));
    let reader = Limited { inner: MultiGzDecoder::new(archive), left: limits.bytes, exceeded: Rc::clone(&exceeded) };
    let unpacked = write_entries(reader, into, limits);
    if exceeded.get() {
        let size = match limits.bytes >> 20 {
            0 => format!("{} bytes", limits.bytes),
            megabytes => format!("{megabytes} MB"),
        };
        return Err(Refused::Unsafe(format!("unpacked it is larger than {size}")));
    }
    // Links come last, so that no file is ever written through one.
    for link in unpacked? {
        symlink(&link.target, &link.at)
            .map_err(|cause| Refused::Broken(format!("the link `{}` cannot be made: {cause}", link.at.display())))?;
    }
    only_directory(into)
}

fn write_entries(reader: impl Read, into: &Path, limits: Limits) -> Result<Vec<Link>, Refused> {
    let broken = |cause: io::Error| Refused::Broken(cause.to_string());
    fs::create_dir_all(into).map_err(broken)?;
    let mut archive = tar::Archive::new(reader);
    let mut links = Vec::new();
    for (index, entry) in archive.entries().map_err(broken)?.enumerate() {
        if index >= limits.entries {
            return Err(Refused::Unsafe(format!("it holds more than {} files", limits.entries)));
        }
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.into_owned();
        let kind = entry.header().entry_type();
        // What a tool notes about the whole archive, such as the commit.
        if matches!(kind, EntryType::XGlobalHeader | EntryType::XHeader) {
            continue;
        }
        let Some(at) = inside(&name).map(|path| into.join(path)) else {
            return Err(Refused::Unsafe(format!("`{}` leads out of the archive's directory", name.display())));
        };
        if let Some(parent) = at.parent().filter(|_| at != into) {
            fs::create_dir_all(parent).map_err(broken)?;
        }
        let target = entry.link_name().map_err(broken)?.map(std::borrow::Cow::into_owned);
        match (kind, target) {
            (EntryType::Directory, _) => fs::create_dir_all(&at).map_err(broken)?,
            (EntryType::Regular | EntryType::Continuous, _) => {
                let mut file = File::create(&at).map_err(broken)?;
                io::copy(&mut entry, &mut file).map_err(broken)?;
            }
            (EntryType::Symlink, Some(target)) => links.push(Link { at, target }),
            (EntryType::Link, Some(target)) => {
                let Some(original) = inside(&target).map(|path| into.join(path)) else {
                    return Err(Refused::Unsafe(format!("the link `{}` leads out of it", name.display())));
                };
                fs::copy(original, &at).map_err(broken)?;
            }
            _ => return Err(Refused::Unsafe(format!("`{}` is neither a file nor a directory", name.display()))),
        }
    }
    Ok(links)
}

/// The one directory that a package's archive has at its top.
fn only_directory(into: &Path) -> Result<PathBuf, Refused> {
    let entries = fs::read_dir(into).map_err(|cause| Refused::Broken(cause.to_string()))?;
    let found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    match found.as_slice() {
        [only] if fs::symlink_metadata(only).is_ok_and(|data| data.is_dir()) => Ok(only.clone()),
        _ => Err(Refused::Broken("an archive of a package has one directory at its top, which holds all".to_owned())),
    }
}

/// A path of an archive without `.`; none if it is absolute or goes up.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

#[cfg(unix)]
pub(super) fn symlink(target: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

#[cfg(windows)]
pub(super) fn symlink(target: &Path, at: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_dir(target, at)
}

/// Reads up to a limit, and remembers that there was more.
struct Limited<R> {
    inner: R,
    left: u64,
    exceeded: Rc<Cell<bool>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let Some(left) = self.left.checked_sub(read as u64) else {
            self.exceeded.set(true);
            return Err(io::Error::other("too large"));
        };
        self.left = left;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    /// An archive of entries: kind, name as it is, and content or target.
    fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (kind, name, content) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            // Written by hand: the library's own way refuses names that this must refuse itself.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            let is_file = *kind == EntryType::Regular;
            if !is_file {
                header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
            }
            header.set_size(if is_file { content.len() as u64 } else { 0 });
            header.set_cksum();
            builder.append(&header, if is_file { content.as_bytes() } else { &[] }).expect("in memory");
        }
        builder.into_inner().and_then(GzEncoder::finish).expect("in memory")
    }

    fn unpacked(entries: &[(EntryType, &str, &str)]) -> (tempfile::TempDir, Result<PathBuf, Refused>) {
        let directory = tempfile::tempdir().expect("a directory");
        let result = unpack(archive(entries).as_slice(), &directory.path().join("in/here"), LIMITS);
        (directory, result)
    }

    #[test]
    fn files_directories_and_links_within_are_written() {
        let (_directory, result) = unpacked(&[
            (EntryType::XGlobalHeader, "pax_global_header", ""),
            (EntryType::Directory, "utils-1.0/", ""),
            (EntryType::Regular, "utils-1.0/macros/a.sql", "select 1"),
            (EntryType::Symlink, "utils-1.0/b.sql", "macros/a.sql"),
            (EntryType::Link, "utils-1.0/c.sql", "utils-1.0/macros/a.sql"),
        ]);
        let top = result.expect("fine");
        assert!(top.ends_with("utils-1.0"));
        for name in ["macros/a.sql", "b.sql", "c.sql"] {
            assert_eq!(fs::read_to_string(top.join(name)).expect(name), "select 1");
        }
    }

    #[test]
    fn nothing_is_written_outside() {
        let attacks: [&[(EntryType, &str, &str)]; 6] = [
            &[(EntryType::Regular, "../evil", "x")],
            &[(EntryType::Regular, "a/../../../evil", "x")],
            &[(EntryType::Regular, "/tmp/strata_evil", "x")],
            &[(EntryType::Link, "a/passwd", "/etc/passwd")],
            &[(EntryType::Char, "a/null", "")],
            &[(EntryType::Fifo, "a/pipe", "")],
        ];
        for attack in attacks {
            let (directory, result) = unpacked(attack);
            assert!(matches!(result, Err(Refused::Unsafe(_))), "{attack:?}: {result:?}");
            let outside: Vec<_> = walkdir::WalkDir::new(directory.path())
                .into_iter()
                .flatten()
                .filter(|entry| entry.file_type().is_file())
                .collect();
            assert!(outside.is_empty(), "{outside:?}");
        }
        assert!(!Path::new("/tmp/strata_evil").exists());
    }

    #[test]
    fn no_file_is_written_through_a_link() {
        let (directory, result) =
            unpacked(&[(EntryType::Symlink, "a/out", "../../.."), (EntryType::Regular, "a/out/evil", "x")]);
        assert!(!directory.path().join("evil").exists());
        // The file took the link's place as a directory, so the link cannot be made.
        assert!(matches!(result, Err(Refused::Broken(_))), "{result:?}");
    }

    #[test]
    fn bombs_are_stopped() {
        let large = "x".repeat(5000);
        let bytes = archive(&[(EntryType::Regular, "a/one", &large), (EntryType::Regular, "a/two", "x")]);
        let refused = |limits: Limits| {
            let directory = tempfile::tempdir().expect("a directory");
            unpack(bytes.as_slice(), &directory.path().join("in"), limits).expect_err("too much")
        };
        let too_large = refused(Limits { bytes: 4096, entries: 9 });
        assert_eq!(too_large, Refused::Unsafe("unpacked it is larger than 4096 bytes".to_owned()));
        let too_many = refused(Limits { bytes: 1 << 20, entries: 1 });
        assert_eq!(too_many, Refused::Unsafe("it holds more than 1 files".to_owned()));
    }

    #[test]
    fn what_is_no_archive_of_a_package_is_broken() {
        let directory = tempfile::tempdir().expect("a directory");
        let web_page: &[u8] = b"<html>not found</html>";
        assert!(matches!(unpack(web_page, directory.path(), LIMITS), Err(Refused::Broken(_))));
        let (_directory, two) = unpacked(&[(EntryType::Regular, "a/x", "1"), (EntryType::Regular, "b/x", "1")]);
        assert!(matches!(two, Err(Refused::Broken(_))), "{two:?}");
        let whole = archive(&[(EntryType::Regular, "a/x", "1")]);
        assert!(matches!(unpack(&whole[..whole.len() / 2], directory.path(), LIMITS), Err(Refused::Broken(_))));
    }
}
