//! Returns: made from both accounts' words alone, sealed anew, changed, and made by the wrong
//! people; and what becomes of what was there before.

use super::*;
use crate::acceptance::{Accepted, OpenError as AcceptanceError};
use crate::comeback::{LOCATORS, OpenError as ReturnError, PendingReturn, Return, Way, Which};
use crate::sealed::Step;
use crate::session::pair;
use shared::crypto::KemSecret;
use shared::wire::SizeClass;

/// Ben lost everything; Ann has not heard of it.
struct Stage {
    ann: Alone,
    ben: Alone,
    /// Ann's, as Ben has found them.
    keys: ContactKeys,
    pending: PendingReturn,
}

fn keys_of(party: &mut Alone) -> ContactKeys {
    let read = [party.account.as_bytes()[0]; 32];
    let by = Author {
        signer: Signer::Account(&party.account),
        version: party.now,
        effort: 0,
        network: 5,
    };
    let record = party.own.record(by, &read, party.now, &party.rng.array());
    let record = record.unwrap().unwrap();
    let (owner, mut keys) = (party.account.public(), ContactKeys::new(read));
    keys.learn_record(&owner, &record.header, &record.body, hour(party.now))
        .unwrap();
    keys
}

fn stage() -> Stage {
    let (mut ann, mut ben) = (Alone::new(1, START), Alone::new(2, START));
    let keys = keys_of(&mut ann);
    let to = ann.account.public();
    let pending = PendingReturn::new(to, Mailbox::default(), [7; 16], START, &mut ben.rng);
    Stage {
        ann,
        ben,
        keys,
        pending,
    }
}

/// RT between these two, from the one to the other.
fn secret(from: &Alone, to: &Alone) -> Key {
    let parties = (from.account.public(), to.account.public());
    let theirs = to.recovery().public();
    let secret = from
        .recovery()
        .return_secret(&theirs, &parties.0, &parties.1);
    secret.unwrap()
}

impl Stage {
    fn come_back(&mut self, name: &str) -> Sealed {
        let account = self.ben.account.clone();
        self.come_back_by(&account, name)
    }

    fn come_back_by(&mut self, account: &SigningKey, name: &str) -> Sealed {
        let secret = secret(&self.ben, &self.ann);
        let intro = self.ben.intro(name);
        let mut rng = Rng::new(self.ben.rng.array());
        let from = (&self.ben.sender(), account, &self.ben.own);
        let sealed = self
            .pending
            .seal(&secret, &self.keys, &intro, from, &mut rng);
        sealed.unwrap()
    }

    /// What Ann expects it as.
    fn which(&self, sealed: &Sealed) -> Option<Which> {
        let secret = secret(&self.ben, &self.ann);
        let at = locator(&sealed.header.tag);
        Which::expected(epoch(self.ann.now)).find(|w| w.locator(&secret) == at)
    }

    fn open(&self, sealed: &Sealed) -> Result<Return, ReturnError> {
        self.open_as(sealed, |_| {})
    }

    fn open_as(
        &self,
        sealed: &Sealed,
        change: impl FnOnce(&mut (PublicKey, PublicKey, [u8; 32])),
    ) -> Result<Return, ReturnError> {
        let (secret, which) = (secret(&self.ben, &self.ann), self.which(sealed).unwrap());
        let (from, to) = (self.ben.account.public(), self.ann.account.public());
        let mut parts = (from, to, self.ben.recovery().public());
        change(&mut parts);
        let way = Way {
            from: &parts.0,
            recovery: &parts.2,
            to: &parts.1,
            secret: &secret,
        };
        let Sealed { header, body } = sealed;
        Return::open(&way, &which, header, body, &self.ann.own, self.ann.now)
    }

    fn answer(&mut self, returned: Return) -> (Sealed, Session) {
        let (me, intro) = (self.ann.account.public(), self.ann.intro("Ann"));
        let (pending, mut session) = PendingAcceptance::new(returned.asker, &me, intro).unwrap();
        let pending = PendingAcceptance::decode(&pending.encode()).unwrap();
        let mut rng = Rng::new(self.ann.rng.array());
        let from = self.ann.sender();
        let sealed = pending.seal(&mut session, &from, &self.ann.own, &mut rng);
        (sealed, session)
    }

