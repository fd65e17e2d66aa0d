//! O, a device that has the account: it asks who is behind a code, holds it to the code, and sends
//! a bundle when its person said yes. PROTOCOL.md section 15.
//!
//! Invariant: no number is shown before the answer was held against the code, and one answer is
//! taken for each scan. Nothing of the account but its key and name leaves before the yes.

use super::bundle::Bundle;
use super::chunks::Outgoing;
use super::code::{LinkCode, SHOWN_MS};
use super::exchange::{Agreed, Meeting, Message, Moment, Secrets, commitment, open_inner};
use super::texts::{Device, Hello, Word};
use super::{Failure, Late, Reply, STEP_MS};
use crate::greeting::GreetError;
use crate::identity::CERTIFICATE_LEN;
use crate::sealed::Sealed;
use crate::shown::{self, NAME_BYTES_MAX};
use crate::state::values::DeviceKind;
use alloc::boxed::Box;
use alloc::{string::String, vec::Vec};
use shared::crypto::{self, KEM_PUBLIC_LEN, KemPublic, PublicKey, Rng, TooLong, hedge, sha256};
use shared::time::Millis;
use shared::wire::Header;
use zeroize::Zeroizing;

/// Which account links a device.
#[derive(Clone, Copy, Debug)]
pub struct Me<'a> {
    pub account: PublicKey,
    /// This device's.
    pub certificate: &'a [u8; CERTIFICATE_LEN],
    /// The account's name, 64 bytes at most.
    pub name: &'a str,
}

/// Who is behind the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// To be certified.
    pub device: PublicKey,
    /// H of its X-Wing public key.
    pub kem_hash: [u8; 32],
    /// As it calls itself, cleaned for showing.
    pub name: String,
    /// What it asks to be. It may be given less.
    pub kind: DeviceKind,
    /// The same on both devices, or somebody is between them: [`super::digits`].
    pub number: u32,
}

#[derive(Debug)]
pub enum OldEvent {
    /// Show it, and ask.
    Compare(Newcomer),
    /// The new device has everything.
    Done,
    Failed(Failure),
}

/// Why a bundle is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApproveError {
    /// There is nobody to send it to, or no more.
    NotNow,
    /// It is not certified for that device by this account, gives more than was asked for, or has
    /// the seed where it must not, or not where it must.
    NotForThem,
    /// More than [`super::BUNDLE_BYTES_MAX`].
    TooLong,
}

/// One run.
pub struct OldDevice {
    code: LinkCode,
    account: PublicKey,
    hello: Zeroizing<Vec<u8>>,
    state: State,
    /// On the monotonic clock.
    deadline: Millis,
}

enum State {
    /// The code's key was not found yet.
    Seeking,
    Asked(Box<Asked>),
    Comparing(Agreed, Box<Newcomer>),
    /// All of it may be sent, and then a word is awaited.
    Sending(Agreed, Outgoing),
    Over,
}

/// What the answer is held against.
struct Asked {
    key: KemPublic,
    secrets: Secrets,
}

impl OldDevice {
    /// Begins with what was scanned. There is nothing to put yet.
    pub fn new(
        code: LinkCode,
        me: Me,
        at: &Moment,
        rng: &mut Rng,
    ) -> Result<OldDevice, GreetError> {
        if me.name.len() > NAME_BYTES_MAX {
            let bytes_max = NAME_BYTES_MAX;
            return Err(GreetError::NameTooLong { bytes_max });
        }
        let hello = Hello {
            nonce: rng.array(),
            account: me.account,
            certificate: *me.certificate,
            name: me.name.into(),
        };
        Ok(OldDevice {
            code,
            account: me.account,
            hello: Zeroizing::new(hello.encode()),
            state: State::Seeking,
            deadline: at.mono.saturating_add(SHOWN_MS),
        })
    }

    pub fn code(&self) -> &LinkCode {
        &self.code
    }

    /// The one address of all envelopes of this run. The first one lies there already.
    pub fn address(&self) -> u32 {
        self.meeting().address()
    }

    /// Locators of what may come.
    pub fn expected(&self) -> Vec<u64> {
        let message = match self.state {
            State::Seeking => Message::Key,
            State::Asked(_) => Message::Device,
            State::Comparing(..) | State::Sending(..) => Message::Word,
            State::Over => return Vec::new(),
        };
        alloc::vec![self.meeting().locator(message)]
    }

