//! The account's tables in IndexedDB. PROTOCOL.md section 8.
//!
//! Invariant: a batch is one transaction, and no transaction changes anything once another tab has
//! opened the store: each one first compares the owner row, which every opening replaces.
//!
//! Chromium, measured with version 156. It closes the database at the first write that the disk has
//! no room for, and leaves half a record at the end of LevelDB's journal. Opened again it goes on
//! in that journal; at the next opening the half record, now in the middle, is damage, and all is
//! deleted. So nothing is opened before there is room, and the first thing that is done is to make
//! it begin another journal.
//!
//! One object store a table, keys and values as binary, compared byte by byte by IndexedDB too.

use indexed_db_futures::KeyRange;
use indexed_db_futures::database::Database;
use indexed_db_futures::error::{Error, OpenDbError};
use indexed_db_futures::internals::SystemRepr;
use indexed_db_futures::object_store::ObjectStore;
use indexed_db_futures::prelude::*;
use indexed_db_futures::transaction::{
    Transaction, TransactionDurability, TransactionMode, TransactionOptions,
};
use js_sys::Uint8Array;
use shared::io::{Batch, Change, Query, Row, StoreError, Table};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};

use crate::room;

const NAME: &str = "wiremin";
const VERSION: u32 = 1;
/// Object stores of the tables, by number.
const TABLES: [&str; 4] = ["vault", "state", "messages", "objects"];
/// Beside the tables: the wrapped key that opens the vault without the passcode.
pub const REMEMBERED: &str = "remembered";
/// Beside the tables: which opening of the store may write.
const OWNER: &str = "owner";
/// Key of the only row of [`OWNER`].
const OWNER_ROW: &str = "owner";
/// A database that is made and deleted: Chromium then begins another journal for all of them.
const JOURNAL: &str = "wiremin-journal";
/// It does not do so when something else of its own is written at that moment. Of 20 times 3 none
/// was in vain, of 20 once 4.
const JOURNAL_TIMES: u32 = 3;

const QUOTA: &str = "QuotaExceededError";
/// What Chromium's messages hold when the disk, not the quota, is full.
const NO_SPACE: &str = "NO_SPACE";

/// Why the database did nothing.
#[derive(Debug)]
pub enum DbError {
    /// The browser's quota, or the disk, is full.
    Full,
    /// The browser has closed the database, as Chromium does when it cannot write.
    Closed,
    /// All that was stored is gone.
    Emptied,
    /// Another tab has opened the store since.
    TakenOver,
    /// It was made by a newer version.
    Newer,
    /// The browser keeps no data for this page.
    Forbidden,
    /// Anything else: cleared by hand, damaged.
    Unavailable,
}

impl From<&DbError> for StoreError {
    fn from(error: &DbError) -> Self {
        match error {
            DbError::Full | DbError::Closed => StoreError::Full,
            DbError::Emptied => StoreError::Emptied,
            _ => StoreError::Unavailable,
        }
    }
}

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        let Error::DomException(error) = error else {
            return DbError::Unavailable;
        };
        let error = error.as_sys();
        match error.name().as_str() {
            _ if is_full(error) => DbError::Full,
            "VersionError" => DbError::Newer,
            "SecurityError" | "InvalidStateError" => DbError::Forbidden,
            _ => DbError::Unavailable,
        }
    }
}

fn is_full(error: &web_sys::DomException) -> bool {
    error.name() == QUOTA || error.message().contains(NO_SPACE)
}

/// The open database. Dropping it closes it after what is under way.
pub struct Store {
    db: Database,
    owner: String,
    /// The browser has closed it.
    closed: Rc<Cell<bool>>,
    /// Keeps what the browser calls then.
    _on_close: Closure<dyn FnMut()>,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.db.as_sys().set_onclose(None);
        self.db.clone().close();
    }
}

/// The two ends of a transaction that writes.
struct Writing<'a> {
    tx: Transaction<'a>,
    raw: web_sys::IdbTransaction,
}

impl Store {
    /// Opens the database and becomes its owner. `owner` is drawn anew for each opening.
    pub async fn open(owner: String) -> Result<Self, DbError> {
        let store = Self::connect(owner).await?;
        store.own().await?;
        Ok(store)
    }

    /// Whether the browser has closed it. It stays closed.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Opens the database anew, for the same owner. If all that was in it is gone: `Emptied` once
    /// if `full` explains it, and `Unavailable` if not, so that what a person has cleared is not
    /// written again.
    pub async fn reopen(&mut self, full: bool) -> Result<(), DbError> {
        let store = Self::connect(self.owner.clone()).await?;
        let tx = store.transaction(&[OWNER])?;
        let asked = store.ask_owner(&tx)?.await?;
        drop(tx.commit().await);
        if asked.is_some() {
            // Whose it is, the next batch finds out.
            *self = store;
            return Ok(());
        }
        if !full {
            return Err(DbError::Unavailable);
        }
        store.own().await?;
        *self = store;
        Err(DbError::Emptied)
    }

