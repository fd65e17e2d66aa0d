//! The worker's side of slow work, and the messages between page and worker: arrays that begin with
//! what they are.
//!
//! ```text
//! page -> worker   ["solve", token, prefix, target]   ["cancel", token]
//!                  ["derive", token, secret, salt, memory KiB, passes, lanes]
//! worker -> page   ["solving", token, hashes]   ["solved", token, nonce: bigint]
//!                  ["derived", token, key or null]
//! ```
//!
//! Invariant: a search gives way to messages some fifty times a second, so a puzzle that was
//! cancelled, or solved by another worker, costs no more than that.

use std::cell::RefCell;
use std::collections::VecDeque;

use account::passcode::argon2id;
use js_sys::{Array, BigInt, Uint8Array};
use shared::io::{KdfCost, Token};
use shared::time::Millis;
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};
use zeroize::{Zeroize, Zeroizing};

use crate::turn::Turn;
use crate::{clock, pow};

/// How long a search goes on before the worker looks at its messages.
const SLICE_MS: u64 = 20;
/// How often progress is told.
const TELL_MS: u64 = 250;
/// Hashes of a slice while the speed is not known. Few: a browser replaces the code of its first,
/// quick compiler between two calls only.
const FIRST_SLICE_HASHES: u64 = 1 << 16;
/// Hashes of the shortest slice.
const SLICE_HASHES_MIN: u64 = 1 << 12;

/// What a worker answers.
pub enum Reply {
    Solving {
        token: Token,
        hashes: u64,
    },
    Solved {
        token: Token,
        nonce: u64,
    },
    /// `None`: this machine could not derive.
    Derived {
        key: Zeroizing<Option<[u8; 32]>>,
    },
}

/// A puzzle for the worker.
pub fn solve(token: Token, prefix: &[u8; 32], target: &[u8; 32]) -> JsValue {
    let parts = [number(token), binary(prefix), binary(target)];
    message("solve", &parts)
}

/// A puzzle that is not wanted any more.
pub fn cancel(token: Token) -> JsValue {
    message("cancel", &[number(token)])
}

/// A derivation.
pub fn derive(token: Token, secret: &Uint8Array, salt: &[u8; 16], cost: &KdfCost) -> JsValue {
    let KdfCost {
        memory_kib,
        passes,
        lanes,
    } = *cost;
    let parts = [
        number(token),
        secret.into(),
        binary(salt),
        memory_kib.into(),
        passes.into(),
        lanes.into(),
    ];
    message("derive", &parts)
}

/// An answer; `None` when it is none.
pub fn read_reply(data: &JsValue) -> Option<Reply> {
    let parts: &Array = data.dyn_ref()?;
    let token = read_token(&parts.get(1))?;
    match parts.get(0).as_string()?.as_str() {
        "solving" => Some(Reply::Solving {
            token,
            hashes: parts.get(2).as_f64()? as u64,
        }),
        "solved" => Some(Reply::Solved {
            token,
            nonce: u64::try_from(parts.get(2).dyn_into::<BigInt>().ok()?).ok()?,
        }),
        "derived" => {
            let array = parts.get(2).dyn_into::<Uint8Array>().ok();
            let key = Zeroizing::new(array.as_ref().and_then(read_array));
            if let Some(array) = array {
                array.fill(0, 0, array.length());
            }
            Some(Reply::Derived { key })
        }
        _ => None,
    }
}

fn message(kind: &str, parts: &[JsValue]) -> JsValue {
    let array = Array::of1(&kind.into());
    for part in parts {
        array.push(part);
    }
    array.into()
}

/// Tokens count from 1, far below what a double holds exactly.
fn number(token: Token) -> JsValue {
    JsValue::from_f64(token.0 as f64)
}

fn read_token(value: &JsValue) -> Option<Token> {
    value.as_f64().map(|token| Token(token as u64))
}

fn binary(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

fn read_array<const N: usize>(array: &Uint8Array) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (array.length() as usize == N).then(|| {
        array.copy_to(&mut bytes);
        bytes
    })
}

fn read_bytes<const N: usize>(value: &JsValue) -> Option<[u8; N]> {
    read_array(value.dyn_ref()?)
}

struct Search {
    token: Token,
    prefix: [u8; 32],
    target: [u8; 32],
    next: u64,
    hashes: u64,
}

/// What the worker has to do.
struct Bench {
    searches: VecDeque<Search>,
    pace: Pace,
    /// Runs the next slice.
    next: Option<Turn>,
}

/// How much is done at a time: learned from what was done since progress was told.
struct Pace {
    slice_hashes: u64,
    since: Millis,
    hashes: u64,
}

thread_local! {
    static BENCH: RefCell<Bench> = const { RefCell::new(Bench {
        searches: VecDeque::new(),
        pace: Pace { slice_hashes: FIRST_SLICE_HASHES, since: 0, hashes: 0 },
        next: None,
    }) };
}

/// What the script of a worker calls, once.
#[wasm_bindgen]
pub fn worker_main() {
    BENCH.with_borrow_mut(|bench| bench.next = Turn::new(slice));
    let listen = Closure::<dyn FnMut(MessageEvent)>::new(|event: MessageEvent| {
        on_message(&event.data());
    });
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    // A worker without messages is of no use and ends with its page.
    let _ = scope.add_event_listener_with_callback("message", listen.as_ref().unchecked_ref());
    listen.forget();
}

