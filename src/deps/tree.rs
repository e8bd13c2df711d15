//! The files of a package: whether they may be installed, and their hash.

use crate::project::hexadecimal;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// What stands in a tree, directories left out, in order of its path.
struct Entry {
    /// With `/` between its parts.
    path: String,
    location: PathBuf,
    is_link: bool,
}

/// What makes a tree unfit to be installed, if anything does: a link that leads out of it or nowhere, something that is
/// neither file nor directory, a name that is no text.
pub(super) fn objection(root: &Path) -> io::Result<Option<String>> {
    let inner = root.canonicalize()?;
    for entry in WalkDir::new(root).min_depth(1) {
        let entry = entry?;
        let Ok(path) = entry.path().strip_prefix(root) else { continue };
        let kind = entry.file_type();
        if path.to_str().is_none() {
            return Ok(Some(format!("the name of `{}` is no UTF-8", path.display())));
        }
        if kind.is_symlink() {
            match entry.path().canonicalize() {
                Ok(target) if target.starts_with(&inner) => {}
                Ok(_) => return Ok(Some(format!("the link `{}` leads out of it", path.display()))),
                Err(_) => return Ok(Some(format!("the link `{}` leads nowhere", path.display()))),
            }
        } else if !kind.is_file() && !kind.is_dir() {
            return Ok(Some(format!("`{}` is neither a file nor a directory", path.display())));
        }
    }
    Ok(None)
}

/// SHA-256 over paths and contents of all files and links, hexadecimal. Directories count only by what is in them.
pub(super) fn hash(root: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    for entry in entries(root)? {
        // Lengths stand before each part, so that no two trees give the same sequence of bytes.
        let mut part = |kind: u8, length: u64| {
            hasher.update([kind]);
            hasher.update(length.to_be_bytes());
        };
        part(if entry.is_link { b'l' } else { b'f' }, entry.path.len() as u64);
        hasher.update(entry.path.as_bytes());
        if entry.is_link {
            let target = fs::read_link(&entry.location)?.to_string_lossy().into_owned();
            hasher.update((target.len() as u64).to_be_bytes());
            hasher.update(target.as_bytes());
            continue;
        }
        let mut file = File::open(&entry.location)?;
        hasher.update(file.metadata()?.len().to_be_bytes());
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
    }
    Ok(hexadecimal(&hasher.finalize()))
}

fn entries(root: &Path) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(root).min_depth(1) {
        let entry = entry?;
        if entry.file_type().is_dir() {
            continue;
        }
        let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        let (path, is_link) = (parts.join("/"), entry.file_type().is_symlink());
        found.push(Entry { path, location: entry.into_path(), is_link });
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Copies a directory with all that is in it; what links lead to is copied in their place.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in WalkDir::new(from).follow_links(true) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        if entry.file_type().is_dir() {
            fs::create_dir_all(target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        directory
    }

    #[test]
    fn the_hash_depends_on_paths_and_contents_only() {
        let hash_of = |files: &[(&str, &str)]| hash(tree(files).path()).expect("readable");
        let one = hash_of(&[("a/b.sql", "1"), ("c", "2")]);
        assert_eq!(one.len(), 64);
        assert_eq!(one, hash_of(&[("c", "2"), ("a/b.sql", "1")]));
        for other in [
            hash_of(&[("a/b.sql", "1"), ("c", "3")]),
            hash_of(&[("a/b.sql", "1"), ("d", "2")]),
            hash_of(&[("a/b.sql", "12"), ("c", "")]),
            hash_of(&[("a/b.sql", "1")]),
            hash_of(&[("a", "b.sql"), ("c", "2")]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_within() {
        use std::os::unix::fs::symlink;
        let directory = tree(&[("a/b.sql", "1")]);
        let root = directory.path();
        symlink("a/b.sql", root.join("fine")).expect("a link");
        assert_eq!(objection(root).expect("readable"), None);
        let plain = hash(root).expect("readable");
        // Each step stays inside by its letters; only following them shows where they lead.
        symlink(".", root.join("here")).expect("a link");
        symlink("here/..", root.join("out")).expect("a link");
        assert_eq!(objection(root).expect("readable").as_deref(), Some("the link `out` leads out of it"));
        assert_ne!(plain, hash(root).expect("readable"));
        fs::remove_file(root.join("out")).expect("removed");
        symlink("gone", root.join("dangling")).expect("a link");
        assert_eq!(objection(root).expect("readable").as_deref(), Some("the link `dangling` leads nowhere"));
    }
}
