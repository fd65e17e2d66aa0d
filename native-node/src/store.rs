//! The store seam of `shared::io` over redb, in a thread of its own.
//!
//! Invariant: batches are applied in the order they came, each whole or not at all, and a durable
//! one is answered only after its commit is on disk. Batches that wait together share one commit.

use redb::{Database, Durability, ReadableDatabase, TableDefinition, WriteTransaction};
use shared::io::{Batch, Change, Query, Row, StoreError, Table, Token};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Tables a node may use.
const TABLES: usize = 16;
/// Requests that wait for the store's thread.
const QUEUE_MAX: usize = 4_096;
/// Batches in one commit.
const GROUP_MAX: usize = 1_024;
/// Bytes of redb's cache.
const CACHE_BYTES: usize = 32 << 20;
/// What was saved without being durable becomes so after a pause of this length.
const SETTLE: Duration = Duration::from_secs(1);

const NAMES: [&str; TABLES] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15",
];

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
    requests: Option<mpsc::SyncSender<StoreRequest>>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens or creates the file and starts the thread. `answer` is called on it, in order.
    pub fn open(
        path: &Path,
        answer: impl Fn(StoreAnswer) + Send + 'static,
    ) -> Result<Self, OpenError> {
        // The file exists with owner-only rights before redb writes to it.
        crate::files::touch(path).map_err(|cause| OpenError::Disk(cause.to_string()))?;
        let mut database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(path)
            .map_err(|error| open_error(&error))?;
        let (requests, queue) = mpsc::sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || serve(&mut database, &queue, &answer))
            .map_err(|error| OpenError::Disk(error.to_string()))?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    /// Hands a request to the thread; waits only while thousands are queued.
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

fn open_error(error: &redb::DatabaseError) -> OpenError {
    match error {
        redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
        redb::DatabaseError::Storage(redb::StorageError::Io(cause)) => {
            OpenError::Disk(cause.to_string())
        }
        error => OpenError::Damaged(error.to_string()),
    }
}

fn serve(
    database: &mut Database,
    queue: &mpsc::Receiver<StoreRequest>,
    answer: &impl Fn(StoreAnswer),
) {
    let mut next = None;
    // Something was committed that a power cut would take back.
    let mut unsettled = false;
    loop {
        let request = match next.take() {
            Some(request) => request,
            None if unsettled => match queue.recv_timeout(SETTLE) {
                Ok(request) => request,
                Err(end) => {
                    settle(database);
                    unsettled = false;
                    if end == mpsc::RecvTimeoutError::Disconnected {
                        return;
                    }
                    continue;
                }
            },
            None => match queue.recv() {
                Ok(request) => request,
                Err(mpsc::RecvError) => return,
            },
        };
        match request {
            StoreRequest::Load { token, query } => answer(match load(database, &query) {
                Ok(rows) => StoreAnswer::Loaded { token, rows },
                Err(error) => failed(token, &error),
            }),
            StoreRequest::Save { token, batch } => {
                let group = gather(token, batch, queue, &mut next);
                unsettled = !group.iter().any(|(_, batch)| batch.durable);
                save(database, group, answer);
            }
            StoreRequest::Erase { token } => answer(match erase(database) {
                Ok(()) => StoreAnswer::Saved { token },
                Err(error) => failed(token, &error),
            }),
        }
    }
}

/// This batch and those that wait right behind it; `next` gets the first request of another kind.
fn gather(
    token: Token,
    batch: Batch,
    queue: &mpsc::Receiver<StoreRequest>,
    next: &mut Option<StoreRequest>,
) -> Vec<(Token, Batch)> {
    let mut group = vec![(token, batch)];
    while group.len() < GROUP_MAX {
        match queue.try_recv() {
            Ok(StoreRequest::Save { token, batch }) => group.push((token, batch)),
            Ok(other) => {
                *next = Some(other);
                break;
            }
            Err(_) => break,
        }
    }
    group
}

