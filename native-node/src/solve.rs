//! Proof-of-work as an effect: one worker thread, puzzles in the order they came, progress and
//! cancel.
//!
//! Invariant: nothing is told about a puzzle after its cancellation was taken, except what was on
//! its way already.

use crate::pow::Solver;
use shared::io::Token;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// What the worker tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solving {
    /// Hashes so far.
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
    token: Token,
    solver: Solver,
}

#[derive(Default)]
struct Shared {
    /// Waiting or being solved, and wanted.
    wanted: Mutex<BTreeSet<Token>>,
    /// The puzzle being solved is not wanted any more.
    cancel: AtomicBool,
}

/// The worker. Dropping it ends the thread within a few milliseconds.
pub struct SolveWorker {
    shared: Arc<Shared>,
    puzzles: mpsc::Sender<Puzzle>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SolveWorker {
    /// Starts the thread; `tell` is called on it.
    pub fn start(tell: impl Fn(Solving) + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (puzzles, queue) = mpsc::channel();
        let worker = shared.clone();
        std::thread::Builder::new()
            .name("solve".into())
            .spawn(move || work(&worker, &queue, &tell))?;
        Ok(Self { shared, puzzles })
    }

    /// Queues a puzzle, as in `Output::Solve`.
    pub fn solve(&self, token: Token, prefix: [u8; 32], target: [u8; 32]) {
        lock(&self.shared.wanted).insert(token);
        let mut start = [0; 8];
        // A fixed start would do as well: it shows only how many nonces were tried.
        let _ = getrandom::fill(&mut start);
        let solver = Solver::new(prefix, target, u64::from_le_bytes(start));
        // The thread ends only after this sender is gone.
        let _ = self.puzzles.send(Puzzle { token, solver });
    }

    /// Gives a puzzle up.
    pub fn cancel(&self, token: Token) {
        let mut wanted = lock(&self.shared.wanted);
        if wanted.remove(&token) {
            // If another one is being solved it looks at `wanted` and goes on.
            self.shared.cancel.store(true, Relaxed);
        }
    }
}

impl Drop for SolveWorker {
    fn drop(&mut self) {
        lock(&self.shared.wanted).clear();
        self.shared.cancel.store(true, Relaxed);
    }
}

fn work(shared: &Shared, queue: &mpsc::Receiver<Puzzle>, tell: &impl Fn(Solving)) {
    while let Ok(Puzzle { token, solver }) = queue.recv() {
        let mut told = Instant::now();
        let mut solver = solver;
        let mut before = 0;
        loop {
            {
                let wanted = lock(&shared.wanted);
                if !wanted.contains(&token) {
                    break;
                }
                shared.cancel.store(false, Relaxed);
            }
            let mut done = before;
            let solved = solver.solve(&shared.cancel, |hashes| {
                done = before + hashes;
                if told.elapsed() >= PROGRESS_EVERY {
                    told = Instant::now();
                    tell(Solving::Progress {
                        token,
                        hashes: done,
                    });
                }
            });
            match solved {
                Ok(nonce) => {
                    if lock(&shared.wanted).remove(&token) {
                        tell(Solving::Solved { token, nonce });
                    }
                    break;
                }
                // Perhaps another one was meant.
                Err(_) => {
                    solver = solver.skip(done - before);
                    before = done;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use sha2::{Digest, Sha256};

    /// Nobody finds that.
    const IMPOSSIBLE: [u8; 32] = [0; 32];

    #[test]
    fn in_order_and_around_cancelled_ones() {
        let (tell, told) = mpsc::channel();
        let worker = SolveWorker::start(move |solving| {
            let _ = tell.send(solving);
        })
        .unwrap();
        let mut easy = [0xff; 32];
        easy[0] = 0;
        worker.solve(Token(1), [1; 32], IMPOSSIBLE);
        worker.solve(Token(2), [2; 32], IMPOSSIBLE);
        worker.solve(Token(3), [3; 32], easy);
        worker.solve(Token(4), [4; 32], easy);
        worker.cancel(Token(2));
        worker.cancel(Token(9));
        worker.cancel(Token(1));
        let mut solved = Vec::new();
        while solved.len() < 2 {
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
        assert_eq!(solved, [3, 4]);
    }

    #[test]
    fn progress_is_told_and_dropping_ends_it() {
        let (tell, told) = mpsc::channel();
        let worker = SolveWorker::start(move |solving| {
            let _ = tell.send(solving);
        })
        .unwrap();
        worker.solve(Token(1), [1; 32], IMPOSSIBLE);
        let first = told.recv().unwrap();
        assert!(matches!(first, Solving::Progress { token: Token(1), hashes } if hashes > 0));
        worker.cancel(Token(4));
        let next = told.recv().unwrap();
        assert!(matches!(
            next,
            Solving::Progress {
                token: Token(1),
                ..
            }
        ));
        drop(worker);
        // The thread ends, and with it the channel.
        while told.recv().is_ok() {}
    }
}
