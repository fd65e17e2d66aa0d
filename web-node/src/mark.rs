//! That this browser holds an account, noted outside the database: so that a database which the
//! browser has deleted is told from one that never was.
//!
//! Invariant: it is noted only while there is an account, and says nothing else.

use web_sys::Storage;

const MARK: &str = "wiremin-account";

/// There is an account.
pub fn put() {
    if let Some(storage) = storage() {
        // Where it cannot be noted, a loss is not told.
        let _ = storage.set_item(MARK, "1");
    }
}

/// There is none any more. True if there was one.
pub fn take() -> bool {
    let Some(storage) = storage() else {
        return false;
    };
    let marked = storage.get_item(MARK).ok().flatten().is_some();
    // Told again, if it stays.
    let _ = storage.remove_item(MARK);
    marked
}

fn storage() -> Option<Storage> {
    web_sys::window()?.local_storage().ok()?
}
