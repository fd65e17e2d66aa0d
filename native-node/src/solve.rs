//! Proof-of-work as an effect: a few threads that search the same puzzle, puzzles in the order they
//! came, progress and cancel.
//!
//! Invariant: what is told is told under the queue's lock, about a puzzle that is in it; so
//! solutions come in order, once each, and nothing comes after a cancellation.

use crate::pow::Solver;
use shared::io::Token;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// Threads at most: a relay has other things to do, and people notice a machine that is all busy.
const THREADS_MAX: usize = 4;
/// Expected hashes from which on all threads search: a few hundredths of a second of one.
const LARGE_HASHES: u64 = 1 << 20;

/// What the threads tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solving {
    /// Hashes so far, of all threads together.
    Progress {
        token: Token,
        hashes: u64,
    },
    Solved {
        token: Token,
        nonce: u64,
    },
}

struct Puzzle {
    prefix: [u8; 32],
    target: [u8; 32],
    /// Where the first thread begins; the others share the rest of the nonces evenly.
    start: u64,
    large: bool,
    /// Hashes of all threads.
    hashes: AtomicU64,
    /// Solved or cancelled.
    over: AtomicBool,
}

#[derive(Default)]
struct Queue {
    /// Those that are wanted. The first one is searched: later puzzles have larger tokens.
    puzzles: BTreeMap<Token, Arc<Puzzle>>,
    closed: bool,
}