    /// Only this opening may write from now on.
    async fn own(&self) -> Result<(), DbError> {
        let writing = self.begin(&[OWNER], true)?;
        let owner = JsValue::from_str(&self.owner);
        put(&writing.tx, OWNER, &OWNER_ROW.into(), &owner)?;
        writing.commit().await
    }

    async fn connect(owner: String) -> Result<Self, DbError> {
        if !room::is_there().await {
            return Err(DbError::Full);
        }
        begin_journal().await?;
        let open = Database::open(NAME)
            .with_version(VERSION)
            .with_on_upgrade_needed(|_, db: Database| {
                for name in TABLES.iter().chain(&[REMEMBERED, OWNER]) {
                    db.create_object_store(*name).build()?;
                }
                Ok(())
            });
        let db = open.await?;
        let closed = Rc::new(Cell::new(false));
        let on_close = closed.clone();
        let on_close = Closure::<dyn FnMut()>::new(move || on_close.set(true));
        db.as_sys()
            .set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Ok(Store {
            db,
            owner,
            closed,
            _on_close: on_close,
        })
    }

    /// Applies a batch, all or nothing.
    pub async fn save(&self, batch: &Batch) -> Result<(), DbError> {
        let mut tables: Vec<&str> = vec![OWNER];
        for change in &batch.changes {
            let name = table_name(table_of(change))?;
            if !tables.contains(&name) {
                tables.push(name);
            }
        }
        let writing = self.begin(&tables, batch.durable)?;
        let owned = self.ask_owner(&writing.tx)?;
        for change in &batch.changes {
            apply(&writing.tx, change)?;
        }
        self.end(writing, owned).await
    }

    /// The rows a query asks for, ascending.
    pub async fn load(&self, query: &Query) -> Result<Vec<Row>, DbError> {
        match query {
            Query::Keys { table, keys } => self.load_keys(*table, keys).await,
            Query::Range {
                table,
                from,
                to,
                limit,
            } => {
                let empty = to.as_ref().is_some_and(|to| to <= from);
                // IndexedDB takes a limit of 0 for none.
                if empty || *limit == 0 {
                    return Ok(Vec::new());
                }
                self.load_range(*table, from, to.as_deref(), *limit).await
            }
        }
    }

    /// Empties every table and forgets the remembered key.
    pub async fn erase(&self) -> Result<(), DbError> {
        let mut names = TABLES.to_vec();
        names.extend([REMEMBERED, OWNER]);
        let writing = self.begin(&names, true)?;
        let owned = self.ask_owner(&writing.tx)?;
        for name in TABLES.iter().chain(&[REMEMBERED]) {
            drop(writing.tx.object_store(name)?.clear()?);
        }
        self.end(writing, owned).await
    }

    /// Replaces, or with `None` deletes, the only row of [`REMEMBERED`].
    pub async fn put_remembered(&self, value: Option<&JsValue>) -> Result<(), DbError> {
        let writing = self.begin(&[REMEMBERED, OWNER], true)?;
        let owned = self.ask_owner(&writing.tx)?;
        match value {
            Some(value) => put(&writing.tx, REMEMBERED, &REMEMBERED.into(), value)?,
            None => drop(writing.tx.object_store(REMEMBERED)?.clear()?),
        }
        self.end(writing, owned).await
    }

    /// The only row of [`REMEMBERED`].
    pub async fn remembered(&self) -> Result<Option<JsValue>, DbError> {
        let tx = self.transaction(&[REMEMBERED])?;
        let key = JsValue::from_str(REMEMBERED);
        let value = get(&tx.object_store(REMEMBERED)?, key)?.await?;
        tx.commit().await?;
        Ok(value)
    }

