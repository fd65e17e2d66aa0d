//! N, the new device: it shows a code, says what it is once it was asked, and takes a bundle when
//! its person said yes. PROTOCOL.md section 15.
//!
//! Invariant: the key behind a code opens one hello and is gone. What is answered was fixed when
//! the code was made, and nothing is taken from another account than the one that was shown.

use super::bundle::Bundle;
use super::chunks::{Incoming, Progress};
use super::code::{CLOCKS_MS, CodeSecret, LinkCode, SHOWN_MS};
use super::exchange::{Agreed, Meeting, Message, Moment, Secrets, commitment, open_inner};
use super::texts::{Device, Hello, Word};
use super::{Failure, Late, Reply, STEP_MS};
use crate::greeting::{GreetError, certificate_now};
use crate::identity::AccountId;
use crate::sealed::{self, Sealed};
use crate::shown::{self, NAME_BYTES_MAX};
use crate::state::values::DeviceKind;
use alloc::boxed::Box;
use alloc::{string::String, vec::Vec};
use shared::crypto::{CIPHERTEXT_LEN, KemSecret, PublicKey, Rng, sha256};
use shared::range::Range;
use shared::time::Millis;
use shared::wire::{Header, RelayHint};
use zeroize::Zeroizing;

/// More than enough for the smallest parts that relays keep.
const DRAWS_MAX: u32 = 1 << 16;

/// What the device is, and asks to be.
#[derive(Clone, Debug)]
pub struct Asks {
    /// Its key, drawn for this.
    pub device: PublicKey,
    /// H of its X-Wing public key.
    pub kem_hash: [u8; 32],
    /// What it is called in the list of devices, 64 bytes at most.
    pub name: String,
    pub kind: DeviceKind,
}

/// Who answered the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub account: AccountId,
    /// As it calls itself, cleaned for showing.
    pub name: String,
    /// The same on both devices, or somebody is between them: [`super::digits`].
    pub number: u32,
}

#[derive(Debug)]
pub enum NewEvent {
    /// Show it, and ask.
    Compare(Host),
    /// So many parts came, of so many if that is known.
    Progress {
        have: u16,
        of: Option<u16>,
    },
    /// To be saved, before [`NewDevice::taken`].
    Received(Box<Bundle>),
    Failed(Failure),
}

/// One run.
pub struct NewDevice {
    code: LinkCode,
    asks: Asks,
    /// Nonce and device, as they will be told.
    message: Zeroizing<Vec<u8>>,
    state: State,
    /// On the monotonic clock.
    deadline: Millis,
}

/// Draws what the address follows from until that lies there.
fn secret_within(kept: Range, rng: &mut Rng) -> CodeSecret {
    let mut secret = CodeSecret::new(rng.array());
    for _ in 0..DRAWS_MAX {
        if kept.has(Meeting(&secret).address()) {
            break;
        }
        secret = CodeSecret::new(rng.array());
    }
    secret
}

enum State {
    Shown(Box<KemSecret>),
    Talking(Box<Talk>),
    /// All is there and not yet saved.
    Received(Agreed),
    Over,
}

struct Talk {
    agreed: Agreed,
    host: Host,
    incoming: Incoming,
    yes: bool,
}

impl NewDevice {
    /// Draws a code that leads to one to three relays, which this device is linked to, and the
    /// envelope to be put there.
    pub fn new(
        asks: Asks,
        hints: &[RelayHint],
        at: &Moment,
        rng: &mut Rng,
    ) -> Result<(NewDevice, Sealed), GreetError> {
        NewDevice::within(asks, (hints, Range::ALL), at, rng)
    }

    /// The same where the relays keep a part of all addresses: all envelopes lie there.
    pub fn within(
        asks: Asks,
        (hints, kept): (&[RelayHint], Range),
        at: &Moment,
        rng: &mut Rng,
    ) -> Result<(NewDevice, Sealed), GreetError> {
        if asks.name.len() > NAME_BYTES_MAX {
            let bytes_max = NAME_BYTES_MAX;
            return Err(GreetError::NameTooLong { bytes_max });
        }
        let kem = KemSecret::draw(rng);
        let public = kem.public();
        let nonce: [u8; 32] = rng.array();
        let device = Device {
            key: asks.device,
            name: asks.name.clone(),
            kind: asks.kind,
            kem_hash: asks.kem_hash,
        };
        let rest = device.encode();
        let code = LinkCode::new(
            sha256(&[public.as_bytes()]),
            commitment(&public, &nonce, &rest),
            secret_within(kept, rng),
            at.now,
            hints,
        );
        let put = Meeting(&code.secret).put_key(&public, at, rng);
        let run = NewDevice {
            code,
            asks,
            message: Zeroizing::new([&nonce[..], &rest].concat()),
            state: State::Shown(Box::new(kem)),
            deadline: at.mono.saturating_add(SHOWN_MS + CLOCKS_MS),
        };
        Ok((run, put))
    }

