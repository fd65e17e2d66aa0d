//! The database file: opened, and opened anew after a failure.
//!
//! Invariant: redb takes nothing more from a handle that failed once (`PreviousIo`), so after any
//! failure it is closed, and what had been answered survives that: what is durable on the disk,
//! the rest by being done again.

use super::OpenError;
use super::ahead::{Ahead, Rows};
use crate::files;
use redb::{Database, Durability, ReadableDatabase, TableDefinition, WriteTransaction};
use shared::io::{Batch, Change, Query, Row, StoreError, Table};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Tables a node may use.
const TABLES: usize = 16;
/// Bytes of redb's cache. What it does not have is copied from the system's.
const CACHE_BYTES: usize = 16 << 20;
/// After a failure saves rest for this many times as long as it took to open the file anew: redb
/// reads all of it, and on a full disk there would be no time left for anything else.
const REST: u32 = 10;
/// Who asks for so many rows from a table's first key on is about to walk all of it.
const WALK_ROWS_MIN: u32 = 1_000;

const NAMES: [&str; TABLES] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15",
];

pub struct StoreFile {
    path: PathBuf,
    /// Reads for the walk under way. It ends before the database is closed.
    ahead: Option<Ahead>,
    /// `None` after a failure, until it is needed again.
    database: Option<Database>,
    /// Committed, but not durable yet.
    unsettled: Vec<Batch>,
    /// Until when saves rest, and what failed.
    rest: Option<(Instant, StoreError)>,
}

impl StoreFile {
    /// Opens or creates the file.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let opened = catch_unwind(|| open_or_create(path));
        let damaged = |_| Err(OpenError::Damaged("it contradicts itself".into()));
        Ok(Self {
            path: path.to_owned(),
            ahead: None,
            database: Some(opened.unwrap_or_else(damaged)?),
            unsettled: Vec::new(),
            rest: None,
        })
    }

    /// What failed, while saves rest.
    pub fn resting(&self) -> Option<StoreError> {
        let (until, cause) = self.rest?;
        (Instant::now() < until).then_some(cause)
    }

    /// Applies batches in one commit, durable if one of them is.
    pub fn commit<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a Batch> + Clone,
    ) -> Result<(), StoreError> {
        let durable = batches.clone().any(|batch| batch.durable);
        self.with(|database| commit(database, batches.clone(), durable))?;
        self.rest = None;
        if durable {
            self.unsettled.clear();
        } else {
            self.unsettled.extend(batches.cloned());
        }
        Ok(())
    }

    /// Batches that a power cut would take back.
    pub fn unsettled(&self) -> usize {
        self.unsettled.len()
    }

    /// Makes durable what was committed before.
    pub fn settle(&mut self) {
        let nothing = std::iter::empty();
        if self
            .with(|database| commit(database, nothing, true))
            .is_ok()
        {
            self.unsettled.clear();
        }
    }

    pub fn load(&mut self, query: &Query) -> Result<Vec<Row>, StoreError> {
        if let Query::Range {
            table,
            from,
            to: None,
            limit: WALK_ROWS_MIN..,
        } = query
            && from.is_empty()
        {
            self.ahead = None;
            // Nothing of it is needed: what fails here fails below, too, and is handled there.
            let started =
                self.with(|database| Ok(Ahead::start(|| open_table(database, *table)).ok()));
            self.ahead = started.ok().flatten();
        } else {
            self.ahead.take_if(|ahead| ahead.is_over());
        }
        self.with(|database| load(database, query))
    }

    /// Empties every table.
    pub fn erase(&mut self) -> Result<(), StoreError> {
        self.ahead = None;
        self.with(erase)?;
        self.unsettled.clear();
        // Gives freed pages back to the file system; what was erased is erased without it, too.
        let _ = self.with(|database| Ok(database.compact()?));
        Ok(())
    }

    /// Does something with the open database. A failure closes it, and so does a panic: that is
    /// how redb may meet a file that something else has written to.
    pub(super) fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let tried = catch_unwind(AssertUnwindSafe(|| {
            if self.database.is_none() {
                self.database = Some(self.reopen()?);
            }
            // It was just put there.
            let database = self.database.as_mut().ok_or(redb::Error::DatabaseClosed)?;
            work(database)
        }));
        let cause = match tried {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => store_error(&error),
            Err(_) => StoreError::Unavailable,
        };
        let until = self.rest.map_or_else(Instant::now, |(until, _)| until);
        self.rest = Some((until, cause));
        self.ahead = None;
        let broken = self.database.take();
        // Closing what is broken may fail in the same way, and changes nothing.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
        Err(cause)
    }

    fn reopen(&mut self) -> Result<Database, redb::Error> {
        let started = Instant::now();
        let database = builder().open(&self.path)?;
        commit(&database, self.unsettled.iter(), false)?;
        if let Some((until, _)) = &mut self.rest {
            *until = Instant::now() + started.elapsed() * REST;
        }
        tracing::debug!("the store was opened anew");
        Ok(database)
    }
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// A new database gets its name when it is whole: redb cannot open what it was interrupted in
/// making. The lock on the other name keeps a second process out meanwhile.
fn open_or_create(path: &Path) -> Result<Database, OpenError> {
    let disk = |cause: std::io::Error| OpenError::Disk(cause.to_string());
    if !is_missing(path).map_err(disk)? {
        return builder().open(path).map_err(|error| open_error(&error));
    }
    let new = files::beside(path);
    // The file exists with owner-only rights before redb writes to it.
    files::touch(&new).map_err(disk)?;
    let made = builder().create(&new).map_err(|error| open_error(&error));
    let database = match made {
        // Left behind by an interrupted first start: nobody holds its lock.
        Err(OpenError::Damaged(_)) => {
            std::fs::remove_file(&new).map_err(disk)?;
            files::touch(&new).map_err(disk)?;
            builder().create(&new).map_err(|error| open_error(&error))?
        }
        made => made?,
    };
    if !is_missing(path).map_err(disk)? {
        // Another process was quicker.
        return Err(OpenError::InUse);
    }
    files::rename(&new, path).map_err(disk)?;
    Ok(database)
}