    fn begin(&self, stores: &[&str], durable: bool) -> Result<Writing<'_>, DbError> {
        let durability = if durable {
            TransactionDurability::Strict
        } else {
            TransactionDurability::Relaxed
        };
        let mut options = TransactionOptions::new();
        options.set_durability(durability);
        let tx = self
            .db
            .transaction(stores)
            .with_mode(TransactionMode::Readwrite)
            .with_options(options)
            .build()
            .map_err(|error| self.refused(error))?;
        let raw = tx.as_sys().clone().unchecked_into();
        Ok(Writing { tx, raw })
    }

    /// A transaction that reads.
    fn transaction(&self, stores: &[&str]) -> Result<Transaction<'_>, DbError> {
        let tx = self.db.transaction(stores).build();
        tx.map_err(|error| self.refused(error))
    }

    /// Why there is no transaction.
    fn refused(&self, error: Error) -> DbError {
        match DbError::from(error) {
            // What a database that is closed says.
            DbError::Forbidden => {
                self.closed.set(true);
                DbError::Closed
            }
            error => error,
        }
    }

    /// Asks for the owner row, in the transaction that depends on it.
    fn ask_owner(&self, tx: &Transaction<'_>) -> Result<Asked, DbError> {
        get(&tx.object_store(OWNER)?, OWNER_ROW.into())
    }

    /// Commits what the owner asked for.
    async fn end(&self, writing: Writing<'_>, owned: Asked) -> Result<(), DbError> {
        let raw = writing.raw.clone();
        let result = async {
            self.check_owner(owned).await?;
            writing.commit().await
        };
        match result.await {
            // Why a transaction was broken off shows in itself alone.
            Err(_) if raw.error().as_ref().is_some_and(is_full) => Err(DbError::Full),
            result => result,
        }
    }

    async fn check_owner(&self, asked: Asked) -> Result<(), DbError> {
        let owner = asked.await?.and_then(|owner| owner.as_string());
        match owner {
            Some(owner) if owner == self.owner => Ok(()),
            Some(_) => Err(DbError::TakenOver),
            // Cleared from outside.
            None => Err(DbError::Unavailable),
        }
    }

    async fn load_keys(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Row>, DbError> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let name = table_name(table)?;
        let tx = self.transaction(&[name])?;
        let table = tx.object_store(name)?;
        let asked = keys
            .iter()
            .map(|key| get(&table, binary(key)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut rows = Vec::with_capacity(keys.len());
        for (key, asked) in keys.into_iter().zip(asked) {
            if let Some(value) = asked.await? {
                rows.push(Row {
                    key,
                    value: bytes(&value),
                });
            }
        }
        drop(table);
        tx.commit().await?;
        Ok(rows)
    }

    async fn load_range(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<Row>, DbError> {
        let name = table_name(table)?;
        let range = || match to {
            Some(to) => KeyRange::Bound(binary(from), false, binary(to), true),
            None => KeyRange::LowerBound(binary(from), false),
        };
        let tx = self.transaction(&[name])?;
        let table = tx.object_store(name)?;
        let keys = table
            .get_all_keys::<JsValue>()
            .with_query::<JsValue, _>(range())
            .with_limit(limit)
            .primitive()?;
        let values = table
            .get_all::<JsValue>()
            .with_query::<JsValue, _>(range())
            .with_limit(limit)
            .primitive()?;
        let mut rows = Vec::new();
        let (keys, values) = (keys.await?, values.await?);
        for (key, value) in keys.zip(values) {
            rows.push(Row {
                key: bytes(&key?),
                value: bytes(&value?),
            });
        }
        drop(table);
        tx.commit().await?;
        Ok(rows)
    }
}

impl Writing<'_> {
    async fn commit(self) -> Result<(), DbError> {
        Ok(self.tx.commit().await?)
    }
}

/// Has the browser begin another journal, see above. Other browsers have none.
async fn begin_journal() -> Result<(), DbError> {
    for _ in 0..JOURNAL_TIMES {
        match make_and_delete(JOURNAL).await {
            Err(DbError::Full) => return Err(DbError::Full),
            // What stands in the way stands in the way of the database too, and is told then.
            Err(_) => break,
            Ok(()) => {}
        }
    }
    Ok(())
}

async fn make_and_delete(name: &str) -> Result<(), DbError> {
    let open = Database::open(name)
        .with_version(VERSION)
        .with_on_upgrade_needed(|_, db: Database| {
            db.create_object_store(OWNER).build()?;
            Ok(())
        });
    open.await?.delete()?.await?;
    Ok(())
}

impl From<OpenDbError> for DbError {
    fn from(error: OpenDbError) -> Self {
        match error {
            OpenDbError::Base(error) => DbError::from(error),
            _ => DbError::Forbidden,
        }
    }
}

/// A row on its way.
type Asked = indexed_db_futures::future::BasicRequest<Option<JsValue>>;

fn get(table: &ObjectStore<'_>, key: JsValue) -> Result<Asked, DbError> {
    Ok(table.get::<JsValue, _, _>(key).primitive()?)
}

fn put(tx: &Transaction<'_>, name: &str, key: &JsValue, value: &JsValue) -> Result<(), DbError> {
    let table = tx.object_store(name)?;
    // The request goes out without being awaited; its failure is the transaction's.
    drop(table.put(value).with_key(key.clone()).primitive()?);
    Ok(())
}

fn apply(tx: &Transaction<'_>, change: &Change) -> Result<(), DbError> {
    let name = table_name(table_of(change))?;
    match change {
        Change::Put { key, value, .. } => put(tx, name, &binary(key), &binary(value)),
        Change::Delete { key, .. } => {
            drop(
                tx.object_store(name)?
                    .delete::<JsValue, _>(binary(key))
                    .primitive()?,
            );
            Ok(())
        }
        Change::DeleteBelow { to, .. } => {
            let below = KeyRange::UpperBound(binary(to), true);
            drop(
                tx.object_store(name)?
                    .delete::<JsValue, _>(below)
                    .primitive()?,
            );
            Ok(())
        }
    }
}

fn table_of(change: &Change) -> Table {
    match change {
        Change::Put { table, .. }
        | Change::Delete { table, .. }
        | Change::DeleteBelow { table, .. } => *table,
    }
}

fn table_name(table: Table) -> Result<&'static str, DbError> {
    let name = TABLES.get(usize::from(table.0));
    name.copied().ok_or(DbError::Unavailable)
}

fn binary(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

/// Values come back as they were put, keys as `ArrayBuffer`s.
fn bytes(value: &JsValue) -> Vec<u8> {
    Uint8Array::new(value).to_vec()
}