    /// To be shown for [`SHOWN_MS`]; an answer may still be under way then.
    pub fn code(&self) -> &LinkCode {
        &self.code
    }

    /// The one address of all envelopes of this run.
    pub fn address(&self) -> u32 {
        self.meeting().address()
    }

    /// Locators of what may come.
    pub fn expected(&self) -> Vec<u64> {
        match &self.state {
            State::Shown(_) => alloc::vec![self.meeting().locator(Message::Hello)],
            State::Talking(talk) => talk.incoming.awaited().collect(),
            State::Received(_) | State::Over => Vec::new(),
        }
    }

    /// When [`NewDevice::on_time`] has something to say, on the monotonic clock.
    pub fn deadline(&self) -> Option<Millis> {
        match self.state {
            State::Received(_) | State::Over => None,
            _ => Some(self.deadline),
        }
    }

    pub fn on_time(&mut self, at: &Moment, rng: &mut Rng) -> Reply<NewEvent> {
        if self.deadline().is_none_or(|deadline| at.mono < deadline) {
            return Reply::nothing();
        }
        let late = match &self.state {
            State::Talking(talk) if talk.yes => Late::Bundle,
            State::Talking(_) => Late::Person,
            _ => Late::Scan,
        };
        self.fail(Failure::TimedOut(late), Word::NotTaken, at, rng)
    }

    /// What was found under an expected locator.
    pub fn on_envelope(
        &mut self,
        header: &Header,
        body: &[u8],
        at: &Moment,
        rng: &mut Rng,
    ) -> Reply<NewEvent> {
        if self.deadline().is_some_and(|deadline| at.mono >= deadline) {
            return self.on_time(at, rng);
        }
        match self.state {
            State::Shown(_) => self.on_hello(header, body, at, rng),
            State::Talking(_) => self.on_chunk(header, body, at, rng),
            State::Received(_) | State::Over => Reply::nothing(),
        }
    }

    /// The first that opens its outer seal, good or bad, is the only one that is looked at.
    fn on_hello(
        &mut self,
        header: &Header,
        body: &[u8],
        at: &Moment,
        rng: &mut Rng,
    ) -> Reply<NewEvent> {
        let Ok(text) = self.meeting().open(Message::Hello, header, body) else {
            return Reply::nothing();
        };
        let State::Shown(kem) = core::mem::replace(&mut self.state, State::Over) else {
            return Reply::nothing();
        };
        let answered = self.answer(&kem, &text, at, rng);
        match answered {
            Ok((put, talk)) => {
                let event = NewEvent::Compare(talk.host.clone());
                self.state = State::Talking(Box::new(talk));
                self.deadline = at.mono.saturating_add(STEP_MS);
                Reply {
                    put: alloc::vec![put],
                    event: Some(event),
                }
            }
            Err(why) => Reply::event(NewEvent::Failed(why)),
        }
    }

    fn answer(
        &self,
        kem: &KemSecret,
        text: &[u8],
        at: &Moment,
        rng: &mut Rng,
    ) -> Result<(Sealed, Talk), Failure> {
        let split = text.split_first_chunk::<CIPHERTEXT_LEN>();
        let (ct, inner) = split.ok_or(Failure::Disturbed)?;
        let secrets = Secrets {
            shared: kem.decapsulate(ct),
            code: self.code.hash(),
            ct: sha256(&[ct]),
        };
        let key = secrets.hello_key(&self.code.secret);
        let said = open_inner(&key, inner).map_err(|_| Failure::Disturbed)?;
        let hello = Hello::decode(&said).map_err(|_| Failure::Malformed)?;
        certificate_now(&hello.certificate, &hello.account, at.now)
            .ok_or(Failure::BadCertificate)?;
        let key = secrets.device_key(&said);
        let meeting = self.meeting();
        let put = meeting.put_sealed(Message::Device, (&[], &key), &self.message, at, rng);
        let agreed = secrets.agreed(&said, &self.message);
        let host = Host {
            account: AccountId::new(hello.account),
            name: shown::name(&hello.name),
            number: agreed.number(),
        };
        let incoming = Incoming::new(&meeting);
        let talk = Talk {
            agreed,
            host,
            incoming,
            yes: false,
        };
        Ok((put, talk))
    }

