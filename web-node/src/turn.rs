//! A call after the messages that wait.
//!
//! Invariant: it calls once for each time it was set. `setTimeout` would add 4 ms each time
//! (HTML standard, 8.6: nested timers), a fifth of a slice of work.

use wasm_bindgen::prelude::*;
use web_sys::{MessageChannel, MessagePort};

/// Calls its function when it is this worker's turn again.
pub struct Turn {
    from: MessagePort,
    to: MessagePort,
    _call: Closure<dyn FnMut()>,
}

impl Turn {
    /// `None` where the browser has no message channels.
    pub fn new(call: impl FnMut() + 'static) -> Option<Self> {
        let channel = MessageChannel::new().ok()?;
        let (from, to) = (channel.port1(), channel.port2());
        let call = Closure::<dyn FnMut()>::new(call);
        to.set_onmessage(Some(call.as_ref().unchecked_ref()));
        Some(Self {
            from,
            to,
            _call: call,
        })
    }

    pub fn set(&self) {
        // Fails only for values that cannot be copied.
        let _ = self.from.post_message(&JsValue::NULL);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.to.set_onmessage(None);
    }
}