    /// When [`OldDevice::on_time`] has something to say, on the monotonic clock.
    pub fn deadline(&self) -> Option<Millis> {
        match self.state {
            State::Over => None,
            _ => Some(self.deadline),
        }
    }

    pub fn on_time(&mut self, at: &Moment, rng: &mut Rng) -> Reply<OldEvent> {
        if self.deadline().is_none_or(|deadline| at.mono < deadline) {
            return Reply::nothing();
        }
        let why = match self.state {
            State::Seeking => Failure::TimedOut(Late::Key),
            State::Asked(_) => Failure::TimedOut(Late::Device),
            State::Comparing(..) => Failure::TimedOut(Late::Person),
            State::Sending(..) | State::Over => Failure::NoWord,
        };
        self.fail(why, at, rng)
    }

    /// What was found under an expected locator.
    pub fn on_envelope(
        &mut self,
        header: &Header,
        body: &[u8],
        at: &Moment,
        rng: &mut Rng,
    ) -> Reply<OldEvent> {
        if self.deadline().is_some_and(|deadline| at.mono >= deadline) {
            return self.on_time(at, rng);
        }
        match self.state {
            State::Seeking => self.on_key(header, body, at, rng),
            State::Asked(_) => self.on_device(header, body, at),
            State::Comparing(..) | State::Sending(..) => self.on_word(header, body),
            State::Over => Reply::nothing(),
        }
    }

    /// Others may put keys there: that of the code is known by its hash.
    fn on_key(
        &mut self,
        header: &Header,
        body: &[u8],
        at: &Moment,
        rng: &mut Rng,
    ) -> Reply<OldEvent> {
        let text = self.meeting().open(Message::Key, header, body);
        let Some(key) = text.ok().and_then(|text| self.key(&text)) else {
            return Reply::nothing();
        };
        let (code, now) = (self.code.hash(), at.now.to_le_bytes());
        let bound: [&[u8]; 4] = [&self.hello, &code, key.as_bytes(), &now];
        let (ct, shared) = key.encapsulate(hedge(&rng.array(), "link", &bound));
        let secrets = Secrets {
            shared,
            code,
            ct: sha256(&[&ct[..]]),
        };
        let inner = secrets.hello_key(&self.code.secret);
        let meeting = self.meeting();
        let put = meeting.put_sealed(Message::Hello, (&ct[..], &inner), &self.hello, at, rng);
        self.state = State::Asked(Box::new(Asked { key, secrets }));
        self.deadline = at.mono.saturating_add(STEP_MS);
        Reply {
            put: alloc::vec![put],
            event: None,
        }
    }

    fn key(&self, text: &[u8]) -> Option<KemPublic> {
        let bytes = crypto::unpad(text).ok()?;
        let is_it = bytes.len() == KEM_PUBLIC_LEN && sha256(&[bytes]) == self.code.key_hash;
        is_it.then(|| KemPublic::from_bytes(bytes).ok())?
    }

    /// The first that opens its outer seal, good or bad, is the only one that is looked at.
    fn on_device(&mut self, header: &Header, body: &[u8], at: &Moment) -> Reply<OldEvent> {
        let Ok(text) = self.meeting().open(Message::Device, header, body) else {
            return Reply::nothing();
        };
        let State::Asked(asked) = core::mem::replace(&mut self.state, State::Over) else {
            return Reply::nothing();
        };
        match self.hold(&asked, &text) {
            Ok((agreed, newcomer)) => {
                let event = OldEvent::Compare(newcomer.clone());
                self.state = State::Comparing(agreed, Box::new(newcomer));
                self.deadline = at.mono.saturating_add(STEP_MS);
                Reply::event(event)
            }
            Err(why) => Reply::event(OldEvent::Failed(why)),
        }
    }

