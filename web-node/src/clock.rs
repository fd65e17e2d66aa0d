//! The two clocks of a browser, on the page and in a worker. `shared::time`.
//!
//! Invariant: `mono` never goes back, whatever the browser does to `performance.now()`.

use std::cell::Cell;

use shared::time::{Millis, Now};
use wasm_bindgen::{JsCast, JsValue};

thread_local! {
    static PERFORMANCE: Option<web_sys::Performance> = performance();
    static LATEST: Cell<Millis> = const { Cell::new(0) };
}

/// Milliseconds since the page or worker started.
pub fn mono() -> Millis {
    let reading = PERFORMANCE.with(|p| p.as_ref().map_or(0.0, web_sys::Performance::now));
    LATEST.with(|latest| {
        let now = latest.get().max(reading as Millis);
        latest.set(now);
        now
    })
}

/// Both clocks.
pub fn now() -> Now {
    Now {
        mono: mono(),
        unix: js_sys::Date::now().max(0.0) as Millis,
    }
}

fn performance() -> Option<web_sys::Performance> {
    let name = JsValue::from_str("performance");
    js_sys::Reflect::get(&js_sys::global(), &name)
        .ok()?
        .dyn_into()
        .ok()
}
