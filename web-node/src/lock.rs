//! One tab at a time: a Web Lock that lasts as long as the page, and can be taken over.
//!
//! Invariant: a tab that lost the lock is told so once. That a tab which lost it writes nothing
//! more is the store's matter (its owner row), since this news may come late.

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
    /// `None` in a browser without Web Locks.
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
    let Some(locks) = locks() else {
        return Ok(TabLock { release: None });
    };
    let mut on_lost = Some(on_lost);
    for attempt in 1..=TRIES {
        match request(&locks, steal).await {
            Some((release, outcome)) => {
                if let Some(on_lost) = on_lost.take() {
                    watch(outcome, on_lost);
                }
                return Ok(TabLock {
                    release: Some(release),
                });
            }
            None if attempt < TRIES => sleep(TRY_EVERY_MS).await,
            None => {}
        }
    }
    Err(HeldElsewhere)
}

/// The outcome is rejected when the lock is taken over, and resolved when it is given back.
fn watch(outcome: Promise, on_lost: impl FnOnce() + 'static) {
    spawn_local(async move {
        if JsFuture::from(outcome).await.is_err() {
            on_lost();
        }
    });
}

/// One try: the function that gives the lock back, and the promise of how it ended.
async fn request(locks: &Locks, steal: bool) -> Option<(Function, Promise)> {
    let options = js_sys::Object::new();
    let option = if steal { "steal" } else { "ifAvailable" };
    Reflect::set(&options, &JsValue::from_str(option), &JsValue::TRUE).ok()?;

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
    let outcome = locks
        .request(NAME, &options, granted.unchecked_ref())
        .ok()?;
    // A request that is refused never calls back.
    watch(outcome.clone(), move || send(&tell, false));
    let got = told.await.unwrap_or(false);
    let release = release.borrow_mut().take();
    release.filter(|_| got).map(|release| (release, outcome))
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