impl Queue {
    /// Takes a puzzle out, so that all threads leave it; whether it was there.
    fn end(&mut self, token: Token) -> bool {
        let puzzle = self.puzzles.remove(&token);
        if let Some(puzzle) = &puzzle {
            puzzle.over.store(true, Relaxed);
        }
        puzzle.is_some()
    }
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while holding it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to search; `None` at the end.
    fn next(&self, thread: usize) -> Option<(Token, Arc<Puzzle>)> {
        let mut queue = self.lock();
        while !queue.closed {
            let first = queue.puzzles.first_key_value();
            if let Some((token, puzzle)) = first.filter(|(_, first)| thread == 0 || first.large) {
                return Some((*token, puzzle.clone()));
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        None
    }
}

/// The threads. Dropping it ends them within a few milliseconds.
pub struct Solvers {
    shared: Arc<Shared>,
}

impl Solvers {
    /// Starts the threads; `tell` is called on them, and must not wait for anything.
    pub fn start(tell: impl Fn(Solving) + Send + Sync + 'static) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::start_threads(cores.min(THREADS_MAX), tell)
    }

    fn start_threads(
        count: usize,
        tell: impl Fn(Solving) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        // Dropped on failure, which ends those that run.
        let solvers = Self {
            shared: Arc::default(),
        };
        let tell = Arc::new(tell);
        for thread in 0..count {
            let (shared, tell) = (solvers.shared.clone(), tell.clone());
            std::thread::Builder::new()
                .name(format!("solve {thread}"))
                .spawn(move || work(&shared, thread, &*tell))?;
        }
        Ok(solvers)
    }

    /// Queues a puzzle, as in `Output::Solve`.
    pub fn solve(&self, token: Token, prefix: [u8; 32], target: [u8; 32], expected: u64) {
        let mut start = [0; 8];
        // A fixed start would do as well: it shows only how many nonces were tried.
        let _ = getrandom::fill(&mut start);
        let puzzle = Puzzle {
            prefix,
            target,
            start: u64::from_le_bytes(start),
            large: expected >= LARGE_HASHES,
            hashes: AtomicU64::new(0),
            over: AtomicBool::new(false),
        };
        self.shared.lock().puzzles.insert(token, Arc::new(puzzle));
        self.shared.changed.notify_all();
    }

    /// Gives a puzzle up.
    pub fn cancel(&self, token: Token) {
        self.shared.lock().end(token);
        self.shared.changed.notify_all();
    }
}

impl Drop for Solvers {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        for puzzle in std::mem::take(&mut queue.puzzles).into_values() {
            puzzle.over.store(true, Relaxed);
        }
        self.shared.changed.notify_all();
    }
}

fn work(shared: &Shared, thread: usize, tell: &impl Fn(Solving)) {
    const SHARE: u64 = u64::MAX / THREADS_MAX as u64;
    while let Some((token, puzzle)) = shared.next(thread) {
        let start = puzzle.start.wrapping_add(thread as u64 * SHARE);
        let solver = Solver::new(puzzle.prefix, puzzle.target, start);
        let mut told = Instant::now();
        let mut own_before = 0;
        let solved = solver.solve(&puzzle.over, |own| {
            puzzle.hashes.fetch_add(own - own_before, Relaxed);
            own_before = own;
            // One tells for all.
            if thread == 0 && told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                let hashes = puzzle.hashes.load(Relaxed);
                let queue = shared.lock();
                if queue.puzzles.contains_key(&token) {
                    tell(Solving::Progress { token, hashes });
                }
            }
        });
        if let Ok(nonce) = solved {
            let mut queue = shared.lock();
            if queue.end(token) {
                tell(Solving::Solved { token, nonce });
                shared.changed.notify_all();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use sha2::{Digest, Sha256};
    use std::sync::mpsc;

    /// Nobody finds that.
    const IMPOSSIBLE: [u8; 32] = [0; 32];
    const SMALL: u64 = 1;
    const LARGE: u64 = LARGE_HASHES;

    fn start(threads: usize) -> (Solvers, mpsc::Receiver<Solving>) {
        let (tell, told) = mpsc::channel();
        let tell = move |solving| {
            let _ = tell.send(solving);
        };
        (Solvers::start_threads(threads, tell).unwrap(), told)
    }

    fn easy() -> [u8; 32] {
        let mut target = [0xff; 32];
        target[0] = 0;
        target
    }

    fn in_order_and_around_cancelled_ones(threads: usize, expected: u64) {
        let (solvers, told) = start(threads);
        for token in 1..=9 {
            let target = if token <= 2 { IMPOSSIBLE } else { easy() };
            solvers.solve(Token(token), [token as u8; 32], target, expected);
        }
        for token in [2, 99, 1] {
            solvers.cancel(Token(token));
        }
        let mut solved = Vec::new();
        while solved.len() < 7 {
            if let Solving::Solved { token, nonce } = told.recv().unwrap() {
                let prefix = [u8::try_from(token.0).unwrap(); 32];
                let hash = Sha256::new()
                    .chain_update(prefix)
                    .chain_update(nonce.to_le_bytes())
                    .finalize();
                assert_eq!(hash[0], 0);
                solved.push(token.0);
            }
        }
        assert_eq!(solved, [3, 4, 5, 6, 7, 8, 9]);
        drop(solvers);
        assert_eq!(told.iter().count(), 0);
    }

    #[test]
    fn one_thread_solves_in_order() {
        in_order_and_around_cancelled_ones(1, LARGE);
    }

    #[test]
    fn many_threads_solve_in_order_once_each() {
        for _ in 0..20 {
            in_order_and_around_cancelled_ones(4, LARGE);
        }
        in_order_and_around_cancelled_ones(4, SMALL);
    }

    #[test]
    fn all_threads_search_what_is_large_and_one_what_is_small() {
        let (solvers, _told) = start(3);
        let searching = |token, count: usize| {
            let puzzle = solvers.shared.lock().puzzles[&token].clone();
            // The queue has one, this test another.
            while Arc::strong_count(&puzzle) != count + 2 {
                std::thread::yield_now();
            }
        };
        solvers.solve(Token(1), [1; 32], IMPOSSIBLE, LARGE);
        solvers.solve(Token(2), [2; 32], IMPOSSIBLE, SMALL);
        searching(Token(1), 3);
        searching(Token(2), 0);
        solvers.cancel(Token(1));
        searching(Token(2), 1);
    }

    #[test]
    fn progress_is_told_and_grows_and_dropping_ends_it() {
        let (solvers, told) = start(2);
        solvers.solve(Token(1), [1; 32], IMPOSSIBLE, LARGE);
        let mut before = 0;
        for _ in 0..3 {
            let Ok(Solving::Progress { token, hashes }) = told.recv() else {
                panic!("not progress");
            };
            assert_eq!(token, Token(1));
            assert!(hashes > before);
            before = hashes;
            solvers.cancel(Token(4));
        }
        drop(solvers);
        // The threads end, and with them the channel.
        while told.recv().is_ok() {}
    }
}
