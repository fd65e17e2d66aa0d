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
    pub fn start(mut store: Store, inbox: Inbox) -> Self {
        // Bounded by what the core has under way.
        let (queue, mut requests) = mpsc::unbounded_channel();
        spawn_local(async move {
            while let Some(request) = requests.recv().await {
                let happened = carry_out(&store, request).await;
                if matches!(happened, Some(Happened::Input(Input::StoreFailed { .. }))) {
                    // What failed is tried again by the core, or told. If it cannot be opened
                    // now, the next failure tries again.
                    let _ = store.reopen().await;
                }
                if let Some(happened) = happened {
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

async fn carry_out(store: &Store, request: DiskRequest) -> Option<Happened> {
    match request {
        DiskRequest::Load { token, query } => Some(match store.load(&query).await {
            Ok(rows) => Happened::Input(Input::Loaded { token, rows }),
            Err(error) => failed(token, &error),
        }),
        DiskRequest::Save { token, batch } => Some(saved(token, store.save(&batch).await)),
        DiskRequest::Erase { token } => Some(saved(token, store.erase().await)),
        DiskRequest::Remember { key } => match keep::remember(store, &key).await {
            Ok(()) => None,
            Err(error) => Some(kept(&error, environment::not_remembered())),
        },
        DiskRequest::Recall { token } => {
            let key = keep::recall(store).await.map(|key| *key);
            Some(Happened::Input(Input::Recalled { token, key }))
        }
        DiskRequest::Forget => match keep::forget(store).await {
            Ok(()) => None,
            Err(error) => Some(kept(&error, environment::not_forgotten())),
        },
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
