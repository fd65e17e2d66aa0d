//! The store seam of `shared::io` over redb, in a thread of its own.
//!
//! Invariant: batches are applied in the order they came, each whole or not at all, and a durable
//! one is answered only after its commit is on disk. Batches that wait together share one commit,
//! and so do those that follow each other within a few milliseconds: a commit costs as much as the
//! rows of some dozens of objects.

mod ahead;
mod file;
#[cfg(test)]
mod full_disk_tests;
#[cfg(test)]
mod tests;

use file::StoreFile;
use shared::io::{Batch, Query, Row, StoreError, Token};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Batches in one commit.
const GROUP_MAX: usize = 1_024;
/// From the beginning of one commit to that of the next: after a pause there is no wait.
const COMMIT_EVERY: Duration = Duration::from_millis(10);
/// Nor is there one for this many changes.
const COMMIT_CHANGES: usize = 256;
/// What was saved without being durable becomes so after a pause of this length.
const SETTLE: Duration = Duration::from_secs(1);
/// Or when this many batches wait for it.
const UNSETTLED_MAX: usize = 64;

/// What a node asks of its store.
#[derive(Debug)]
pub enum StoreRequest {
    Load { token: Token, query: Query },
    Save { token: Token, batch: Batch },
    Erase { token: Token },
}

/// The store's answer.
#[derive(Debug)]
pub enum StoreAnswer {
    Loaded { token: Token, rows: Vec<Row> },
    Saved { token: Token },
    Failed { token: Token, error: StoreError },
}

/// Why a store could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it.
    InUse,
    /// The file is not a store of ours, or was damaged.
    Damaged(String),
    /// The disk is full, or the directory cannot be written.
    Disk(String),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InUse => f.write_str(
                "The data directory is in use by another process. Nothing was changed. \
                 Stop that process, or choose another directory with --data.",
            ),
            Self::Damaged(cause) => write!(
                f,
                "The database cannot be read ({cause}). It was left as it is. \
                 Restore it from a backup, or choose another directory with --data."
            ),
            Self::Disk(cause) => write!(
                f,
                "The data directory cannot be used ({cause}). Nothing was changed. \
                 Free some space or check its permissions."
            ),
        }
    }
}

impl std::error::Error for OpenError {}

/// A running store. Dropping it finishes what was asked before.
pub struct Store {
    requests: Option<mpsc::Sender<StoreRequest>>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens or creates the file and starts the thread. `answer` is called on it, in order.
    pub fn open(
        path: &Path,
        answer: impl Fn(StoreAnswer) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let mut file = StoreFile::open(path)?;
        let (requests, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || serve(&mut file, &queue, &answer))
            .map_err(|error| OpenError::Disk(error.to_string()))?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    /// Hands a request to the thread and does not wait: a node bounds what it has under way.
    pub fn request(&self, request: StoreRequest) {
        if let Some(requests) = &self.requests {
            // The thread ends only after this sender is gone.
            let _ = requests.send(request);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    file: &mut StoreFile,
    queue: &mpsc::Receiver<StoreRequest>,
    answer: &impl Fn(StoreAnswer),
) {
    let mut next = None;
    let mut due = Instant::now();
    while let Some(request) = next.take().or_else(|| wait(file, queue)) {
        match request {
            StoreRequest::Load { token, query } => answer(match file.load(&query) {
                Ok(rows) => StoreAnswer::Loaded { token, rows },
                Err(error) => StoreAnswer::Failed { token, error },
            }),
            StoreRequest::Save { token, batch } => {
                let group = gather((token, batch), queue, due, &mut next);
                due = Instant::now() + COMMIT_EVERY;
                save(file, group, answer);
                if file.unsettled() >= UNSETTLED_MAX {
                    file.settle();
                }
            }
            StoreRequest::Erase { token } => answer(match file.erase() {
                Ok(()) => StoreAnswer::Saved { token },
                Err(error) => StoreAnswer::Failed { token, error },
            }),
        }
    }
}

/// The next request; a pause is used to settle what is not durable yet. `None` at the end.
fn wait(file: &mut StoreFile, queue: &mpsc::Receiver<StoreRequest>) -> Option<StoreRequest> {
    if file.unsettled() > 0 {
        match queue.recv_timeout(SETTLE) {
            Ok(request) => return Some(request),
            Err(_) => file.settle(),
        }
    }
    queue.recv().ok()
}

/// This batch and those that come until a commit is due, or a request of another kind, which
/// `next` gets: it is not kept waiting.
fn gather(
    first: (Token, Batch),
    queue: &mpsc::Receiver<StoreRequest>,
    due: Instant,
    next: &mut Option<StoreRequest>,
) -> Vec<(Token, Batch)> {
    let mut changes = first.1.changes.len();
    let mut group = vec![first];
    while group.len() < GROUP_MAX {
        let left = match changes < COMMIT_CHANGES {
            true => due.saturating_duration_since(Instant::now()),
            false => Duration::ZERO,
        };
        match queue.recv_timeout(left) {
            Ok(StoreRequest::Save { token, batch }) => {
                changes += batch.changes.len();
                group.push((token, batch));
            }
            Ok(other) => {
                *next = Some(other);
                break;
            }
            Err(_) => break,
        }
    }
    group
}

/// One commit for all; if that fails, each alone, so that one that does not fit takes no other
/// with it.
fn save(file: &mut StoreFile, group: Vec<(Token, Batch)>, answer: &impl Fn(StoreAnswer)) {
    let mut failed = file.resting();
    if failed.is_none()
        && group.len() > 1
        && file.commit(group.iter().map(|(_, batch)| batch)).is_ok()
    {
        group
            .into_iter()
            .for_each(|(token, _)| answer(StoreAnswer::Saved { token }));
        return;
    }
    for (token, batch) in group {
        // After a failure later batches are not applied either: their order would be lost.
        let done = match failed {
            None => file.commit(std::iter::once(&batch)),
            Some(error) => Err(error),
        };
        match done {
            Ok(()) => answer(StoreAnswer::Saved { token }),
            Err(error) => {
                failed = Some(error);
                answer(StoreAnswer::Failed { token, error });
            }
        }
    }
}
