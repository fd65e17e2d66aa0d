//! The device's storage as one queue: rows, the remembered key, erasing.
//!
//! Invariant: requests are carried out one after the other, in the order they were made, so that a
//! key that is forgotten cannot be brought back by a slower request to remember it.

use account::api::Problem;
use shared::io::{Batch, Input, Query, StoreError, Token};
use tokio::sync::mpsc;
use wasm_bindgen_futures::spawn_local;
use zeroize::Zeroizing;

use crate::driver::{Happened, Inbox};
use crate::environment;
use crate::keep::{self, KeepError};
use crate::store::{DbError, Store};

/// What can be asked of the storage; answers as in `shared::io::Output`.
pub enum DiskRequest {
    Load { token: Token, query: Query },
    Save { token: Token, batch: Batch },
    Erase { token: Token },
    Remember { key: Zeroizing<[u8; 32]> },
    Recall { token: Token },
    Forget,
}

/// The queue. Dropping it closes the database after what was asked for before.
pub struct Disk {
    queue: mpsc::UnboundedSender<DiskRequest>,
}

impl Disk {
    /// Starts carrying out requests; results go to `inbox`.
    pub fn start(store: Store, inbox: Inbox) -> Self {
        // Bounded by what the core has under way.
        let (queue, mut requests) = mpsc::unbounded_channel();
        spawn_local(async move {
            let mut keeper = Keeper {
                store,
                full: false,
                emptied: false,
            };
            while let Some(request) = requests.recv().await {
                if let Some(happened) = keeper.carry_out(request).await {
                    inbox.put(happened);
                }
            }
        });
        Self { queue }
    }

    pub fn ask(&self, request: DiskRequest) {
        // The queue ends only with this sender.
        let _ = self.queue.send(request);
    }
}

/// The store, and what became of it.
struct Keeper {
    store: Store,
    /// There was no room since the last batch that was saved.
    full: bool,
    /// All that was stored is gone, and the core does not know yet.
    emptied: bool,
}

impl Keeper {
    async fn carry_out(&mut self, request: DiskRequest) -> Option<Happened> {
        // Only what the browser has closed is opened again, and only when something is wanted.
        if self.store.is_closed()
            && let Err(error) = self.store.reopen(self.full).await
        {
            match error {
                DbError::Emptied => self.emptied = true,
                error => return self.refuse(request, error),
            }
        }
        match request {
            DiskRequest::Load { token, .. } | DiskRequest::Save { token, .. } if self.emptied => {
                self.emptied = false;
                Some(failed(token, &DbError::Emptied))
            }
            DiskRequest::Load { token, query } => Some(match self.store.load(&query).await {
                Ok(rows) => Happened::Input(Input::Loaded { token, rows }),
                Err(error) => failed(token, &error),
            }),
            DiskRequest::Save { token, batch } => {
                let result = self.store.save(&batch).await;
                self.note(&result);
                Some(saved(token, result))
            }
            DiskRequest::Erase { token } => {
                self.emptied = false;
                let result = self.store.erase().await;
                self.note(&result);
                Some(saved(token, result))
            }
            DiskRequest::Remember { key } => match keep::remember(&self.store, &key).await {
                Ok(()) => None,
                Err(error) => {
                    self.full |= matches!(error, KeepError::Db(DbError::Full));
                    Some(kept(&error, environment::not_remembered()))
                }
            },
            DiskRequest::Recall { token } => {
                let key = keep::recall(&self.store).await.map(|key| *key);
                Some(Happened::Input(Input::Recalled { token, key }))
            }
            DiskRequest::Forget => match keep::forget(&self.store).await {
                Ok(()) => None,
                Err(error) => {
                    self.full |= matches!(error, KeepError::Db(DbError::Full));
                    Some(kept(&error, environment::not_forgotten()))
                }
            },
        }
    }

    fn note(&mut self, result: &Result<(), DbError>) {
        match result {
            Ok(()) => self.full = false,
            Err(error) => self.full |= matches!(error, DbError::Full),
        }
    }

    /// The database cannot be opened again.
    fn refuse(&mut self, request: DiskRequest, error: DbError) -> Option<Happened> {
        self.full |= matches!(error, DbError::Full);
        Some(match request {
            DiskRequest::Load { token, .. }
            | DiskRequest::Save { token, .. }
            | DiskRequest::Erase { token } => failed(token, &error),
            DiskRequest::Recall { token } => Happened::Input(Input::Recalled { token, key: None }),
            DiskRequest::Remember { .. } => {
                kept(&KeepError::Db(error), environment::not_remembered())
            }
            DiskRequest::Forget => kept(&KeepError::Db(error), environment::not_forgotten()),
        })
    }
}

fn saved(token: Token, result: Result<(), DbError>) -> Happened {
    match result {
        Ok(()) => Happened::Input(Input::Saved { token }),
        Err(error) => failed(token, &error),
    }
}

fn failed(token: Token, error: &DbError) -> Happened {
    match error {
        DbError::TakenOver => Happened::Stop(environment::taken_over()),
        error => Happened::Input(Input::StoreFailed {
            token,
            error: StoreError::from(error),
        }),
    }
}

fn kept(error: &KeepError, problem: Problem) -> Happened {
    match error {
        KeepError::Db(DbError::TakenOver) => Happened::Stop(environment::taken_over()),
        _ => Happened::Trouble(problem),
    }
}