    /// Holds what came against the code.
    fn hold(&self, asked: &Asked, text: &[u8]) -> Result<(Agreed, Newcomer), Failure> {
        let secrets = &asked.secrets;
        let key = secrets.device_key(&self.hello);
        let said = open_inner(&key, text).map_err(|_| Failure::Disturbed)?;
        let (nonce, rest) = said.split_first_chunk::<32>().ok_or(Failure::Malformed)?;
        if !crypto::same(&commitment(&asked.key, nonce, rest), &self.code.commitment) {
            return Err(Failure::NotCommitted);
        }
        let device = Device::decode(rest).map_err(|_| Failure::Malformed)?;
        let agreed = secrets.agreed(&self.hello, &said);
        let newcomer = Newcomer {
            device: device.key,
            kem_hash: device.kem_hash,
            name: shown::name(&device.name),
            kind: device.kind,
            number: agreed.number(),
        };
        Ok((agreed, newcomer))
    }

    fn on_word(&mut self, header: &Header, body: &[u8]) -> Reply<OldEvent> {
        let Ok(text) = self.meeting().open(Message::Word, header, body) else {
            return Reply::nothing();
        };
        let (agreed, was_sent) = match &self.state {
            State::Comparing(agreed, _) => (agreed, None),
            State::Sending(agreed, outgoing) => (agreed, Some(outgoing.is_done())),
            _ => return Reply::nothing(),
        };
        let word = open_inner(&agreed.word_key(), &text).ok();
        let event = match (word.and_then(|word| Word::decode(&word).ok()), was_sent) {
            (Some(Word::Taken), Some(true)) => OldEvent::Done,
            (Some(Word::Refused), _) => OldEvent::Failed(Failure::RefusedThere),
            (Some(Word::NotTaken), _) => OldEvent::Failed(Failure::NotTaken),
            (Some(Word::Taken), _) => OldEvent::Failed(Failure::Malformed),
            (None, None) => OldEvent::Failed(Failure::Disturbed),
            // Not theirs, and theirs may come yet: whether they took it has to be known.
            (None, Some(_)) => return Reply::nothing(),
        };
        self.state = State::Over;
        Reply::event(event)
    }

    /// The person said yes. How many envelopes [`OldDevice::next_chunk`] will give. From now on the
    /// device has to be taken for linked, whatever comes of the run.
    pub fn approve(&mut self, bundle: &Bundle, at: &Moment) -> Result<u16, ApproveError> {
        let State::Comparing(agreed, newcomer) = &self.state else {
            return Err(ApproveError::NotNow);
        };
        if at.mono >= self.deadline {
            return Err(ApproveError::NotNow);
        }
        let for_them = bundle.is_for(&self.account, &newcomer.device, newcomer.kind);
        if !for_them || bundle.certificate(at.now).is_none() {
            return Err(ApproveError::NotForThem);
        }
        let outgoing = Outgoing::new(bundle).map_err(|TooLong| ApproveError::TooLong)?;
        let count = outgoing.count();
        self.state = State::Sending(agreed.clone(), outgoing);
        self.deadline = at.mono.saturating_add(STEP_MS);
        Ok(count)
    }

    /// The next part of the bundle, sealed now; `None` if there is none.
    pub fn next_chunk(&mut self, at: &Moment, rng: &mut Rng) -> Option<Sealed> {
        let meeting = Meeting(&self.code.secret);
        let State::Sending(agreed, outgoing) = &mut self.state else {
            return None;
        };
        let put = outgoing.next(&meeting, agreed, at, rng)?;
        self.deadline = at.mono.saturating_add(STEP_MS);
        Some(put)
    }

    /// The person said no, or left before saying anything.
    pub fn refuse(&mut self, at: &Moment, rng: &mut Rng) -> Reply<OldEvent> {
        match self.state {
            State::Comparing(..) => self.fail(Failure::RefusedHere, at, rng),
            _ => Reply::nothing(),
        }
    }

    /// The run is over; who waits for a yes is told that none comes.
    fn fail(&mut self, why: Failure, at: &Moment, rng: &mut Rng) -> Reply<OldEvent> {
        let state = core::mem::replace(&mut self.state, State::Over);
        let mut reply = Reply::event(OldEvent::Failed(why));
        if let State::Comparing(agreed, _) = state {
            let refusal = Outgoing::refusal().next(&self.meeting(), &agreed, at, rng);
            reply.put.extend(refusal);
        }
        reply
    }

    fn meeting(&self) -> Meeting<'_> {
        Meeting(&self.code.secret)
    }
}
