//! Argon2id off the page's thread: a worker for each derivation, which ends when it is done and so
//! gives its 64 MiB back.
//!
//! Invariant: every derivation is answered.

use std::collections::BTreeMap;

use js_sys::{Array, Function, Uint8Array};
use shared::io::{Input, KdfCost, Secret, Token};

use crate::driver::{Command, Happened, Inbox};
use crate::pool::{Number, Pool, Report};
use crate::worker::{self, Reply};

/// The derivations under way.
pub struct Derivers {
    pool: Pool,
    tokens: BTreeMap<Number, Token>,
}

impl Derivers {
    /// See [`Pool::new`].
    pub fn new(new_worker: Function, inbox: Inbox) -> Self {
        Self {
            pool: Pool::new(new_worker, inbox, Happened::Deriver),
            tokens: BTreeMap::new(),
        }
    }

    /// Starts a derivation, as in `Output::Derive`.
    pub fn derive(&mut self, token: Token, secret: &Secret, salt: &[u8; 16], cost: &KdfCost) {
        let number = self.pool.start();
        self.tokens.insert(number, token);
        let secret = Uint8Array::from(secret.0.as_slice());
        // Handed over, not copied: no second copy stays on the page.
        let handed_over = Array::of1(&secret.buffer());
        let message = worker::derive(token, &secret, salt, cost);
        self.pool.post(number, &message, &handed_over);
        // Gone by now, unless the worker could not be started.
        if secret.length() > 0 {
            secret.fill(0, 0, secret.length());
        }
    }

    /// What a worker's report means to the node.
    pub fn on(&mut self, number: Number, report: &Report) -> Option<Input<'static, Command>> {
        let key = match report {
            Report::Said(Reply::Derived { key }) => **key,
            Report::Said(_) => return None,
            Report::Died => None,
        };
        self.pool.end(number);
        let token = self.tokens.remove(&number)?;
        Some(match key {
            Some(key) => Input::Derived { token, key },
            None => Input::DeriveFailed { token },
        })
    }
}
