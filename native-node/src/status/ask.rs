//! Asking the relay of a directory how it is.

use super::Report;
use super::door::{bearer, find};
use crate::http::get::{GetError, get};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Longest answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why there is no report. Texts say what happened and what to do.
#[derive(Debug)]
pub enum AskError {
    NoDirectory {
        path: PathBuf,
    },
    /// There is no relay's key in it.
    NotARelay {
        path: PathBuf,
    },
    NotRunning {
        path: PathBuf,
    },
    Forbidden {
        path: PathBuf,
    },
    Unreadable {
        path: PathBuf,
        cause: io::Error,
    },
    /// It was there, and nobody answers any more.
    Silent {
        path: PathBuf,
        at: SocketAddr,
        cause: String,
    },
    /// Something is there, and takes too long.
    Late {
        path: PathBuf,
        at: SocketAddr,
    },
    /// It is ending, or many ask it.
    Busy {
        path: PathBuf,
    },
    /// Something else answers there.
    Stranger {
        path: PathBuf,
        at: SocketAddr,
    },
}

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoDirectory { path } => write!(
                f,
                "There is no directory {}, so no relay runs with it. Nothing was changed. Name \
                 the relay's directory with --data (it says it at its start), or start one: \
                 wiremin-relay",
                path.display()
            ),
            Self::NotARelay { path } => write!(
                f,
                "{} is not the directory of a relay: it has no relay.key. Nothing was changed. \
                 Name the relay's directory with --data; the relay says it at its start.",
                path.display()
            ),
            Self::NotRunning { path } => write!(
                f,
                "No relay runs with the directory {0}: there is no relay.status in it. What it \
                 stored is safe. Start it: wiremin-relay --data {0} (if that says that the \
                 directory is in use, end what uses it first: its status file was lost)",
                path.display()
            ),
            Self::Forbidden { path } => write!(
                f,
                "{} belongs to another user of this machine, and only who runs a relay is shown \
                 its state. Nothing was changed. Ask as that user, or name the directory of your \
                 own relay with --data.",
                path.display()
            ),
            Self::Unreadable { path, cause } => write!(
                f,
                "The relay's status file in {} cannot be read ({cause}). What the relay stored is \
                 safe. End the relay if it runs, and start it again: it writes the file anew.",
                path.display()
            ),
            Self::Silent { path, at, cause } => write!(
                f,
                "The relay of {} does not answer at {at} ({cause}): it was killed. What it stored \
                 is safe. Start it again.",
                path.display()
            ),
            Self::Late { path, at } => write!(
                f,
                "The relay of {} does not answer at {at} within 5 s: it hangs, or the machine is \
                 very busy. What it stored is safe. Ask again in a minute; if it stays so, end \
                 the relay and start it again.",
                path.display()
            ),
            Self::Busy { path } => write!(
                f,
                "The relay of {} is ending, or many ask it at once. What it stored is safe. Ask \
                 again in some seconds.",
                path.display()
            ),
            Self::Stranger { path, at } => write!(
                f,
                "What answers at {at} does not take the status file of {} for its own: the relay \
                 was killed and another program has its port, or the file is not of its last \
                 start, or it is of another version. What it stored is safe. End the relay if it \
                 runs, and start it again.",
                path.display()
            ),
        }
    }
}

impl std::error::Error for AskError {}

/// The report of the relay that runs with that data directory.
pub async fn ask(data: &Path) -> Result<Report, AskError> {
    let path = data.to_owned();
    let way = match find(data) {
        Ok(Some(way)) => way,
        Ok(None) => return Err(absent(path)),
        Err(cause) => return Err(unreadable(path, cause)),
    };
    let at = way.at;
    let (host, token) = (at.to_string(), bearer(&way.token));
    match get(&host, "/status", Some(&token), ANSWER_BYTES_MAX).await {
        Ok((200, body)) => {
            let report = serde_json::from_slice::<Report>(&body);
            report
                .map(Report::shown)
                .map_err(|_| AskError::Stranger { path, at })
        }
        Ok((503, _)) => Err(AskError::Busy { path }),
        Ok(_) | Err(GetError::TooLong) => Err(AskError::Stranger { path, at }),
        Err(GetError::Late) => Err(AskError::Late { path, at }),
        Err(GetError::NoAnswer(cause)) => Err(AskError::Silent { path, at, cause }),
    }
}

fn absent(path: PathBuf) -> AskError {
    let there = |path: &Path| match path.try_exists() {
        Ok(there) => Ok(there),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    };
    match (there(&path), there(&path.join("relay.key"))) {
        (Err(cause), _) | (_, Err(cause)) => unreadable(path, cause),
        (Ok(false), _) => AskError::NoDirectory { path },
        (_, Ok(false)) => AskError::NotARelay { path },
        (Ok(true), Ok(true)) => AskError::NotRunning { path },
    }
}

pub(super) fn unreadable(path: PathBuf, cause: io::Error) -> AskError {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => AskError::Forbidden { path },
        // A file in the place of the directory, or of one above it.
        io::ErrorKind::NotADirectory => AskError::NoDirectory { path },
        _ => AskError::Unreadable { path, cause },
    }
}
