//! Two accounts that met by an invitation, and what may happen to their messages on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attack;
mod comeback;
mod erase;
mod fork;
mod handshake;
mod own;
mod removed;
mod run;
mod share;
mod vectors;

use super::*;
use crate::acceptance::PendingAcceptance;
use crate::epoch_keys::{ContactKeys, EpochKeys};
use crate::greeting::{Greeting, Introduction, PendingGreeting};
use crate::identity::{Certificate, RecoveryKey};
use crate::invite::Invitation;
use crate::record::{Author, Signer};
use crate::sealed::{Sealed, Sender, locator};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use shared::crypto::{Key, Rng, SigningKey, sha256};
use shared::time::hour;

pub const HOUR: u64 = 3_600_000;
pub const DAY: u64 = 24 * HOUR;
/// Epoch 20,000, at noon.
pub const START: u64 = 20_000 * DAY + 12 * HOUR;

/// What an account has for its one contact, as the node keeps it.
pub struct Party {
    pub account: SigningKey,
    pub device: SigningKey,
    pub certificate: [u8; 101],
    pub read: [u8; 32],
    pub own: EpochKeys,
    pub keys: ContactKeys,
    pub session: Session,
    pub table: BTreeMap<u64, Slot>,
    pub rng: Rng,
    pub now: Millis,
    /// Ids received and not acknowledged.
    pub owed: Vec<MessageId>,
    sent: u64,
}

impl Party {
    pub fn account(&self) -> PublicKey {
        self.account.public()
    }

    pub fn sender(&self) -> Sender<'_> {
        Sender {
            account: self.account(),
            device: &self.device,
            certificate: &self.certificate,
            network: 5,
            effort: 0,
            now: self.now,
        }
    }

    /// Moves the clocks, agreed time with them, and does what a node does at each step.
    pub fn at(&mut self, now: Millis) {
        self.now = now;
        self.certificate = Certificate::issue(
            &self.account,
            self.certificate[0],
            self.device.public(),
            hour(now),
        )
        .to_bytes();
        self.own.ensure(epoch(now), 0, &mut self.rng);
        self.own.erase(epoch(now));
        self.session.on_epoch(epoch(now), now);
        self.take_changes();
    }

    pub fn take_changes(&mut self) {
        let changes = self.session.take_changes();
        for locator in changes.removed {
            assert!(
                self.table.remove(&locator).is_some(),
                "removed what was not there"
            );
        }
        for (locator, slot) in changes.added {
            assert!(
                self.table.insert(locator, slot).is_none(),
                "added what was there"
            );
        }
        assert!(
            self.session
                .expected()
                .eq(self.table.iter().map(|(l, s)| (*l, *s)))
        );
    }

    pub fn draft(&mut self, text: &str) -> Draft {
        self.sent += 1;
        let acks = self.owed.drain(..self.owed.len().min(ACKS_MAX)).collect();
        let account = self.account();
        Draft {
            message_id: message_id(&account, text, &mut self.rng),
            text: Some(text.into()),
            time: self.now,
            order: self.sent,
            acks,
            ..Draft::default()
        }
    }

    pub fn send(&mut self, text: &str) -> SealedMessage {
        let draft = self.draft(text);
        self.send_draft(&draft).unwrap()
    }

    pub fn send_draft(&mut self, draft: &Draft) -> Result<SealedMessage, SealError> {
        let from = Sender {
            account: self.account.public(),
            device: &self.device,
            certificate: &self.certificate,
            network: 5,
            effort: 0,
            now: self.now,
        };
        let sent = self
            .session
            .seal_message(draft, &self.keys, &from, &self.own, &mut self.rng);
        self.take_changes();
        sent
    }

    /// Opens what the table leads to; `None` if it is not expected.
    pub fn receive(&mut self, sealed: &Sealed) -> Option<Result<Opened, OpenError>> {
        let slot = *self.table.get(&locator(&sealed.header.tag))?;
        let hash = sealed.header.body_hash.first_chunk().unwrap();
        assert!(self.session.matches(&slot, &sealed.header.tag, hash));
        let opened = self
            .session
            .open(&slot, &sealed.header, &sealed.body, &self.own);
        self.take_changes();
        if let Ok(opened) = &opened {
            let payload = &opened.payload;
            if let Some(notice) = &payload.keys {
                self.keys.learn(notice, payload.time, epoch(self.now));
            }
            if payload.text.is_some() {
                self.owed.push(payload.message_id);
            }
        }
        Some(opened)
    }

    /// The text of what must open.
    pub fn read(&mut self, sealed: &Sealed) -> String {
        self.receive(sealed)
            .expect("expected")
            .expect("opens")
            .payload
            .text
            .unwrap()
    }

    /// Reads the peer's record of epoch keys.
    pub fn learn(&mut self, peer: &mut Party) {
        let by = Author {
            signer: Signer::Account(&peer.account),
            version: peer.now,
            effort: 0,
            network: 5,
        };
        let record = peer.own.record(by, &peer.read, peer.now, &peer.rng.array());
        let record = record.unwrap().unwrap();
        let owner = peer.account();
        self.keys
            .learn_record(&owner, &record.header, &record.body, hour(self.now))
            .unwrap();
    }

    /// All that is stored, and what a process that starts from it makes of it.
    pub fn restored(&self, seed: u8) -> Party {
        let mut party = Party {
            account: self.account.clone(),
            device: self.device.clone(),
            certificate: self.certificate,
            read: self.read,
            own: EpochKeys::decode(&self.own.encode()).unwrap(),
            keys: ContactKeys::decode(&self.keys.encode()).unwrap(),
            session: Session::decode(&self.session.encode()).unwrap(),
            table: BTreeMap::new(),
            rng: Rng::new([seed; 32]),
            now: self.now,
            owed: self.owed.clone(),
            sent: self.sent,
        };
        party.at(self.now);
        party
    }
}

