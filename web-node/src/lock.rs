//! One tab at a time: a Web Lock that lasts as long as the page, and can be taken over.
//!
//! Invariant: a tab that lost the lock is told so once. That a tab which lost it writes nothing
//! more is the store's matter (its owner row), since this news may come late. The store also tells
//! why nothing works where the browser refuses locks, so a tab goes on without one.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Promise, Reflect};
use tokio::sync::oneshot;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

const NAME: &str = "wiremin";
/// A page that is being reloaded lets go of its lock a little later than the next one asks.
const TRIES: u32 = 6;
const TRY_EVERY_MS: i32 = 150;

#[wasm_bindgen]
extern "C" {
    /// `LockManager`, which web-sys still calls unstable.
    type Locks;
    #[wasm_bindgen(method, catch)]
    fn request(
        this: &Locks,
        name: &str,
        options: &JsValue,
        granted: &Function,
    ) -> Result<Promise, JsValue>;
}

/// The lock is held by another tab.
#[derive(Debug)]
pub struct HeldElsewhere;

/// The lock, until it is dropped or taken over.
pub struct TabLock {
    /// `None` in a browser without Web Locks, or that refuses them.
    release: Option<Function>,
}

impl Drop for TabLock {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            // Resolving a promise does not throw.
            let _ = release.call0(&JsValue::NULL);
        }
    }
}

/// Takes the lock, from another tab when `steal`. `on_lost` is called when another tab takes it.
pub async fn take(steal: bool, on_lost: impl FnOnce() + 'static) -> Result<TabLock, HeldElsewhere> {
    let without = TabLock { release: None };
    let Some(locks) = locks() else {
        return Ok(without);
    };
    for attempt in 1..=TRIES {
        match request(&locks, steal).await {
            Answer::Granted { release, outcome } => {
                watch(outcome, on_lost);
                return Ok(TabLock {
                    release: Some(release),
                });
            }
            Answer::Refused => return Ok(without),
            Answer::Held if attempt < TRIES => sleep(TRY_EVERY_MS).await,
            Answer::Held => {}
        }
    }
    Err(HeldElsewhere)
}

/// What the browser says to a request for the lock.
enum Answer {
    /// The function that gives it back, and the promise of how it ended.
    Granted { release: Function, outcome: Promise },
    /// Another tab has it.
    Held,
    /// There are no locks for this page: storage is switched off.
    Refused,
}

/// The outcome is rejected when the lock is taken over, and resolved when it is given back.
fn watch(outcome: Promise, on_lost: impl FnOnce() + 'static) {
    spawn_local(async move {
        if JsFuture::from(outcome).await.is_err() {
            on_lost();
        }
    });
}

/// One try.
async fn request(locks: &Locks, steal: bool) -> Answer {
    let options = js_sys::Object::new();
    let option = if steal { "steal" } else { "ifAvailable" };
    // An object of our own takes what it is given.
    let _ = Reflect::set(&options, &JsValue::from_str(option), &JsValue::TRUE);

    let release = Rc::new(RefCell::new(None));
    let keep = release.clone();
    let until_released = Promise::new(&mut |resolve, _| {
        *keep.borrow_mut() = Some(resolve);
    });
    let (tell, told) = oneshot::channel();
    let tell = Rc::new(RefCell::new(Some(tell)));
    let answer = tell.clone();
    let granted = Closure::once_into_js(move |lock: JsValue| {
        let got = !lock.is_null() && !lock.is_undefined();
        send(&answer, got);
        if got {
            JsValue::from(until_released)
        } else {
            JsValue::UNDEFINED
        }
    });
    let Ok(outcome) = locks.request(NAME, &options, granted.unchecked_ref()) else {
        return Answer::Refused;
    };
    // A request that is refused never calls back.
    watch(outcome.clone(), move || drop(tell.take()));
    let got = told.await;
    let release = release.borrow_mut().take();
    match (got, release) {
        (Ok(true), Some(release)) => Answer::Granted { release, outcome },
        (Ok(false), _) => Answer::Held,
        _ => Answer::Refused,
    }
}

fn send(tell: &RefCell<Option<oneshot::Sender<bool>>>, got: bool) {
    if let Some(tell) = tell.borrow_mut().take() {
        // Nobody listens when the page is going.
        let _ = tell.send(got);
    }
}

fn locks() -> Option<Locks> {
    let navigator = web_sys::window()?.navigator();
    let locks = Reflect::get(&navigator, &JsValue::from_str("locks")).ok()?;
    (locks.is_object()).then(|| locks.unchecked_into())
}

async fn sleep(ms: i32) {
    let promise = Promise::new(&mut |resolve, _| {
        if let Some(window) = web_sys::window() {
            // Without a timer the next try follows at once.
            let _ = window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms);
        }
    });
    let _ = JsFuture::from(promise).await;
}
