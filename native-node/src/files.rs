//! Small secret files: owner-only rights, replaced whole or not at all.
//!
//! Invariant: at no moment can another user of the machine read one, and a crash leaves the old
//! content or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Longest file read back; a longer one is not ours.
const BYTES_MAX: u64 = 16_384;

/// Makes the directory, and those above it, for the owner alone. In one that is there already and
/// where every user of the machine may write, they could put keys of theirs in the place of ours:
/// that right is taken away, and a directory that is meant to be everybody's, as `/tmp`, is
/// refused.
pub fn make_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)?;
    guard(path)
}

#[cfg(unix)]
fn guard(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(dir)?.permissions().mode();
    if mode & 0o002 == 0 {
        return Ok(());
    }
    if mode & 0o1000 != 0 {
        let why = "it is a directory for everybody on this machine; one of your own in it will do";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    tracing::warn!(dir = %dir.display(), "every user could write there; not any more");
    fs::set_permissions(dir, fs::Permissions::from_mode(mode & 0o7775))
}

#[cfg(not(unix))]
fn guard(_: &Path) -> io::Result<()> {
    Ok(())
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Makes an empty file with owner-only rights, unless there is one already.
pub fn touch(path: &Path) -> io::Result<()> {
    match owner_only().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// Where a file is made before it gets this name.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    path.with_file_name(name)
}

/// Replaces the file's content; durable when this returns.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path);
    // Left behind by a crash.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = (|| {
        let mut file = owner_only().write(true).create_new(true).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        rename(&new, path)
    })();
    if written.is_err() {
        // It may hold half a secret; that it could not be written is what is reported.
        let _ = fs::remove_file(&new);
    }
    written
}

/// Gives a file that is on the disk its name; durable when this returns.
pub fn rename(new: &Path, path: &Path) -> io::Result<()> {
    fs::rename(new, path)?;
    sync_dir(path)
}

/// The file's content; `None` when there is no such file. Takes rights of others away.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    restrict(&file, path)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file is too long",
        ));
    }
    Ok(Some(bytes))
}

#[cfg(unix)]
fn restrict(file: &File, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "others could read a secret file; not any more");
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn restrict(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Overwrites and removes the file, if there is one, and what a crash while writing it left.
pub fn destroy(path: &Path) -> io::Result<()> {
    let left = overwrite_and_remove(&beside(path));
    overwrite_and_remove(path).and(left)
}

fn overwrite_and_remove(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    // Helps on disks that write in place; elsewhere removing it is all that can be done.
    let length = usize::try_from(file.metadata()?.len().min(BYTES_MAX)).unwrap_or(0);
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    fs::remove_file(path)?;
    sync_dir(path)
}

#[cfg(unix)]
fn sync_dir(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn dir() -> crate::scratch::Scratch {
        crate::scratch::Scratch::new("files").unwrap()
    }

    #[test]
    fn it_is_replaced_whole_and_destroyed() {
        let dir = dir();
        let path = dir.path().join("key");
        assert_eq!(read(&path).unwrap(), None);
        write(&path, b"first").unwrap();
        // As a crash between writing and renaming leaves it.
        fs::write(beside(&path), b"half").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"first");
        write(&path, b"second").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"second");
        assert!(!beside(&path).exists());
        fs::write(beside(&path), b"third").unwrap();
        destroy(&path).unwrap();
        assert!(!beside(&path).exists());
        destroy(&path).unwrap();
        assert_eq!(read(&path).unwrap(), None);
    }

    #[test]
    fn a_long_file_is_refused() {
        let dir = dir();
        let path = dir.path().join("key");
        fs::write(&path, vec![1; 20_000]).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = dir();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = dir.path().join("key");
        write(&path, b"secret").unwrap();
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"secret");
        assert_eq!(mode(&path), 0o600);
        make_dir(&dir.path().join("a/b")).unwrap();
        assert_eq!(mode(&dir.path().join("a/b")), 0o700);
        let open = dir.path().join("open");
        make_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        make_dir(&open).unwrap();
        assert_eq!(mode(&open), 0o775);
        // As /tmp is.
        fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
        let refused = make_dir(&open).unwrap_err();
        assert!(refused.to_string().contains("everybody"), "{refused}");
        assert_eq!(mode(&open), 0o777);
        make_dir(&open.join("own")).unwrap();
        let store = dir.path().join("store");
        touch(&store).unwrap();
        assert_eq!(mode(&store), 0o600);
    }
}
