//! What the programs of this crate share as processes: logs, signals, where data lives.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

/// Sets the log's filter; names of modules as in the sources.
const FILTER_VARIABLE: &str = "WIREMIN_LOG";
/// The WebRTC crates write addresses into their logs, so they are silent unless asked.
const FILTER_DEFAULT: &str = "off,native_node=info,wiremin_relay=info,wiremin=info";

/// Logs go to standard error.
pub fn start_log() {
    let filter = match std::env::var(FILTER_VARIABLE) {
        Ok(level) if ["trace", "debug", "info", "warn", "error"].contains(&level.as_str()) => {
            FILTER_DEFAULT.replace("info", &level)
        }
        Ok(filter) => filter,
        Err(_) => FILTER_DEFAULT.to_owned(),
    };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(FILTER_DEFAULT));
    // It was started before: then that one stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}

/// What the tasks of a relay run on: one thread, as the core does, so that an object on its way
/// from link to core to link wakes no other one. Store, puzzles and name look-ups have threads of
/// their own.
pub fn relay_runtime() -> std::io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build()
}

/// Says that there is no runtime, and why.
pub fn no_runtime(error: &std::io::Error) -> ExitCode {
    eprintln!(
        "The system refuses threads ({error}). Nothing was changed. Close other programs and start \
         again."
    );
    ExitCode::FAILURE
}

/// Comes back when the process is asked to end.
pub async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let terminate = signal(SignalKind::terminate());
        let interrupt = signal(SignalKind::interrupt());
        if let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // No signals on this system: the process is ended from outside.
        std::future::pending::<()>().await;
    }
}

/// Ends in good order, unless the process is asked to end once more meanwhile: then at once. What
/// was answered as stored is on the disk.
pub async fn end(in_order: impl Future<Output = ()>) {
    tokio::select! {
        () = in_order => {}
        () = asked_to_end() => {
            tracing::warn!("ended at once");
            std::process::exit(1);
        }
    }
}

/// Comes back at the end of standard input. It is read on a thread of its own, which does not keep
/// the process from ending.
pub async fn stdin_ended() {
    let (sender, ended) = tokio::sync::oneshot::channel();
    let read = move || {
        // An input that cannot be read has ended, too.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = sender.send(());
    };
    match std::thread::Builder::new().name("stdin".into()).spawn(read) {
        Ok(_) => drop(ended.await),
        Err(_) => std::future::pending().await,
    }
}

/// The user's directory for a program's data, such as `~/.local/share/wiremin/relay`.
pub fn data_dir(purpose: &str) -> Option<PathBuf> {
    let set = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let base = if cfg!(windows) {
        set("LOCALAPPDATA")?
    } else if cfg!(target_os = "macos") {
        set("HOME")?.join("Library/Application Support")
    } else {
        set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")))?
    };
    Some(base.join("wiremin").join(purpose))
}
