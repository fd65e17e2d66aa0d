//! The key that opens the account for some hours without the passcode: wrapped by a WebCrypto key
//! that the browser keeps and shows to nobody, not even to this page. PROTOCOL.md section 8.
//!
//! Invariant: the key is in IndexedDB only as ciphertext, beside a wrapping key that cannot be
//! exported; each wrapping key wraps once.

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto};
use zeroize::Zeroizing;

use crate::store::{DbError, Store};

const ALGORITHM: &str = "AES-GCM";
const NONCE_BYTES: usize = 12;

/// Why a key is not remembered.
#[derive(Debug)]
pub enum KeepError {
    /// No WebCrypto, or it refuses.
    Crypto,
    Db(DbError),
}

impl From<JsValue> for KeepError {
    fn from(_: JsValue) -> Self {
        KeepError::Crypto
    }
}

impl From<DbError> for KeepError {
    fn from(error: DbError) -> Self {
        KeepError::Db(error)
    }
}

/// Wraps and keeps `key`, replacing an earlier one.
pub async fn remember(store: &Store, key: &[u8; 32]) -> Result<(), KeepError> {
    let subtle = subtle()?;
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|_| KeepError::Crypto)?;

    let kind = object(&[("name", ALGORITHM.into()), ("length", 256.into())])?;
    let usages = Array::of2(&"encrypt".into(), &"decrypt".into());
    let extractable = false;
    let made = subtle.generate_key_with_object(&kind, extractable, &usages)?;
    let wrapping: CryptoKey = JsFuture::from(made).await?.unchecked_into();

    // The copy that WebCrypto reads is overwritten; its own is out of reach.
    let plain = Uint8Array::from(key.as_slice());
    let sealed = subtle.encrypt_with_object_and_buffer_source(
        &cipher(&nonce)?,
        &wrapping,
        plain.unchecked_ref(),
    )?;
    let sealed = JsFuture::from(sealed).await;
    plain.fill(0, 0, plain.length());

    let row = object(&[
        ("key", wrapping.into()),
        ("nonce", Uint8Array::from(nonce.as_slice()).into()),
        ("sealed", sealed?),
    ])?;
    store.put_remembered(Some(&row.into())).await?;
    Ok(())
}

/// The remembered key; `None` when there is none, or it cannot be unwrapped any more.
pub async fn recall(store: &Store) -> Option<Zeroizing<[u8; 32]>> {
    let row = store.remembered().await.ok()??;
    unwrap_row(&row).await.ok().flatten()
}

/// Destroys the wrapped key and the key that wrapped it.
pub async fn forget(store: &Store) -> Result<(), KeepError> {
    Ok(store.put_remembered(None).await?)
}

async fn unwrap_row(row: &JsValue) -> Result<Option<Zeroizing<[u8; 32]>>, KeepError> {
    let field = |name: &str| Reflect::get(row, &name.into());
    let nonce = Uint8Array::new(&field("nonce")?).to_vec();
    let wrapping: CryptoKey = field("key")?.dyn_into()?;
    let plain = subtle()?.decrypt_with_object_and_buffer_source(
        &cipher(&nonce)?,
        &wrapping,
        field("sealed")?.unchecked_ref(),
    )?;
    let plain = Uint8Array::new(&JsFuture::from(plain).await?);
    let mut key = Zeroizing::new([0; 32]);
    if plain.length() != 32 {
        return Ok(None);
    }
    plain.copy_to(key.as_mut_slice());
    plain.fill(0, 0, plain.length());
    Ok(Some(key))
}

/// `crypto.subtle`, which is missing outside of secure contexts.
fn subtle() -> Result<SubtleCrypto, KeepError> {
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into())?;
    let subtle = Reflect::get(&crypto, &"subtle".into())?;
    if subtle.is_undefined() || subtle.is_null() {
        return Err(KeepError::Crypto);
    }
    Ok(subtle.unchecked_into())
}

fn cipher(nonce: &[u8]) -> Result<Object, KeepError> {
    object(&[
        ("name", ALGORITHM.into()),
        ("iv", Uint8Array::from(nonce).into()),
    ])
}

fn object(fields: &[(&str, JsValue)]) -> Result<Object, KeepError> {
    let object = Object::new();
    for (name, value) in fields {
        Reflect::set(&object, &JsValue::from_str(name), value)?;
    }
    Ok(object)
}
