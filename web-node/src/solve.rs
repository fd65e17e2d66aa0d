//! Slow work off the page's thread: proof-of-work in one worker, Argon2id in another that ends when
//! it is done and so gives its 64 MiB back.
//!
//! Invariant: every puzzle that is not cancelled is solved or the person is told, every derivation
//! is answered; a worker that dies is replaced at once a few times, then after a minute each.

use std::collections::{BTreeMap, BTreeSet};

use js_sys::{Array, Function, Uint8Array};
use shared::io::{Input, KdfCost, Secret, Token};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker};

use account::api::Problem;

use crate::driver::{Command, Happened, Inbox};
use crate::environment;
use crate::timer::Timer;
use crate::worker::{self, Reply as WorkerReply};

/// Deaths of the solving worker that are put right by starting another.
const RESTARTS_MAX: u32 = 3;
/// How long the next one waits when it went on dying.
const RESTART_MS: u64 = 60_000;

/// Which worker says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Solver,
    /// By its number, since one that is on its way out may still speak.
    Deriver(u64),
}

/// What a worker says.
pub enum Reply {
    Said(WorkerReply),
    /// Its script, or the WASM in it, failed.
    Died,
    /// Time to start another.
    Again,
}

/// A worker and what the browser calls on its behalf.
struct Handle {
    worker: Worker,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut()>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

struct Puzzle {
    prefix: [u8; 32],
    target: [u8; 32],
}

struct Deriver {
    number: u64,
    token: Token,
    _handle: Handle,
}

/// The workers of this page, started when they are needed.
pub struct Workers {
    new_worker: Function,
    inbox: Inbox,
    solver: Option<Handle>,
    /// Since the last puzzle was solved.
    deaths: u32,
    again: Timer,
    puzzles: BTreeMap<Token, Puzzle>,
    /// In the order given out, since tokens of a later puzzle are larger.
    derivers: Vec<Deriver>,
    derivers_started: u64,
}

impl Workers {
    /// `new_worker` gives a fresh worker whose script calls `worker_main`.
    pub fn new(new_worker: Function, inbox: Inbox) -> Self {
        let tell = inbox.clone();
        let again = move || tell.put(Happened::Worker(Which::Solver, Reply::Again));
        Self {
            again: Timer::new(again),
            new_worker,
            inbox,
            solver: None,
            deaths: 0,
            puzzles: BTreeMap::new(),
            derivers: Vec::new(),
            derivers_started: 0,
        }
    }

    /// Queues a puzzle, as in `Output::Solve`.
    pub fn solve(&mut self, token: Token, prefix: [u8; 32], target: [u8; 32]) {
        self.puzzles.insert(token, Puzzle { prefix, target });
        if self.solver.is_some() {
            self.post_puzzles(&BTreeSet::from([token]));
        } else {
            self.start_solver();
        }
    }

    /// Drops a puzzle.
    pub fn cancel(&mut self, token: Token) {
        self.puzzles.remove(&token);
        if let Some(solver) = &self.solver {
            post(&solver.worker, &worker::cancel(token));
        }
    }

    /// Starts a derivation; hands back its failure when there is no worker to be had.
    pub fn derive(
        &mut self,
        token: Token,
        secret: &Secret,
        salt: &[u8; 16],
        cost: &KdfCost,
    ) -> Option<Input<'static, Command>> {
        self.derivers_started += 1;
        let number = self.derivers_started;
        let Some(handle) = self.start(Which::Deriver(number)) else {
            return Some(Input::DeriveFailed { token });
        };
        let secret = Uint8Array::from(secret.0.as_slice());
        // Handed over, not copied: no second copy stays on the page.
        let handed_over = Array::of1(&secret.buffer());
        let message = worker::derive(token, &secret, salt, cost);
        if handle
            .worker
            .post_message_with_transfer(&message, &handed_over)
            .is_err()
        {
            return Some(Input::DeriveFailed { token });
        }
        self.derivers.push(Deriver {
            number,
            token,
            _handle: handle,
        });
        None
    }

    /// What a worker's words mean to the node and to the person.
    pub fn on(
        &mut self,
        which: Which,
        reply: Reply,
    ) -> (Option<Input<'static, Command>>, Option<Problem>) {
        match (which, reply) {
            (Which::Solver, Reply::Said(said)) => (self.on_solver(said), None),
            (Which::Solver, Reply::Died) => (None, self.on_solver_death()),
            (Which::Solver, Reply::Again) => {
                if self.solver.is_none() && !self.puzzles.is_empty() {
                    self.start_solver();
                }
                (None, None)
            }
            (Which::Deriver(number), reply) => (self.on_deriver(number, &reply), None),
        }
    }

    fn on_solver(&mut self, said: WorkerReply) -> Option<Input<'static, Command>> {
        match said {
            WorkerReply::Solving { token, hashes } => self
                .puzzles
                .contains_key(&token)
                .then_some(Input::Solving { token, hashes }),
            WorkerReply::Solved { token, nonce } => {
                self.deaths = 0;
                self.puzzles.remove(&token)?;
                Some(Input::Solved { token, nonce })
            }
            WorkerReply::Derived { .. } => None,
        }
    }

    fn on_solver_death(&mut self) -> Option<Problem> {
        self.solver = None;
        self.deaths += 1;
        if self.puzzles.is_empty() {
            return None;
        }
        if self.deaths <= RESTARTS_MAX {
            self.start_solver();
            return None;
        }
        self.again.set(RESTART_MS);
        (self.deaths == RESTARTS_MAX + 1).then(environment::worker_failed)
    }

    fn on_deriver(&mut self, number: u64, reply: &Reply) -> Option<Input<'static, Command>> {
        let at = self.derivers.iter().position(|d| d.number == number)?;
        let key = match reply {
            Reply::Said(WorkerReply::Derived { key }) => **key,
            Reply::Said(_) | Reply::Again => return None,
            Reply::Died => None,
        };
        // Ends the worker.
        let token = self.derivers.remove(at).token;
        Some(match key {
            Some(key) => Input::Derived { token, key },
            None => Input::DeriveFailed { token },
        })
    }

    fn start_solver(&mut self) {
        self.solver = self.start(Which::Solver);
        if self.solver.is_none() {
            let died = Happened::Worker(Which::Solver, Reply::Died);
            self.inbox.put(died);
        }
        self.post_puzzles(&self.puzzles.keys().copied().collect());
    }

    fn post_puzzles(&self, tokens: &BTreeSet<Token>) {
        let Some(solver) = &self.solver else { return };
        for token in tokens {
            if let Some(puzzle) = self.puzzles.get(token) {
                let message = worker::solve(*token, &puzzle.prefix, &puzzle.target);
                post(&solver.worker, &message);
            }
        }
    }

    fn start(&self, which: Which) -> Option<Handle> {
        let worker: Worker = self
            .new_worker
            .call0(&JsValue::NULL)
            .ok()?
            .dyn_into()
            .ok()?;
        let inbox = self.inbox.clone();
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let reply = match worker::read_reply(&event.data()) {
                Some(reply) => Reply::Said(reply),
                None => Reply::Died,
            };
            inbox.put(Happened::Worker(which, reply));
        });
        let inbox = self.inbox.clone();
        let error = Closure::<dyn FnMut()>::new(move || {
            inbox.put(Happened::Worker(which, Reply::Died));
        });
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        Some(Handle {
            worker,
            _message: message,
            _error: error,
        })
    }
}

fn post(worker: &Worker, message: &JsValue) {
    // Fails only for values that cannot be copied; these are numbers and bytes.
    let _ = worker.post_message(message);
}
