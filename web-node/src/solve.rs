//! Proof-of-work off the page's thread: one worker, and some more while there is a puzzle that is
//! worth it. All search the same puzzle, each from a nonce of its own; when one has found, the
//! others are told to go on to the next.
//!
//! Invariant: every puzzle that is not cancelled is solved or the person is told. Every worker has
//! all puzzles, in their order, so any of them alone solves all. A worker that dies is replaced at
//! once a few times, then after a minute.

use std::collections::BTreeMap;

use account::api::Problem;
use js_sys::{Array, Function};
use shared::io::{Input, Token};
use wasm_bindgen::JsValue;

use crate::driver::{Command, Happened, Inbox};
use crate::environment;
use crate::pool::{Number, Pool, Report};
use crate::timer::Timer;
use crate::worker::{self, Reply};

/// Workers at most, whatever the machine has.
const WORKERS_MAX: usize = 4;
/// Expected hashes from which on further workers pay: a tenth of a second of one, or a few tenths
/// on a telephone.
const LARGE_HASHES: u64 = 1 << 20;
/// How long further workers stay after the last puzzle that was worth them.
const IDLE_MS: u64 = 60_000;
/// Deaths of workers that are put right by starting others at once.
const RESTARTS_MAX: u32 = 3;
/// How long the next ones wait when they went on dying.
const RESTART_MS: u64 = 60_000;

struct Puzzle {
    /// What tells a worker of it.
    message: JsValue,
    large: bool,
    /// Those of workers that are gone count: progress never goes back.
    hashes: BTreeMap<Number, u64>,
}

/// The workers that solve, and what they have to do.
pub struct Solvers {
    pool: Pool,
    /// Workers while there is a large puzzle.
    workers_max: usize,
    puzzles: BTreeMap<Token, Puzzle>,
    idle: Timer,
    /// Since a puzzle was solved.
    deaths: u32,
    again: Timer,
    /// Too many have died, and it is not yet time to start others.
    resting: bool,
    /// The person knows that nobody solves.
    told: bool,
}

impl Solvers {
    /// See [`Pool::new`].
    pub fn new(new_worker: Function, inbox: Inbox) -> Self {
        let (tell_idle, tell_again) = (inbox.clone(), inbox.clone());
        Self {
            pool: Pool::new(new_worker, inbox, Happened::Solver),
            workers_max: environment::cores().clamp(1, WORKERS_MAX),
            puzzles: BTreeMap::new(),
            idle: Timer::new(move || tell_idle.put(Happened::SolversIdle)),
            deaths: 0,
            again: Timer::new(move || tell_again.put(Happened::SolversAgain)),
            resting: false,
            told: false,
        }
    }

    /// Queues a puzzle, as in `Output::Solve`.
    pub fn solve(&mut self, token: Token, prefix: &[u8; 32], target: &[u8; 32], expected: u64) {
        let puzzle = Puzzle {
            message: worker::solve(token, prefix, target),
            large: expected >= LARGE_HASHES,
            hashes: BTreeMap::new(),
        };
        self.pool.post_to_all(&puzzle.message);
        self.puzzles.insert(token, puzzle);
        self.fill();
    }

    /// Drops a puzzle.
    pub fn cancel(&mut self, token: Token) {
        self.end(token);
    }

    /// What a worker's report means to the node and to the person.
    pub fn on(
        &mut self,
        number: Number,
        report: Report,
    ) -> (Option<Input<'static, Command>>, Option<Problem>) {
        match report {
            Report::Said(said) => (self.on_said(number, said), None),
            Report::Died => (None, self.on_death(number)),
        }
    }

    /// It is time to start workers in place of those that died.
    pub fn on_again(&mut self) {
        self.resting = false;
        self.fill();
    }

    /// It is time to let further workers go, so that their memory comes back.
    pub fn on_idle(&mut self) {
        if !self.is_large() {
            self.pool.shrink(1);
        }
    }

    fn on_said(&mut self, number: Number, said: Reply) -> Option<Input<'static, Command>> {
        match said {
            Reply::Solving { token, hashes } => {
                let puzzle = self.puzzles.get_mut(&token)?;
                puzzle.hashes.insert(number, hashes);
                let hashes = puzzle.hashes.values().sum();
                // One's reports set the pace for all.
                (self.pool.first() == Some(number)).then_some(Input::Solving { token, hashes })
            }
            Reply::Solved { token, nonce } => {
                if !self.resting {
                    self.deaths = 0;
                }
                self.told = false;
                self.end(token).then_some(Input::Solved { token, nonce })
            }
            Reply::Derived { .. } => None,
        }
    }

    fn on_death(&mut self, number: Number) -> Option<Problem> {
        if !self.pool.end(number) {
            return None;
        }
        self.deaths += 1;
        if self.puzzles.is_empty() {
            return None;
        }
        if self.deaths <= RESTARTS_MAX {
            self.fill();
            return None;
        }
        self.resting = true;
        self.again.set(RESTART_MS);
        if self.pool.len() > 0 || self.told {
            return None;
        }
        self.told = true;
        Some(environment::worker_failed())
    }

    /// Takes a puzzle from all workers; whether it was there. The others may have found as well.
    fn end(&mut self, token: Token) -> bool {
        let Some(puzzle) = self.puzzles.remove(&token) else {
            return false;
        };
        self.pool.post_to_all(&worker::cancel(token));
        if puzzle.large {
            self.idle.set(IDLE_MS);
        }
        true
    }

    fn is_large(&self) -> bool {
        self.puzzles.values().any(|puzzle| puzzle.large)
    }

    /// Starts the workers that pay and are not there.
    fn fill(&mut self) {
        let wanted = if self.is_large() && !self.resting {
            self.workers_max
        } else {
            self.puzzles.len().min(1)
        };
        let nothing = Array::new();
        while self.pool.len() < wanted {
            let number = self.pool.start();
            for puzzle in self.puzzles.values() {
                self.pool.post(number, &puzzle.message, &nothing);
            }
        }
    }
}