/// Whether there is no file, or one without a byte in it.
fn is_missing(path: &Path) -> std::io::Result<bool> {
    match path.metadata() {
        Ok(metadata) => Ok(metadata.len() == 0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn open_error(error: &redb::DatabaseError) -> OpenError {
    match error {
        redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
        redb::DatabaseError::Storage(redb::StorageError::Io(cause))
            if cause.kind() != std::io::ErrorKind::InvalidData =>
        {
            OpenError::Disk(cause.to_string())
        }
        error => OpenError::Damaged(error.to_string()),
    }
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

fn commit<'a>(
    database: &Database,
    batches: impl Iterator<Item = &'a Batch>,
    durable: bool,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    apply(&transaction, batches)?;
    if !durable {
        transaction.set_durability(Durability::None)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Each table is opened once for all batches.
fn apply<'a>(
    transaction: &WriteTransaction,
    batches: impl Iterator<Item = &'a Batch>,
) -> Result<(), redb::Error> {
    let mut tables = [const { None }; TABLES];
    for change in batches.flat_map(|batch| &batch.changes) {
        let (Change::Put { table, .. }
        | Change::Delete { table, .. }
        | Change::DeleteBelow { table, .. }) = change;
        let table = match &mut tables[usize::from(table.0) % TABLES] {
            Some(open) => open,
            closed => closed.insert(transaction.open_table(definition(*table))?),
        };
        match change {
            Change::Put { key, value, .. } => drop(table.insert(&key[..], &value[..])?),
            Change::Delete { key, .. } => drop(table.remove(&key[..])?),
            Change::DeleteBelow { to, .. } => table.retain_in(..&to[..], |_, _| false)?,
        }
    }
    Ok(())
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(NAMES[usize::from(table.0) % TABLES])
}

fn open_table(database: &Database, table: Table) -> Result<Rows, redb::Error> {
    let transaction = database.begin_read()?;
    Ok(transaction.open_table(definition(table))?)
}

fn load(database: &Database, query: &Query) -> Result<Vec<Row>, redb::Error> {
    let (Query::Keys { table, .. } | Query::Range { table, .. }) = query;
    let table = match open_table(database, *table) {
        Ok(table) => table,
        Err(redb::Error::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
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
    Ok(())
}