    fn take(&self, sealed: &Sealed) -> Result<Accepted, AcceptanceError> {
        let at = locator(&sealed.header.tag);
        let (_, n) = self.pending.locators().find(|(l, _)| *l == at).unwrap();
        let me = self.ben.account.public();
        let Sealed { header, body } = sealed;
        self.pending
            .open_acceptance(&me, n, header, body, self.ben.now)
    }
}

#[test]
fn a_return_makes_a_pair() {
    let mut s = stage();
    let name = "n".repeat(64);
    for now in [START, START + 49 * HOUR] {
        (s.ann.now, s.ben.now) = (now, now);
        s.ann.own.ensure(epoch(now), 0, &mut s.ann.rng);
        s.ben.own.ensure(epoch(now), 0, &mut s.ben.rng);
        let sent = s.come_back(&name);
        assert_eq!(sent.header.effort, 0);
        let returned = s.open(&sent).unwrap();
        assert_eq!((&returned.name, returned.message_id), (&name, [7; 16]));
        assert_eq!(returned.time, START, "however often it is sealed");
        // A message can be sealed at once: the return carries a key.
        assert!(returned.keys.usable(epoch(now)));
        s.pending = PendingReturn::decode(&s.pending.encode()).unwrap();
        let (answer, session) = s.answer(returned);
        let accepted = s.take(&answer).unwrap();
        assert_eq!(accepted.name, "Ann");
        assert_eq!(accepted.recovery, Some(s.ann.recovery().public()));
        assert_eq!(accepted.session.kept.pairs[0].id, session.kept.pairs[0].id);
    }
    for _ in 0..20 {
        s.come_back("Ben");
    }
    assert_eq!(s.pending.locators().count(), 16);
    assert!(s.pending.is_asking(START + 719 * HOUR) && !s.pending.is_asking(START + 720 * HOUR));
    s.pending.answered = true;
    assert!(!s.pending.is_asking(START));
}

#[test]
fn stored_returns_are_judged() {
    let mut s = stage();
    s.come_back("Ben");
    let bytes = s.pending.encode();
    for cut in 0..bytes.len() {
        assert!(PendingReturn::decode(&bytes[..cut]).is_err());
    }
    let mut rng = Rng::new([5; 32]);
    for _ in 0..2_000 {
        let mut changed = bytes.clone();
        let at = rng.below(bytes.len() as u64) as usize;
        changed[at] = rng.u64() as u8;
        if let Ok(pending) = PendingReturn::decode(&changed) {
            assert!(pending.locators().count() <= 16);
        }
    }
}

#[test]
fn it_is_expected_for_some_days() {
    let mut s = stage();
    let sent = s.come_back("Ben");
    let expected = Which::expected(epoch(START));
    assert_eq!(expected.count(), 5 * usize::from(LOCATORS));
    for (days, found) in [(-2, false), (-1, true), (0, true), (3, true), (4, false)] {
        s.ann.now = START.saturating_add_signed(days * DAY as i64);
        assert_eq!(s.which(&sent).is_some(), found, "{days}");
    }
    // 30 hours later it opens; when the key is gone it does not.
    s.ann.now = START + 30 * HOUR;
    assert!(s.open(&sent).is_ok());
    s.ann.own.erase(epoch(START) + 4);
    assert_eq!(s.open(&sent).unwrap_err(), ReturnError::NoKey);
}

#[test]
fn any_change_is_noticed() {
    let mut s = stage();
    let sent = s.come_back("Ben");
    for at in 0..sent.body.len() {
        let mut changed = sent.clone();
        changed.body[at] ^= 1;
        assert_eq!(s.open(&changed).unwrap_err(), ReturnError::Forged);
        changed.body.truncate(at);
        assert_eq!(s.open(&changed).unwrap_err(), ReturnError::Forged);
    }
}

