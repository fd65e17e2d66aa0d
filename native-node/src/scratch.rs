//! A directory that is gone when its owner is: for tests and the demo.

use std::path::{Path, PathBuf};

/// Attempts to remove it.
const TRIES: usize = 25;

/// A new directory below the system's temporary one, for the owner alone.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// `purpose` is part of its name.
    pub fn new(purpose: &str) -> std::io::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let name = format!("wiremin-{purpose}-{:016x}", u64::from_le_bytes(random));
        let path = std::env::temp_dir().join(name);
        crate::files::make_dir(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A process that is being killed may still write into it for a moment.
        for _ in 0..TRIES {
            match std::fs::remove_dir_all(&self.0) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                _ => return,
            }
        }
        tracing::warn!(directory = %self.0.display(), "left behind: it could not be removed");
    }
}
