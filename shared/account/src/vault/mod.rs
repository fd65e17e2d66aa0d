//! The vault: one row that holds the key of all others, wrapped under the passcode and, for 20
//! hours, under a key that the shell remembers. PROTOCOL.md section 8.
//!
//! Invariant: an attempt is counted, in the store, before its passcode is tried (in memory alone
//! where the account is open and nothing can be stored: words and files are wanted then); and a
//! remembered key opens nothing once its time is over or the clock went backwards. Whoever holds
//! the disk can still guess offline: only Argon2id and the passcode stand against that.
//!
//! The core's part: save the row after each call that changes it, and before the `Output::Derive`
//! of an attempt.

mod row;

pub use row::{SCHEMA, VAULT_KEY, VaultRowError};

use crate::passcode::is_sane;
use shared::crypto::{Key, PublicKey, Rng, kdf_key, open, seal};
use shared::io::KdfCost;
use shared::time::Millis;

/// How long a passcode is remembered.
pub const REMEMBER_MS: Millis = 20 * 3_600_000;
/// Wrong passcodes before the first wait.
pub const ATTEMPTS_FREE: u32 = 5;
/// The first wait; each later one is twice as long.
pub const WAIT_MIN_MS: Millis = 30_000;
/// The longest wait.
pub const WAIT_MAX_MS: Millis = 3_600_000;

/// The key of an account's rows on this device, random.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKey(pub(crate) Key);

impl DataKey {
    pub fn draw(rng: &mut Rng) -> DataKey {
        DataKey(Key::new(rng.array()))
    }
}

/// A wrapped data key: nonce[12], ciphertext[32], tag[16].
type Wrapped = [u8; 60];

/// The vault row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultRow {
    account: PublicKey,
    cost: KdfCost,
    salt: [u8; 16],
    wrapped: Wrapped,
    attempts: u32,
    tried_at: Millis,
    remembered: Option<Remembered>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Remembered {
    wrapped: Wrapped,
    since: Millis,
    until: Millis,
    last_seen: Millis,
}

/// No attempt is taken before that time (Unix ms).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooEarly {
    pub until: Millis,
}

/// The passcode does not open this vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongPasscode;

/// Nothing valid is remembered; the passcode is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRemembered;

/// The cost is out of bounds, see [`crate::passcode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCost;

impl VaultRow {
    /// A new vault. `derived` is Argon2id of the passcode with this salt and cost.
    pub fn create(
        account: PublicKey,
        data: &DataKey,
        derived: &Key,
        salt: [u8; 16],
        cost: KdfCost,
        fresh: &[u8; 32],
    ) -> Result<VaultRow, BadCost> {
        let mut row = VaultRow {
            account,
            cost,
            salt,
            wrapped: [0; 60],
            attempts: 0,
            tried_at: 0,
            remembered: None,
        };
        row.rewrap(data, derived, salt, cost, fresh)?;
        Ok(row)
    }

    /// Whose vault it is; readable without a passcode.
    pub fn account(&self) -> &PublicKey {
        &self.account
    }

    /// Attempts since the passcode was last right.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// When the next attempt is taken (Unix ms), if there is anything to wait for.
    pub fn wait_until(&self, now: Millis) -> Option<Millis> {
        let wait = wait_ms(self.attempts);
        let until = self.tried_at.min(now).saturating_add(wait);
        (wait > 0 && now < until).then_some(until)
    }

    /// Counts an attempt and says what to derive for it. Save the row before deriving, and after a
    /// refusal too: then a clock that was turned back has started the wait anew.
    pub fn begin_unlock(&mut self, now: Millis) -> Result<([u8; 16], KdfCost), TooEarly> {
        if let Some(until) = self.wait_until(now) {
            self.tried_at = self.tried_at.min(now);
            return Err(TooEarly { until });
        }
        self.attempts = self.attempts.saturating_add(1);
        self.tried_at = now;
        Ok((self.salt, self.cost))
    }

    /// The attempt that was begun was not made: its passcode could not be derived.
    pub fn not_tried(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
    }

    /// Opens the vault with what was derived. Save the row after success.
    pub fn finish_unlock(&mut self, derived: &Key) -> Result<DataKey, WrongPasscode> {
        let data = unwrap(&passcode_key(derived), &self.passcode_aad(), &self.wrapped)
            .ok_or(WrongPasscode)?;
        self.attempts = 0;
        Ok(data)
    }

    /// Puts the data key under another passcode and forgets what was remembered (tell the shell to
    /// as well). A copy of the row made earlier still opens with the old passcode.
    pub fn rewrap(
        &mut self,
        data: &DataKey,
        derived: &Key,
        salt: [u8; 16],
        cost: KdfCost,
        fresh: &[u8; 32],
    ) -> Result<(), BadCost> {
        if !is_sane(&cost) {
            return Err(BadCost);
        }
        self.salt = salt;
        self.cost = cost;
        self.wrapped = wrap(&passcode_key(derived), fresh, &self.passcode_aad(), data);
        self.attempts = 0;
        self.remembered = None;
        Ok(())
    }

