//! Workers of one kind: started when they are wanted, each with a number.
//!
//! Invariant: a number is given once, so what a worker says on its way out is never taken for
//! another's; one that cannot be started is reported dead like one that died.

use std::collections::BTreeMap;

use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker};

use crate::driver::{Happened, Inbox};
use crate::worker::{self, Reply};

/// A worker's number in its pool; larger for later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(u64);

/// What comes from a worker.
pub enum Report {
    Said(Reply),
    /// Its script, or the WASM in it, failed.
    Died,
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

/// Workers of one kind.
pub struct Pool {
    new_worker: Function,
    inbox: Inbox,
    happened: fn(Number, Report) -> Happened,
    started: u64,
    /// Without a handle: could not be started, which is about to be reported.
    workers: BTreeMap<Number, Option<Handle>>,
}

impl Pool {
    /// `new_worker` gives a fresh worker whose script calls `worker_main`; `happened` says what
    /// kind a report is of.
    pub fn new(
        new_worker: Function,
        inbox: Inbox,
        happened: fn(Number, Report) -> Happened,
    ) -> Self {
        Self {
            new_worker,
            inbox,
            happened,
            started: 0,
            workers: BTreeMap::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// The one that has been there longest.
    pub fn first(&self) -> Option<Number> {
        self.workers.keys().next().copied()
    }

    /// Starts a worker.
    pub fn start(&mut self) -> Number {
        self.started += 1;
        let number = Number(self.started);
        let handle = self.handle(number);
        if handle.is_none() {
            self.report_dead(number);
        }
        self.workers.insert(number, handle);
        number
    }

    /// Posts a message, handing over what is in `transfer` instead of copying it.
    pub fn post(&self, number: Number, message: &JsValue, transfer: &Array) {
        let Some(Some(handle)) = self.workers.get(&number) else {
            return;
        };
        // Fails only for values that cannot be copied; these are numbers and bytes.
        let posted = handle.worker.post_message_with_transfer(message, transfer);
        if posted.is_err() {
            self.report_dead(number);
        }
    }

    pub fn post_to_all(&self, message: &JsValue) {
        let nothing = Array::new();
        for number in self.workers.keys() {
            self.post(*number, message, &nothing);
        }
    }

    /// Ends a worker, which may be dead; whether it was there.
    pub fn end(&mut self, number: Number) -> bool {
        self.workers.remove(&number).is_some()
    }

    /// Ends all but the first `count`.
    pub fn shrink(&mut self, count: usize) {
        while self.workers.len() > count {
            self.workers.pop_last();
        }
    }

    fn report_dead(&self, number: Number) {
        self.inbox.put((self.happened)(number, Report::Died));
    }

    fn handle(&self, number: Number) -> Option<Handle> {
        let worker: Worker = self
            .new_worker
            .call0(&JsValue::NULL)
            .ok()?
            .dyn_into()
            .ok()?;
        let happened = self.happened;
        let inbox = self.inbox.clone();
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let report = match worker::read_reply(&event.data()) {
                Some(reply) => Report::Said(reply),
                None => Report::Died,
            };
            inbox.put(happened(number, report));
        });
        let inbox = self.inbox.clone();
        let error = Closure::<dyn FnMut()>::new(move || {
            inbox.put(happened(number, Report::Died));
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