    fn on_chunk(
        &mut self,
        header: &Header,
        body: &[u8],
        at: &Moment,
        rng: &mut Rng,
    ) -> Reply<NewEvent> {
        let meeting = Meeting(&self.code.secret);
        let State::Talking(talk) = &mut self.state else {
            return Reply::nothing();
        };
        let Some(number) = talk.incoming.number(sealed::locator(&header.tag)) else {
            return Reply::nothing();
        };
        let Ok(text) = meeting.open(Message::Chunk(number), header, body) else {
            return Reply::nothing();
        };
        match talk.incoming.take(number, &text, &talk.agreed) {
            Ok(Progress::Refusal) => {
                self.state = State::Over;
                Reply::event(NewEvent::Failed(Failure::RefusedThere))
            }
            Ok(Progress::Some { have, of }) => {
                self.deadline = at.mono.saturating_add(STEP_MS);
                Reply::event(NewEvent::Progress { have, of })
            }
            Ok(Progress::Whole) => self.receive(at, rng),
            Err(why) => self.fail(why, Word::NotTaken, at, rng),
        }
    }

    /// What the person says to what [`NewEvent::Compare`] showed.
    pub fn confirm(&mut self, yes: bool, at: &Moment, rng: &mut Rng) -> Reply<NewEvent> {
        if self.deadline().is_some_and(|deadline| at.mono >= deadline) {
            return self.on_time(at, rng);
        }
        match &mut self.state {
            State::Talking(talk) if yes => {
                talk.yes = true;
                self.deadline = at.mono.saturating_add(STEP_MS);
                self.receive(at, rng)
            }
            State::Talking(_) => self.fail(Failure::RefusedHere, Word::Refused, at, rng),
            _ => Reply::nothing(),
        }
    }

    /// Reads the bundle, if it is there and wanted.
    fn receive(&mut self, at: &Moment, rng: &mut Rng) -> Reply<NewEvent> {
        let State::Talking(talk) = &self.state else {
            return Reply::nothing();
        };
        let Some(bytes) = talk.yes.then(|| talk.incoming.whole()).flatten() else {
            return Reply::nothing();
        };
        let (account, asks) = (talk.host.account.key(), &self.asks);
        let read =
            bytes.and_then(|bytes| Bundle::read(&bytes, account, &asks.device, asks.kind, at.now));
        match read {
            Ok(bundle) => {
                self.state = State::Received(talk.agreed.clone());
                Reply::event(NewEvent::Received(Box::new(bundle)))
            }
            Err(why) => self.fail(why, Word::NotTaken, at, rng),
        }
    }

    /// What was received is saved: the envelope that says so. The run is over.
    pub fn taken(&mut self, at: &Moment, rng: &mut Rng) -> Option<Sealed> {
        self.last_word(Word::Taken, at, rng)
    }

    /// What was received could not be saved, or the person left: the envelope that says so, if the
    /// other side waits for one. The run is over.
    pub fn cancel(&mut self, at: &Moment, rng: &mut Rng) -> Option<Sealed> {
        self.last_word(Word::NotTaken, at, rng)
    }

    fn fail(&mut self, why: Failure, word: Word, at: &Moment, rng: &mut Rng) -> Reply<NewEvent> {
        Reply {
            put: self.last_word(word, at, rng).into_iter().collect(),
            event: Some(NewEvent::Failed(why)),
        }
    }

    fn last_word(&mut self, word: Word, at: &Moment, rng: &mut Rng) -> Option<Sealed> {
        let state = core::mem::replace(&mut self.state, State::Over);
        let agreed = match (&state, word) {
            (State::Received(agreed), _) => agreed,
            (State::Talking(talk), Word::Refused | Word::NotTaken) => &talk.agreed,
            _ => return None,
        };
        let key = agreed.word_key();
        let meeting = self.meeting();
        Some(meeting.put_sealed(Message::Word, (&[], &key), &word.encode(), at, rng))
    }

    fn meeting(&self) -> Meeting<'_> {
        Meeting(&self.code.secret)
    }
}
