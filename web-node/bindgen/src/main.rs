//! Turns the compiled browser peer into an ES module: `bindgen INPUT.wasm OUT_DIR`.
//!
//! The same work as the `wasm-bindgen` command with `--target web`, from its library, so that the
//! version is locked with everything else. Files whose content stays the same are not touched:
//! their times tell the page's build whether it has anything to do.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

/// Name of the module: `OUT_DIR/web_node.js` and `OUT_DIR/web_node_bg.wasm`.
const MODULE_NAME: &str = "web_node";

/// Why no module was made.
enum BindgenError {
    Usage,
    NoInput { path: PathBuf },
    Bindgen { path: PathBuf, cause: String },
    File { path: PathBuf, cause: io::Error },
}

impl fmt::Display for BindgenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage => write!(f, "usage: bindgen INPUT.wasm OUT_DIR"),
            Self::NoInput { path } => {
                write!(f, "{} is not there: build web-node first", path.display())
            }
            Self::Bindgen { path, cause } => {
                write!(
                    f,
                    "{} can't be turned into a module: {cause}",
                    path.display()
                )
            }
            Self::File { path, cause } => write!(f, "{}: {cause}", path.display()),
        }
    }
}

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1).collect()) {
        Ok(changed) => {
            println!("bindgen: {changed} files changed");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bindgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<OsString>) -> Result<usize, BindgenError> {
    let [input, out_dir] = arguments.as_slice() else {
        return Err(BindgenError::Usage);
    };
    let (input, out_dir) = (Path::new(input), Path::new(out_dir));
    if !input.is_file() {
        return Err(BindgenError::NoInput {
            path: input.to_path_buf(),
        });
    }
    let fresh_dir = out_dir.with_extension("new");
    remove_dir(&fresh_dir)?;
    generate(input, &fresh_dir)?;
    let changed = update_dir(&fresh_dir, out_dir)?;
    remove_dir(&fresh_dir)?;
    Ok(changed)
}

fn generate(input: &Path, out_dir: &Path) -> Result<(), BindgenError> {
    let bindgen_error = |cause: anyhow::Error| BindgenError::Bindgen {
        path: input.to_path_buf(),
        cause: format!("{cause:#}"),
    };
    Bindgen::new()
        .web(true)
        .map_err(bindgen_error)?
        .input_path(input)
        .out_name(MODULE_NAME)
        // The module finds the .wasm beside itself.
        .omit_default_module_path(false)
        .typescript(true)
        .remove_producers_section(true)
        // Panics name their file and line; names of functions are a sixth of the file.
        .remove_name_section(true)
        .generate(out_dir)
        .map_err(bindgen_error)
}

/// Copies what differs from `fresh` to `out`; returns the number of files changed.
fn update_dir(fresh: &Path, out: &Path) -> Result<usize, BindgenError> {
    fs::create_dir_all(out).map_err(at(out))?;
    let mut changed = 0;
    for name in names(fresh)? {
        let (old, new) = (out.join(&name), fresh.join(&name));
        if new.is_dir() {
            changed += update_dir(&new, &old)?;
            continue;
        }
        let content = fs::read(&new).map_err(at(&new))?;
        if fs::read(&old).ok().as_ref() != Some(&content) {
            fs::write(&old, content).map_err(at(&old))?;
            changed += 1;
        }
    }
    Ok(changed)
}

fn names(dir: &Path) -> Result<Vec<OsString>, BindgenError> {
    let entries = fs::read_dir(dir).map_err(at(dir))?;
    entries
        .map(|entry| Ok(entry.map_err(at(dir))?.file_name()))
        .collect()
}

fn remove_dir(dir: &Path) -> Result<(), BindgenError> {
    match fs::remove_dir_all(dir) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(at(dir)(cause)),
        _ => Ok(()),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> BindgenError + '_ {
    move |cause| BindgenError::File {
        path: path.to_path_buf(),
        cause,
    }
}
