//! What this browser must have, and every error of the browser that a person can meet.
//!
//! Invariant: each problem says what happened, whether data is safe, and what to do now.

use account::api::Problem;
use wasm_bindgen::{JsCast, JsValue};

use crate::store::DbError;

fn problem(code: &str, happened: &str, safe: &str, todo: &str) -> Problem {
    Problem {
        code: code.to_string(),
        happened: happened.to_string(),
        safe: safe.to_string(),
        todo: todo.to_string(),
    }
}

const NOTHING_HAPPENED: &str = "Nothing was opened or sent.";

/// Something that WireMin needs is not there.
pub fn unsupported_browser(missing: &str) -> Problem {
    problem(
        "unsupported_browser",
        &format!("This browser lacks what WireMin needs: {missing}."),
        NOTHING_HAPPENED,
        "Use a current Firefox, Chrome, Edge or Safari, outside of any lockdown mode.",
    )
}

/// The database cannot be opened.
pub fn cannot_open(error: &DbError) -> Problem {
    let untouched = "Nothing was opened or sent. What is stored here is untouched.";
    match error {
        DbError::Full => problem(
            "disk_full",
            "The disk, or what this browser gives this page of it, is full.",
            untouched,
            "Free some space, 10 MB or more, then reload.",
        ),
        DbError::TakenOver => taken_over(),
        DbError::Newer => problem(
            "store_newer",
            "What is stored here was written by a newer version of WireMin.",
            untouched,
            "Reload the page, so that it is as new.",
        ),
        DbError::Forbidden => problem(
            "private_mode",
            "This browser keeps no data for this page: a private window, or storage is switched \
             off.",
            untouched,
            "Open the page in an ordinary window, or allow it to keep data, then reload.",
        ),
        DbError::Unavailable | DbError::Closed | DbError::Emptied => problem(
            "store_unavailable",
            "The browser cannot open what it keeps for this page.",
            untouched,
            "Close all windows of the browser and open the page again. If it stays so, the \
             browser's profile may be damaged.",
        ),
    }
}

/// There was an account, and the database is empty.
pub fn store_lost() -> Problem {
    problem(
        "store_lost",
        "What WireMin had stored in this browser is gone: some browsers delete it when the disk is \
         full.",
        "Contacts and messages of this device are lost, unless you have exported them. The \
         account itself comes back from its 18 words.",
        "Free some space, then import your last export, or restore the account from its words.",
    )
}

/// The lock is held by another tab.
pub fn second_tab() -> Problem {
    problem(
        "second_tab",
        "WireMin is open in another tab or window of this browser.",
        "Your data is safe: the other tab goes on as before.",
        "Go on there, or use WireMin here; the other tab then stops.",
    )
}

/// Another tab took the lock, or the store.
pub fn taken_over() -> Problem {
    problem(
        "second_tab",
        "WireMin was opened in another tab or window, which has taken over.",
        "Your data is safe. What was not finished here was not done.",
        "Go on there, or use WireMin here again; the other tab then stops.",
    )
}

/// The remembered key could not be kept.
pub fn not_remembered() -> Problem {
    problem(
        "not_remembered",
        "This browser cannot remember the passcode safely, so it was not remembered.",
        "Your data is safe and the account is open.",
        "Type the passcode again after the next reload.",
    )
}

/// The remembered key could not be destroyed.
pub fn not_forgotten() -> Problem {
    problem(
        "not_forgotten",
        "The browser refused to delete the remembered passcode.",
        "Others who use this browser profile could open the account for up to 20 hours.",
        "Lock again. If that does not help, clear this site's data in the browser's settings \
         after exporting the account.",
    )
}

/// The worker died again and again.
pub fn worker_failed() -> Problem {
    problem(
        "worker_failed",
        "The browser stopped the background work for messages that wait to be sent.",
        "Everything is kept on this device; what waits has not been sent.",
        "Close other tabs to free memory. It is tried again every minute, and after a reload.",
    )
}

/// A panic: a broken invariant.
pub fn crashed(detail: &str) -> Problem {
    problem(
        "crashed",
        &format!("WireMin stopped because of a fault of its own: {detail}"),
        "What was saved on this device is untouched; nothing more is sent.",
        "Reload the page. If it happens again, report these words.",
    )
}

/// The peer has stopped; commands are not taken any more.
pub fn stopped() -> Problem {
    problem(
        "stopped",
        "WireMin has stopped in this tab.",
        "What was saved on this device is untouched.",
        "Reload the page.",
    )
}

/// The page asked for something that is no command.
pub fn bad_command(detail: &str) -> Problem {
    problem(
        "bad_command",
        &format!("The page asked for something that is not understood: {detail}"),
        "Nothing was changed and nothing was sent.",
        "Reload the page: it may be older than the rest.",
    )
}

/// No random numbers, or a callback that is none.
pub fn cannot_start(detail: &str) -> Problem {
    problem(
        "cannot_start",
        &format!("WireMin could not be started: {detail}."),
        NOTHING_HAPPENED,
        "Reload the page. If it happens again, use another browser.",
    )
}

/// An error for JavaScript whose message is the problem as JSON.
pub fn thrown(problem: &Problem) -> JsValue {
    let text = serde_json::to_string(problem).unwrap_or_default();
    js_sys::Error::new(&text).into()
}

/// Whether WireMin can run here at all. Storage is tried by opening it. Where the page came over
/// plain http, browsers hold back what is done without: locks (`lock.rs`), the wrapping of the
/// remembered key (`keep.rs`) and asking for room (`room.rs`, below).
pub fn check() -> Result<(), Problem> {
    let has = |name: &str| {
        let value = js_sys::Reflect::get(&js_sys::global(), &JsValue::from_str(name));
        value.is_ok_and(|value| !value.is_undefined() && !value.is_null())
    };
    let wanted = [
        ("RTCPeerConnection", "WebRTC"),
        ("indexedDB", "IndexedDB"),
        ("crypto", "WebCrypto"),
        ("Worker", "Web Workers"),
    ];
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(name, _)| !has(name))
        .map(|(_, title)| *title)
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(unsupported_browser(&missing.join(", ")))
    }
}

/// Threads that this machine runs at once, as far as the browser tells.
pub fn cores() -> usize {
    // Missing, so no number, in some browsers: that is cast to 0.
    web_sys::window().map_or(1, |window| {
        window.navigator().hardware_concurrency() as usize
    })
}

/// Asks the browser not to clear this page's data when the disk fills up. It may refuse.
pub fn ask_to_persist() {
    let storage = web_sys::window().map(|window| window.navigator().storage());
    // Missing in old browsers, where the getter gives undefined.
    let Some(storage) = storage.filter(|s| s.is_instance_of::<web_sys::StorageManager>()) else {
        return;
    };
    if let Ok(promise) = storage.persist() {
        wasm_bindgen_futures::spawn_local(async move {
            // The answer changes nothing: what could be asked for was asked for.
            let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
        });
    }
}
