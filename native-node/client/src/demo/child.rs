//! The demo's processes: each has pipes, and bounds on how long it is waited for.
//!
//! Invariant: a child is killed when its value is dropped, and ends by itself when the demo is
//! killed (its standard input closes).

use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// Only a bound on hanging: proof-of-work on a slow or busy machine takes long.
const PATIENCE: Duration = Duration::from_secs(180);

pub type Lines = tokio::io::Lines<BufReader<ChildStdout>>;

pub fn spawn(command: &mut tokio::process::Command) -> std::io::Result<(Child, ChildStdin, Lines)> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()?;
    let gone = || std::io::Error::other("its pipes are missing");
    let stdin = child.stdin.take().ok_or_else(gone)?;
    let stdout = child.stdout.take().ok_or_else(gone)?;
    Ok((child, stdin, BufReader::new(stdout).lines()))
}

pub async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, wait)
        .await
        .map_err(|_| format!("{what} did not happen in {} s.", PATIENCE.as_secs()))
}