    /// Lets `remember` open this vault for [`REMEMBER_MS`]. It is a new random key that goes to the
    /// shell by `Output::Remember`, after the row was saved.
    pub fn remember(&mut self, data: &DataKey, remember: &Key, now: Millis, fresh: &[u8; 32]) {
        let until = now.saturating_add(REMEMBER_MS);
        let aad = self.remember_aad(now, until);
        let wrapped = wrap(&remember_key(remember), fresh, &aad, data);
        self.remembered = Some(Remembered {
            wrapped,
            since: now,
            until,
            last_seen: now,
        });
    }

    /// As before and for no longer, but by a new key: the shell has lost the old one.
    pub fn remember_anew(&mut self, data: &DataKey, remember: &Key, fresh: &[u8; 32]) {
        let Some(kept) = &self.remembered else { return };
        let aad = self.remember_aad(kept.since, kept.until);
        let wrapped = wrap(&remember_key(remember), fresh, &aad, data);
        if let Some(kept) = &mut self.remembered {
            kept.wrapped = wrapped;
        }
    }

    /// Whether it is worth asking the shell for the remembered key.
    pub fn is_remembered(&self, now: Millis) -> bool {
        let valid = |kept: &Remembered| kept.last_seen <= now && now < kept.until;
        self.remembered.as_ref().is_some_and(valid)
    }

    /// Opens the vault with the remembered key. After an error nothing is remembered any more: save
    /// the row and tell the shell to forget.
    pub fn recall(&mut self, remember: &Key, now: Millis) -> Result<DataKey, NotRemembered> {
        let opened = self.is_remembered(now).then_some(()).and_then(|()| {
            let kept = self.remembered.as_ref()?;
            let aad = self.remember_aad(kept.since, kept.until);
            unwrap(&remember_key(remember), &aad, &kept.wrapped)
        });
        match opened {
            Some(data) => {
                self.attempts = 0;
                Ok(data)
            }
            None => {
                self.forget();
                Err(NotRemembered)
            }
        }
    }

    /// Notes that the clock says `now`; to be called each minute or so while something is
    /// remembered, and the row saved. False: its time is over, or the clock went backwards, and it
    /// was forgotten; tell the shell to as well.
    pub fn seen(&mut self, now: Millis) -> bool {
        if !self.is_remembered(now) {
            self.forget();
            return false;
        }
        if let Some(kept) = &mut self.remembered {
            kept.last_seen = now;
        }
        true
    }

    /// Drops what is remembered.
    pub fn forget(&mut self) {
        self.remembered = None;
    }

    fn passcode_aad(&self) -> [u8; 69] {
        let mut aad = [0; 69];
        aad[..9].copy_from_slice(b"wm-vault\x01");
        aad[9..41].copy_from_slice(self.account.as_bytes());
        aad[41..45].copy_from_slice(&self.cost.memory_kib.to_le_bytes());
        aad[45..49].copy_from_slice(&self.cost.passes.to_le_bytes());
        aad[49..53].copy_from_slice(&self.cost.lanes.to_le_bytes());
        aad[53..].copy_from_slice(&self.salt);
        aad
    }

    fn remember_aad(&self, since: Millis, until: Millis) -> [u8; 60] {
        let mut aad = [0; 60];
        aad[..12].copy_from_slice(b"wm-remember\x01");
        aad[12..44].copy_from_slice(self.account.as_bytes());
        aad[44..52].copy_from_slice(&since.to_le_bytes());
        aad[52..].copy_from_slice(&until.to_le_bytes());
        aad
    }
}

/// How long to wait after that many attempts.
fn wait_ms(attempts: u32) -> Millis {
    match attempts.checked_sub(ATTEMPTS_FREE) {
        None => 0,
        Some(doublings) => (WAIT_MIN_MS << doublings.min(16)).min(WAIT_MAX_MS),
    }
}

fn passcode_key(derived: &Key) -> Key {
    kdf_key(&[derived.as_bytes()], "vault passcode", &[])
}

fn remember_key(remember: &Key) -> Key {
    kdf_key(&[remember.as_bytes()], "vault remember", &[])
}

fn wrap(key: &Key, fresh: &[u8; 32], aad: &[u8], data: &DataKey) -> Wrapped {
    let mut wrapped = [0; 60];
    wrapped.copy_from_slice(&seal(key, fresh, aad, data.0.as_bytes()));
    wrapped
}

fn unwrap(key: &Key, aad: &[u8], wrapped: &Wrapped) -> Option<DataKey> {
    let text = zeroize::Zeroizing::new(open(key, aad, wrapped).ok()?);
    Some(DataKey(Key::new(text.as_slice().try_into().ok()?)))
}

#[cfg(test)]
mod tests;
