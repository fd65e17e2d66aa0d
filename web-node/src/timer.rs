//! One `setTimeout`, set again and again.
//!
//! Invariant: it calls once for each time it was set and not cleared, and never after it was
//! dropped.

use std::cell::Cell;
use std::rc::Rc;

use wasm_bindgen::prelude::*;

/// The longest delay browsers take; the driver sets its timer again when woken early.
const DELAY_MS_MAX: u64 = i32::MAX as u64;

#[wasm_bindgen]
extern "C" {
    // Global in pages and workers alike.
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(call: &js_sys::Function, ms: i32) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: &JsValue);
}

/// Calls its function some time after it was set.
pub struct Timer {
    call: Closure<dyn FnMut()>,
    pending: Rc<Cell<bool>>,
    id: Cell<JsValue>,
}

impl Timer {
    pub fn new(mut call: impl FnMut() + 'static) -> Self {
        let pending = Rc::new(Cell::new(false));
        let fired = pending.clone();
        let call = Closure::new(move || {
            fired.set(false);
            call();
        });
        Self {
            call,
            pending,
            id: Cell::new(JsValue::UNDEFINED),
        }
    }

    /// Calls in `ms` milliseconds, in place of what was set before.
    pub fn set(&self, ms: u64) {
        self.clear();
        let ms = ms.min(DELAY_MS_MAX) as i32;
        self.id
            .set(set_timeout(self.call.as_ref().unchecked_ref(), ms));
        self.pending.set(true);
    }

    pub fn clear(&self) {
        if self.pending.replace(false) {
            clear_timeout(&self.id.replace(JsValue::UNDEFINED));
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.clear();
    }
}