/// Makes durable what was committed before.
fn settle(database: &Database) {
    let done = database.begin_write().map_err(redb::Error::from);
    if let Err(error) = done.and_then(|transaction| Ok(transaction.commit()?)) {
        tracing::warn!(%error, "the store could not be written to disk");
    }
}

fn failed(token: Token, error: &redb::Error) -> StoreAnswer {
    StoreAnswer::Failed {
        token,
        error: store_error(error),
    }
}

/// One commit for all; if that fails, each alone, so that one that does not fit takes no other
/// with it.
fn save(database: &Database, group: Vec<(Token, Batch)>, answer: &impl Fn(StoreAnswer)) {
    if group.len() > 1 && commit(database, group.iter().map(|(_, batch)| batch)).is_ok() {
        group
            .into_iter()
            .for_each(|(token, _)| answer(StoreAnswer::Saved { token }));
        return;
    }
    let mut failed = None;
    for (token, batch) in group {
        // After a failure later batches are not applied either: their order would be lost.
        let done = match failed {
            None => commit(database, std::iter::once(&batch)).map_err(|e| store_error(&e)),
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

fn commit<'a>(
    database: &Database,
    batches: impl Iterator<Item = &'a Batch>,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    let mut durable = false;
    for batch in batches {
        durable |= batch.durable;
        apply(&transaction, batch)?;
    }
    if !durable {
        transaction.set_durability(Durability::None)?;
    }
    transaction.commit()?;
    Ok(())
}

fn apply(transaction: &WriteTransaction, batch: &Batch) -> Result<(), redb::Error> {
    for change in &batch.changes {
        match change {
            Change::Put { table, key, value } => {
                transaction
                    .open_table(definition(*table))?
                    .insert(&key[..], &value[..])?;
            }
            Change::Delete { table, key } => {
                transaction
                    .open_table(definition(*table))?
                    .remove(&key[..])?;
            }
            Change::DeleteBelow { table, to } => {
                let mut table = transaction.open_table(definition(*table))?;
                table.retain_in(..&to[..], |_, _| false)?;
            }
        }
    }
    Ok(())
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(NAMES[usize::from(table.0) % TABLES])
}

fn load(database: &Database, query: &Query) -> Result<Vec<Row>, redb::Error> {
    let transaction = database.begin_read()?;
    let (Query::Keys { table, .. } | Query::Range { table, .. }) = query;
    let table = match transaction.open_table(definition(*table)) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut rows = Vec::new();
    match query {
        Query::Keys { keys, .. } => {
            let mut sorted: Vec<&Vec<u8>> = keys.iter().collect();
            sorted.sort_unstable();
            for key in sorted {
                if let Some(value) = table.get(&key[..])? {
                    rows.push(Row {
                        key: key.clone(),
                        value: value.value().to_vec(),
                    });
                }
            }
        }
        Query::Range {
            from, to, limit, ..
        } => {
            let range = match to {
                Some(to) if to <= from => return Ok(rows),
                Some(to) => table.range(&from[..]..&to[..])?,
                None => table.range(&from[..]..)?,
            };
            for row in range.take(*limit as usize) {
                let (key, value) = row?;
                rows.push(Row {
                    key: key.value().to_vec(),
                    value: value.value().to_vec(),
                });
            }
        }
    }
    Ok(rows)
}

fn erase(database: &mut Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    for name in NAMES {
        transaction.delete_table(TableDefinition::<&[u8], &[u8]>::new(name))?;
    }
    transaction.commit()?;
    // Gives freed pages back to the file system; what was erased is erased without it, too.
    if let Err(error) = database.compact() {
        tracing::debug!(%error, "the erased store was not shortened");
    }
    Ok(())
}

fn store_error(error: &redb::Error) -> StoreError {
    match error {
        redb::Error::Io(cause)
            if matches!(
                cause.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            ) =>
        {
            StoreError::Full
        }
        error => {
            tracing::error!(%error, "the store failed");
            StoreError::Unavailable
        }
    }
}

#[cfg(test)]
mod tests;
