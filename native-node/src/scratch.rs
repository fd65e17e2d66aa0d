//! A directory that is gone when its owner is: for tests and the demo.

use std::path::{Path, PathBuf};

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
        // Nothing hangs on what is left of it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
