//! Whether the disk has room, found out beside the database: Chromium closes a database whose disk
//! turns out to be full, and may delete it when it is opened then.
//!
//! Invariant: what is written to find out is gone when the answer is there.

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// A journal of LevelDB and the table that is made of it.
const ROOM_BYTES: u32 = 5 * 1024 * 1024;
/// Written so many times over: no file system makes a file of it that is much smaller.
const PIECE_BYTES: u32 = 64 * 1024;
const NAME: &str = "room";

/// False if room was asked for and refused. True where it cannot be asked for.
pub async fn is_there() -> bool {
    let (folder, file) = match place().await {
        Ok(place) => place,
        Err(error) => return !is_quota(&error),
    };
    let written = write(&file).await;
    // Nobody sees the file, and the next time it is written over.
    let _ = call(&file, "abort", &Array::new()).await;
    let _ = call(&folder, "removeEntry", &Array::of1(&NAME.into())).await;
    written.is_ok()
}

/// The page's own folder, and a file in it that is open for writing.
async fn place() -> Result<(JsValue, JsValue), JsValue> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into())?;
    let storage = Reflect::get(&navigator, &"storage".into())?;
    let folder = call(&storage, "getDirectory", &Array::new()).await?;
    let create = Object::new();
    Reflect::set(&create, &"create".into(), &JsValue::TRUE)?;
    let file = Array::of2(&NAME.into(), &create);
    let file = call(&folder, "getFileHandle", &file).await?;
    let file = call(&file, "createWritable", &Array::new()).await?;
    Ok((folder, file))
}

async fn write(file: &JsValue) -> Result<(), JsValue> {
    let mixed = |at: u32| (at.wrapping_mul(0x9e37_79b1) >> 24) as u8;
    let piece: Vec<u8> = (0..PIECE_BYTES).map(mixed).collect();
    // In the memory of the page: that of this module never shrinks.
    let all = Uint8Array::new_with_length(ROOM_BYTES);
    for at in (0..ROOM_BYTES).step_by(PIECE_BYTES as usize) {
        all.subarray(at, at + PIECE_BYTES).copy_from(&piece);
    }
    call(file, "write", &Array::of1(&all)).await?;
    Ok(())
}

/// Calls a method that not every browser has.
async fn call(of: &JsValue, method: &str, arguments: &Array) -> Result<JsValue, JsValue> {
    let method: Function = Reflect::get(of, &method.into())?.dyn_into()?;
    let promise = Promise::resolve(&Reflect::apply(&method, of, arguments)?);
    JsFuture::from(promise).await
}

fn is_quota(error: &JsValue) -> bool {
    let name = Reflect::get(error, &"name".into());
    name.is_ok_and(|name| name == "QuotaExceededError")
}
