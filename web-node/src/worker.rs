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
//! Invariant: a search gives way to messages four times a second, so a cancelled puzzle costs no
//! more than that.

use std::cell::RefCell;
use std::collections::VecDeque;

use account::passcode::argon2id;
use js_sys::{Array, BigInt, Uint8Array};
use shared::io::{KdfCost, Token};
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};
use zeroize::{Zeroize, Zeroizing};

use crate::timer::Timer;
use crate::{clock, pow};

/// How long a search goes on before the worker looks at its messages.
const SLICE_MS: u64 = 250;
/// Hashes of the first slice, when the speed is not known.
const FIRST_SLICE_HASHES: u64 = 1 << 18;
/// Hashes of the shortest slice.
const SLICE_HASHES_MIN: u64 = 1 << 12;
/// Hashes of the longest slice.
const SLICE_HASHES_MAX: u64 = 1 << 32;

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
    slice_hashes: u64,
    /// Runs the next slice.
    next: Option<Timer>,
}

thread_local! {
    static BENCH: RefCell<Bench> = const { RefCell::new(Bench {
        searches: VecDeque::new(),
        slice_hashes: FIRST_SLICE_HASHES,
        next: None,
    }) };
}

/// What the script of a worker calls, once.
#[wasm_bindgen]
pub fn worker_main() {
    BENCH.with_borrow_mut(|bench| bench.next = Some(Timer::new(slice)));
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
        let hashes = bench.slice_hashes;
        let Some(search) = bench.searches.front_mut() else {
            return;
        };
        let started = clock::mono();
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
                say("solving", token, JsValue::from_f64(search.hashes as f64));
                bench.slice_hashes = next_slice(hashes, clock::mono() - started);
            }
        }
        if !bench.searches.is_empty() {
            bench.go_on();
        }
    });
}

/// Hashes of the slice after one of `hashes` that took `took_ms` by the browser's clock. That may
/// be rounded to 100 ms, and tell 0 for far more: so it grows by steps.
fn next_slice(hashes: u64, took_ms: u64) -> u64 {
    let wanted = hashes.saturating_mul(SLICE_MS) / took_ms.max(1);
    let most = hashes.saturating_mul(4).min(SLICE_HASHES_MAX);
    wanted.clamp(SLICE_HASHES_MIN, most.max(SLICE_HASHES_MIN))
}

impl Bench {
    /// After the messages that wait.
    fn go_on(&self) {
        if let Some(next) = &self.next {
            next.set(0);
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

    #[test]
    fn slices_last_as_wanted_whatever_the_clock() {
        assert_eq!(next_slice(1 << 18, 250), 1 << 18);
        assert_eq!(next_slice(1 << 18, 500), 1 << 17);
        // A clock that stands still.
        assert_eq!(next_slice(1 << 18, 0), 1 << 20);
        assert_eq!(next_slice(SLICE_HASHES_MAX, 0), SLICE_HASHES_MAX);
        assert_eq!(next_slice(1 << 18, 1 << 30), SLICE_HASHES_MIN);
        assert_eq!(next_slice(u64::MAX, u64::MAX), SLICE_HASHES_MIN);
    }
}