/// An account that knows nobody.
pub struct Alone {
    pub account: SigningKey,
    pub device: SigningKey,
    pub certificate: [u8; 101],
    pub own: EpochKeys,
    pub rng: Rng,
    pub now: Millis,
}

impl Alone {
    pub fn new(seed: u8, now: Millis) -> Alone {
        let mut rng = Rng::new([seed; 32]);
        let account = SigningKey::draw(&mut rng);
        let device = SigningKey::draw(&mut rng);
        let certificate = Certificate::issue(&account, 0, device.public(), hour(now)).to_bytes();
        let mut own = EpochKeys::new();
        own.ensure(epoch(now), 0, &mut rng);
        Alone {
            account,
            device,
            certificate,
            own,
            rng,
            now,
        }
    }

    pub fn sender(&self) -> Sender<'_> {
        Sender {
            account: self.account.public(),
            device: &self.device,
            certificate: &self.certificate,
            network: 5,
            effort: 0,
            now: self.now,
        }
    }

    pub fn intro(&mut self, name: &str) -> Introduction {
        Introduction {
            read: [self.account.as_bytes()[0]; 32],
            mailbox: Mailbox::draw(3, &mut self.rng),
            name: name.into(),
            message_id: self.rng.array(),
            time: self.now,
            recovery: self.recovery().public(),
        }
    }

    pub fn recovery(&self) -> RecoveryKey {
        RecoveryKey::new(Key::new(sha256(&[self.account.as_bytes()])))
    }

    fn with(self, session: Session, keys: ContactKeys) -> Party {
        let read = [self.account.as_bytes()[0]; 32];
        let Alone {
            account,
            device,
            certificate,
            own,
            rng,
            now,
        } = self;
        let mut party = Party {
            account,
            device,
            certificate,
            read,
            own,
            keys,
            session,
            table: BTreeMap::new(),
            rng,
            now,
            owed: Vec::new(),
            sent: 0,
        };
        party.at(now);
        party
    }
}

/// Ann invited, Ben greeted, Ann accepted; everything by the objects they exchange.
pub fn two(now: Millis) -> (Party, Party) {
    let (mut ann, mut ben) = (Alone::new(1, now), Alone::new(2, now));
    let invitation = Invitation::draw(hour(now), 168, false, Mailbox::default(), &mut ann.rng);
    let hint = shared::wire::RelayHint {
        address: core::net::IpAddr::from([127, 0, 0, 1]),
        port: 1,
        certificate: [0; 32],
        node_key: [0; 32],
    };
    let fragment = invitation
        .link(ann.account.public(), alloc::vec![hint])
        .fragment();
    let by = Author {
        signer: Signer::Account(&ann.account),
        version: 1,
        effort: 0,
        network: 5,
    };
    let record = invitation.record(by, "Ann", &ann.rng.array()).unwrap();

    let link = crate::invite::InviteLink::parse(&format!("wiremin:{fragment}"), hour(now)).unwrap();
    let offer = link.open(&record.header, &record.body, hour(now)).unwrap();
    let (intro, me) = (ben.intro("Ben"), ben.account.public());
    let mut greeting =
        PendingGreeting::new(&link, &offer, &me, intro, "hello".into(), &mut ben.rng).unwrap();
    let mut rng = Rng::new(ben.rng.array());
    let sent = greeting.seal(&ben.sender(), &mut rng);

    let me = ann.account.public();
    let found = invitation
        .locators(&me)
        .find(|(l, _)| *l == locator(&sent.header.tag));
    let j = found.unwrap().1;
    let opened = Greeting::open(&invitation, &me, j, &sent.header, &sent.body, now).unwrap();
    assert_eq!(
        (opened.name.as_str(), opened.text.as_str()),
        ("Ben", "hello")
    );
    let read = opened.read_secret();
    let intro = ann.intro("Ann");
    let (pending, mut session) = PendingAcceptance::new(opened, &me, intro).unwrap();
    let mut rng = Rng::new(ann.rng.array());
    let sent = pending.seal(&mut session, &ann.sender(), &ann.own, &mut rng);
    let mut ann = ann.with(session, ContactKeys::new(read));

    let me = ben.account.public();
    let (at, n) = greeting.locators().next().unwrap();
    assert_eq!(at, locator(&sent.header.tag));
    let accepted = greeting
        .open_acceptance(&me, n, &sent.header, &sent.body, now)
        .unwrap();
    assert_eq!(accepted.name, "Ann");
    let mut ben = ben.with(accepted.session, accepted.keys);
    assert!(ben.keys.usable(epoch(now)), "the acceptance carries keys");
    ann.learn(&mut ben);
    (ann, ben)
}