#[test]
fn it_counts_for_one_sender_and_recipient() {
    let mut s = stage();
    let sent = s.come_back("Ben");
    let other = SigningKey::from_bytes(&[5; 32]).public();
    let from = s.open_as(&sent, |p| p.0 = other);
    assert_eq!(from.unwrap_err(), ReturnError::Malformed);
    let to = s.open_as(&sent, |p| p.1 = other);
    assert_eq!(to.unwrap_err(), ReturnError::BadSignature);
    // Another R than the one that was known.
    let recovery = s.open_as(&sent, |p| p.2[0] ^= 1);
    assert_eq!(recovery.unwrap_err(), ReturnError::Malformed);
    // Found by one secret, it does not open by another, as the ones of the other direction.
    assert_ne!(secret(&s.ben, &s.ann), secret(&s.ann, &s.ben));
    // Sealed to a key that is not Ann's.
    let strange = KemSecret::draw(&mut Rng::new([8; 32])).public();
    let notice = crate::epoch_keys::KeyNotice {
        generation: 9,
        first_epoch: epoch(START),
        keys: alloc::vec![strange],
    };
    s.keys.learn(&notice, START, epoch(START));
    let sent = s.come_back("Ben");
    assert_eq!(s.open(&sent).unwrap_err(), ReturnError::Forged);
    assert_eq!(s.pending.generation, 9);
}

/// Who knows RT (a device of his without the words, or Ann herself) but not the seed, or has an old
/// certificate.
#[test]
fn only_the_account_itself_comes_back() {
    let mut s = stage();
    let device = s.ben.device.clone();
    let sent = s.come_back_by(&device, "Ben");
    assert_eq!(s.open(&sent).unwrap_err(), ReturnError::BadSignature);
    // Certified by somebody else.
    let device = s.ben.device.public();
    let mallory = SigningKey::from_bytes(&[7; 32]);
    s.ben.certificate = Certificate::issue(&mallory, 0, device, hour(START)).to_bytes();
    let sent = s.come_back("Ben");
    assert_eq!(s.open(&sent).unwrap_err(), ReturnError::BadCertificate);
    // 192 hours, of which the last was 53 hours ago: nothing made then can still be on its way.
    for (hours, good) in [(245, false), (240, true)] {
        let issued = hour(START) - hours;
        s.ben.certificate = Certificate::issue(&s.ben.account, 0, device, issued).to_bytes();
        let sent = s.come_back("Ben");
        assert_eq!(s.open(&sent).is_ok(), good, "{hours}");
    }
}

/// Ann, who knows RT too, puts another ciphertext under the right outer key.
#[test]
fn a_ciphertext_put_in_its_place_opens_nothing() {
    let mut s = stage();
    let sent = s.come_back("Ben");
    let (secret, which) = (secret(&s.ben, &s.ann), s.which(&sent).unwrap());
    let step = which.step(&secret);
    let outer = step.open_outer(&sent.header, &sent.body).unwrap();
    let mut rng = Rng::new([3; 32]);
    let front = Step::front(
        &s.ben.sender(),
        SizeClass::KIB_4,
        Mailbox::default(),
        &mut rng,
    );
    let (key, ct) = (Key::new([1; 32]), outer.ct);
    let forged = step
        .seal_inner(&front, &ct, &key, &[1; 80], &mut rng)
        .unwrap();
    assert_eq!(s.open(&forged).unwrap_err(), ReturnError::Forged);
    // To her own key, with a text of her own: she can write it, but nobody signed it.
    let (_, to) = s.keys.pick(epoch(START), 0).unwrap();
    let (ct, shared) = to.encapsulate([4; 64]);
    let inner = crate::comeback::inner_key(&shared, &sha256(&[&ct[..]]));
    for text in [&[0xa0; 65][..], &[0; 64], &[0; 3]] {
        let forged = step
            .seal_inner(&front, &ct, &inner, text, &mut rng)
            .unwrap();
        assert_eq!(s.open(&forged).unwrap_err(), ReturnError::Malformed);
    }
}

