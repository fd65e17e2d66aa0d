//! `wiremin relay`: becomes the relay's own program. The two are apart so that a relay does not
//! contain the code that could read messages.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Name of the relay's program, beside this one.
const PROGRAM: &str = if cfg!(windows) {
    "wiremin-relay.exe"
} else {
    "wiremin-relay"
};

/// Where the relay's program should be.
pub fn program() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(PROGRAM))
}

/// Why there is no relay to start, for people.
pub fn missing(path: &std::path::Path, cause: &std::io::Error) -> String {
    format!(
        "The relay's program cannot be started: {} ({cause}). Nothing was changed. Build it with \
         `make relay`, or put wiremin-relay beside wiremin.",
        path.display()
    )
}

pub fn relay(arguments: &[OsString]) -> ExitCode {
    let path = match program() {
        Ok(path) => path,
        Err(error) => {
            eprintln!("{}", missing(PROGRAM.as_ref(), &error));
            return ExitCode::FAILURE;
        }
    };
    let mut command = Command::new(&path);
    command.args(arguments);
    let error = become_it(&mut command);
    match error {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", missing(&path, &error));
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
fn become_it(command: &mut Command) -> std::io::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

#[cfg(not(unix))]
fn become_it(command: &mut Command) -> std::io::Result<ExitCode> {
    let code = command
        .status()?
        .code()
        .and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