/// Messages come from our own page; one that is malformed is dropped.
fn on_message(data: &JsValue) -> Option<()> {
    let parts: &Array = data.dyn_ref()?;
    let token = read_token(&parts.get(1))?;
    match parts.get(0).as_string()?.as_str() {
        "solve" => {
            let mut start = [0; 8];
            // A fixed start would do as well: it shows only how many nonces were tried.
            let _ = getrandom::fill(&mut start);
            let search = Search {
                token,
                prefix: read_bytes(&parts.get(2))?,
                target: read_bytes(&parts.get(3))?,
                next: u64::from_le_bytes(start),
                hashes: 0,
            };
            BENCH.with_borrow_mut(|bench| {
                bench.searches.push_back(search);
                if bench.searches.len() == 1 {
                    bench.pace.start(clock::mono());
                    bench.go_on();
                }
            });
        }
        "cancel" => BENCH.with_borrow_mut(|bench| {
            bench.searches.retain(|search| search.token != token);
        }),
        "derive" => on_derive(token, parts)?,
        _ => {}
    }
    Some(())
}

fn on_derive(token: Token, parts: &Array) -> Option<()> {
    let array: Uint8Array = parts.get(2).dyn_into().ok()?;
    let mut secret = array.to_vec();
    array.fill(0, 0, array.length());
    let salt = read_bytes(&parts.get(3))?;
    let count = |at: u32| parts.get(at).as_f64().map(|n| n as u32);
    let cost = KdfCost {
        memory_kib: count(4)?,
        passes: count(5)?,
        lanes: count(6)?,
    };
    let key = argon2id(&secret, &salt, &cost);
    secret.zeroize();
    let key = key.map_or(JsValue::NULL, |key| binary(key.as_bytes()));
    say("derived", token, key);
    Some(())
}

/// One slice of the first search.
fn slice() {
    BENCH.with_borrow_mut(|bench| {
        let hashes = bench.pace.slice_hashes;
        let Some(search) = bench.searches.front_mut() else {
            return;
        };
        let found = pow::search(&search.prefix, &search.target, search.next, hashes);
        let token = search.token;
        match found {
            Some(nonce) => {
                bench.searches.pop_front();
                say("solved", token, BigInt::from(nonce).into());
            }
            None => {
                search.next = search.next.wrapping_add(hashes);
                search.hashes += hashes;
                if bench.pace.on_slice(clock::mono()) {
                    say("solving", token, JsValue::from_f64(search.hashes as f64));
                }
            }
        }
        if !bench.searches.is_empty() {
            bench.go_on();
        }
    });
}

impl Pace {
    fn start(&mut self, now: Millis) {
        self.since = now;
        self.hashes = 0;
    }

    /// After a slice in which nothing was found; whether it is time to tell progress. A browser's
    /// clock may be rounded to 100 ms, so no shorter time than that between two tellings is used.
    fn on_slice(&mut self, now: Millis) -> bool {
        self.hashes = self.hashes.saturating_add(self.slice_hashes);
        let took_ms = now.saturating_sub(self.since);
        if took_ms < TELL_MS {
            return false;
        }
        let wanted = self.hashes.saturating_mul(SLICE_MS) / took_ms;
        self.slice_hashes = wanted.max(SLICE_HASHES_MIN);
        self.start(now);
        true
    }
}

impl Bench {
    /// After the messages that wait.
    fn go_on(&self) {
        if let Some(next) = &self.next {
            next.set();
        }
    }
}

fn say(kind: &str, token: Token, value: JsValue) {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    // Fails only for values that cannot be copied; these are numbers and bytes.
    let _ = scope.post_message(&message(kind, &[number(token), value]));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(slice_hashes: u64) -> Pace {
        Pace {
            slice_hashes,
            since: 1_000,
            hashes: 0,
        }
    }

    #[test]
    fn slices_last_as_wanted_and_progress_is_told_in_time() {
        let mut pace = pace(1 << 16);
        // Slices of 5 ms are four times too short.
        let tellings = (1..=50).filter(|i| pace.on_slice(1_000 + 5 * i));
        assert_eq!(tellings.collect::<Vec<_>>(), [50]);
        assert_eq!(pace.slice_hashes, 1 << 18);
        assert!(!pace.on_slice(1_270));
    }

    #[test]
    fn slices_last_as_wanted_whatever_the_clock() {
        // Rounded to 100 ms: 300 ms pass before a quarter of a second is seen.
        let mut rounded = pace(1 << 16);
        let told = (1..=100).find(|i| rounded.on_slice(1_000 + i * 3 / 100 * 100));
        assert_eq!(told, Some(100));
        assert_eq!(rounded.slice_hashes, 100 * (1 << 16) * 20 / 300);
        // A machine that slept, and a clock that stands still.
        let mut slept = pace(1 << 16);
        assert!(slept.on_slice(1 << 40));
        assert_eq!(slept.slice_hashes, SLICE_HASHES_MIN);
        let mut still = pace(u64::MAX);
        assert!((0..100).all(|_| !still.on_slice(1_000)));
        assert_eq!(still.slice_hashes, u64::MAX);
    }
}