/// Ben came back; the device that he lost goes on writing on the pair that he lost with it.
#[test]
fn a_device_of_before_changes_nothing_any_more() {
    let (mut ann, mut ben) = two(START);
    let first = ben.send("before");
    assert_eq!(ann.read(&first.sealed), "before");
    let mut thief = ben.restored(9);
    thief.sent = 100;

    let (mut s, device) = (stage(), SigningKey::from_bytes(&[8; 32]));
    s.ben.certificate =
        Certificate::issue(&ben.account, 0, device.public(), hour(START)).to_bytes();
    s.ben.device = device.clone();
    let sent = s.come_back("Ben");
    let returned = s.open(&sent).unwrap();
    let asker = returned.asker.clone();
    assert_eq!(
        ann.session.heard_of_others(asker.slot, &asker.device),
        START
    );
    let (answer, session) = s.answer(returned);
    assert!(ann.session.adopt(session, Old::IsLost), "another device");
    assert_eq!(ann.session.heard_of_others(asker.slot, &asker.device), 0);
    ann.at(START);
    let new = ann.session.kept.pairs.iter().find(|p| !p.lost).unwrap().id;
    ben.session = s.take(&answer).unwrap().session;
    ben.device = device;
    ben.table.clear();
    ben.at(START);

    // Before Ben writes, after it, and days later: Ann hears the old device
    // while she keeps its pair, and sends on the new one.
    for (days, text) in [(0, "I am Ben"), (1, "me too"), (3, "still me")] {
        let now = START + days * DAY + HOUR;
        thief.at(now);
        ann.at(now);
        ben.at(now);
        ann.learn(&mut ben);
        ben.learn(&mut ann);
        thief.keys = ben.keys.clone();
        let mut draft = thief.draft(text);
        draft.mailbox = Mailbox::new(0x8000_0000, 1);
        let sent = thief.send_draft(&draft).unwrap();
        let opened = ann.receive(&sent.sealed).unwrap().unwrap();
        assert_eq!(opened.payload.text.as_deref(), Some(text));
        assert!(opened.is_lost && !opened.is_current && !opened.device_changed);
        assert_ne!(ann.session.mailbox(), Mailbox::new(0x8000_0000, 1).unwrap());
        assert!(!ann.session.knows(0, &thief.device.public()));
        let chosen = |party: &Party| {
            let pairs = &party.session.kept.pairs;
            pair::sending(pairs, epoch(now)).map(|p| p.id)
        };
        assert_eq!(chosen(&ann), Some(new));
        let sent = ann.send("to Ben");
        assert!(thief.receive(&sent.sealed).is_none());
        assert_eq!(ben.read(&sent.sealed), "to Ben");
        let answer = ben.send("from Ben");
        assert_eq!(ann.read(&answer.sealed), "from Ben");
        ann.session = Session::decode(&ann.session.encode()).unwrap();
        ann.table.clear();
        ann.at(now);
    }
    // What the old device proposes makes no pair.
    let fresh = [4; 32];
    let old = ann.session.kept.pairs.iter().find(|p| p.lost).unwrap().id;
    let before = ann.session.kept.pairs.len();
    let payload = Payload {
        fresh: Some(fresh),
        sealed: START + 10 * DAY,
        ..Payload::default()
    };
    assert!(!ann.session.take_in(&payload, &old, epoch(START) + 3, 0));
    assert_eq!(ann.session.kept.pairs.len(), before);
    // After four days its pair is forgotten.
    ann.at(START + 9 * DAY);
    assert!(ann.session.kept.pairs.iter().all(|p| !p.lost));
}

/// Rows written before devices had a time, and pairs a mark.
#[test]
fn devices_without_a_time_are_read() {
    let mut bytes = alloc::vec![0x82, 3, 0x58, 32];
    let key = SigningKey::from_bytes(&[1; 32]).public();
    bytes.extend_from_slice(key.as_bytes());
    let device: Device = crate::cbor::from_slice(&bytes).unwrap();
    assert_eq!((device.slot, device.key, device.heard), (3, key, 0));
}
