//! Greetings and acceptances: sealed anew, sent twice, changed, and made by the wrong people.

use super::*;
use crate::acceptance::{Asker, OpenError as AcceptanceError};
use crate::greeting::{EFFORT_MIN, GreetError, OpenError as GreetingError};
use crate::invite::InviteLink;
use shared::wire::Header;

struct Stage {
    ann: Alone,
    ben: Alone,
    invitation: Invitation,
    link: InviteLink,
    pending: PendingGreeting,
}

fn stage() -> Stage {
    let (mut ann, mut ben) = (Alone::new(1, START), Alone::new(2, START));
    let invitation = Invitation::draw(hour(START), 168, true, Mailbox::default(), &mut ann.rng);
    let link = invitation.link(ann.account.public(), Vec::new());
    let pending = greeting(&ann, &mut ben, &invitation, &link, "hello").unwrap();
    Stage {
        ann,
        ben,
        invitation,
        link,
        pending,
    }
}

fn greeting(
    ann: &Alone,
    ben: &mut Alone,
    invitation: &Invitation,
    link: &InviteLink,
    text: &str,
) -> Result<PendingGreeting, GreetError> {
    let by = Author {
        signer: Signer::Account(&ann.account),
        version: 1,
        effort: 0,
        network: 5,
    };
    let record = invitation.record(by, "Ann", &[1; 32]).unwrap();
    let offer = link
        .open(&record.header, &record.body, hour(START))
        .unwrap();
    let (intro, me) = (ben.intro("Ben\u{202e}"), ben.account.public());
    PendingGreeting::new(link, &offer, &me, intro, text.into(), &mut ben.rng)
}

impl Stage {
    fn greet(&mut self) -> Sealed {
        let mut rng = Rng::new(self.ben.rng.array());
        self.pending.seal(&self.ben.sender(), &mut rng)
    }

    fn open(&self, sealed: &Sealed) -> Result<Greeting, GreetingError> {
        let me = self.ann.account.public();
        let at = locator(&sealed.header.tag);
        let (_, j) = self
            .invitation
            .locators(&me)
            .find(|(l, _)| *l == at)
            .unwrap();
        Greeting::open(
            &self.invitation,
            &me,
            j,
            &sealed.header,
            &sealed.body,
            self.ann.now,
        )
    }

    fn accept(&mut self, greeting: Greeting) -> (PendingAcceptance, Session) {
        let me = self.ann.account.public();
        let intro = self.ann.intro("Ann\n");
        PendingAcceptance::new(greeting, &me, intro).unwrap()
    }

    fn answer(&mut self, pending: &PendingAcceptance, session: &mut Session) -> Sealed {
        let mut rng = Rng::new(self.ann.rng.array());
        pending.seal(session, &self.ann.sender(), &self.ann.own, &mut rng)
    }

    fn take(&self, sealed: &Sealed) -> Result<crate::acceptance::Accepted, AcceptanceError> {
        let at = locator(&sealed.header.tag);
        let (_, n) = self.pending.locators().find(|(l, _)| *l == at).unwrap();
        let me = self.ben.account.public();
        self.pending
            .open_acceptance(&me, n, &sealed.header, &sealed.body, self.ben.now)
    }
}

#[test]
fn sealed_anew_it_is_the_same_greeting() {
    let mut s = stage();
    let first = s.greet();
    assert!(first.header.effort >= EFFORT_MIN);
    s.ben.now += 49 * HOUR;
    let second = s.greet();
    assert_ne!(first.body, second.body);
    let (a, b) = (s.open(&first).unwrap(), s.open(&second).unwrap());
    assert_eq!((a.id(), &a.text, &a.name), (b.id(), &b.text, &b.name));
    assert_eq!(a.name, "Ben");
    // Answers that were stored as long as they held the whole greeting are read.
    let asker: Asker = crate::cbor::from_slice(&crate::cbor::to_vec(&a)).unwrap();
    assert_eq!(asker.account, s.ben.account.public());
    // Whichever is accepted, the greeter understands.
    for greeting in [a, b] {
        let greeting = Greeting::decode(&greeting.encode()).unwrap();
        let (pending, mut session) = s.accept(greeting);
        let answer = s.answer(&pending, &mut session);
        s.pending = PendingGreeting::decode(&s.pending.encode()).unwrap();
        let accepted = s.take(&answer).unwrap();
        assert_eq!(accepted.name, "Ann");
        assert_eq!(accepted.session.kept.pairs[0].id, session.kept.pairs[0].id);
    }
    for _ in 0..20 {
        s.greet();
    }
    assert_eq!(s.pending.locators().count(), 16);
}

/// The first answer expired unread; the second makes another pair. Whichever arrives, or both, they
/// talk.
#[test]
fn an_acceptance_sealed_anew() {
    for arrives in [[true, false], [false, true], [true, true]] {
        let mut s = stage();
        let sent = s.greet();
        let greeting = s.open(&sent).unwrap();
        let (pending, mut session) = s.accept(greeting);
        let first = s.answer(&pending, &mut session);
        let pending = PendingAcceptance::decode(&pending.encode()).unwrap();
        s.ann.now += 50 * HOUR;
        s.ben.now += 50 * HOUR;
        let second = s.answer(&pending, &mut session);
        let mut met: Option<crate::acceptance::Accepted> = None;
        for (sealed, arrives) in [first, second].iter().zip(arrives) {
            if !arrives {
                continue;
            }
            let accepted = s.take(sealed).unwrap();
            assert_eq!(accepted.message_id, pending.message_id);
            match &mut met {
                Some(before) => assert!(!before.session.adopt(accepted.session, Old::Retires)),
                None => met = Some(accepted),
            }
        }
        let met = met.unwrap();
        let read = s.ben.account.as_bytes()[0];
        let mut ann = s.ann.with(session, ContactKeys::new([read; 32]));
        let mut ben = s.ben.with(met.session, met.keys);
        ann.learn(&mut ben);
        ben.learn(&mut ann);
        let sent = ben.send("here I am");
        assert_eq!(ann.read(&sent.sealed), "here I am");
        let sent = ann.send("welcome");
        assert_eq!(ben.read(&sent.sealed), "welcome");
    }
}

#[test]
fn changed_greetings_and_acceptances() {
    let mut s = stage();
    let sent = s.greet();
    let greeting = s.open(&sent).unwrap();
    let (pending, mut session) = s.accept(greeting);
    let answer = s.answer(&pending, &mut session);
    for at in (0..4096).step_by(7) {
        let mut changed = sent.clone();
        changed.body[at] ^= 4;
        assert_eq!(s.open(&changed).unwrap_err(), GreetingError::Forged);
        let mut changed = answer.clone();
        changed.body[at] ^= 4;
        assert_eq!(s.take(&changed).unwrap_err(), AcceptanceError::Forged);
    }
    for at in (0..16).chain(24..40) {
        let flip = |sealed: &Sealed| {
            let mut bytes = sealed.header.encode();
            bytes[at] ^= 1;
            Some(Sealed {
                header: Header::parse(&bytes).ok()?,
                body: sealed.body.clone(),
            })
        };
        if let Some(changed) = flip(&sent) {
            assert_eq!(s.open(&changed).unwrap_err(), GreetingError::Forged, "{at}");
        }
        if let Some(changed) = flip(&answer) {
            assert_eq!(
                s.take(&changed).unwrap_err(),
                AcceptanceError::Forged,
                "{at}"
            );
        }
    }
}

#[test]
fn greetings_by_the_wrong_people() {
    let mut s = stage();
    // To oneself.
    let mut ann = Alone::new(1, START);
    let own = greeting(&s.ann, &mut ann, &s.invitation, &s.link, "").unwrap_err();
    assert_eq!(own, GreetError::Own);
    let long = "x".repeat(501);
    let error = greeting(&s.ann, &mut s.ben, &s.invitation, &s.link, &long).unwrap_err();
    assert_eq!(error, GreetError::TextTooLong { bytes_max: 500 });
    // The device of somebody else, then the certificate too.
    let mallory = Alone::new(66, START);
    let mut rng = Rng::new([8; 32]);
    let stolen = Sender {
        device: &mallory.device,
        ..s.ben.sender()
    };
    let sealed = s.pending.seal(&stolen, &mut rng);
    assert_eq!(s.open(&sealed).unwrap_err(), GreetingError::BadSignature);
    let stolen = Sender {
        account: s.ben.account.public(),
        ..mallory.sender()
    };
    let sealed = s.pending.seal(&stolen, &mut rng);
    assert_eq!(s.open(&sealed).unwrap_err(), GreetingError::BadCertificate);
    // A certificate that ended long ago.
    s.ann.now += 30 * DAY;
    let sealed = s.greet();
    assert_eq!(s.open(&sealed).unwrap_err(), GreetingError::BadCertificate);
    s.ann.now -= 30 * DAY;
    // Without the invitation's key, by its locators alone.
    let sealed = s.greet();
    let other = Invitation::draw(hour(START), 168, false, Mailbox::default(), &mut rng);
    let me = s.ann.account.public();
    let error = Greeting::open(&other, &me, 0, &sealed.header, &sealed.body, START).unwrap_err();
    assert_eq!(error, GreetingError::Forged);
    // An acceptance by somebody who got hold of the greeting.
    let greeting = s.open(&sealed).unwrap();
    let (pending, mut session) = s.accept(greeting);
    let forged = pending.seal(&mut session, &mallory.sender(), &mallory.own, &mut rng);
    assert_eq!(
        s.take(&forged).unwrap_err(),
        AcceptanceError::BadCertificate
    );
    let stolen = Sender {
        device: &mallory.device,
        ..s.ann.sender()
    };
    let forged = pending.seal(&mut session, &stolen, &s.ann.own, &mut rng);
    assert_eq!(s.take(&forged).unwrap_err(), AcceptanceError::BadSignature);
}

#[test]
fn the_longest_texts_fit() {
    let mut s = stage();
    let text = "é".repeat(250);
    s.pending = greeting(&s.ann, &mut s.ben, &s.invitation, &s.link, &text).unwrap();
    let sent = s.greet();
    let greeting = s.open(&sent).unwrap();
    assert_eq!(greeting.text, text);
    let me = s.ann.account.public();
    let intro = Introduction {
        name: "n".repeat(64),
        ..s.ann.intro("")
    };
    let (pending, mut session) = PendingAcceptance::new(greeting.clone(), &me, intro).unwrap();
    let answer = s.answer(&pending, &mut session);
    let accepted = s.take(&answer).unwrap();
    assert_eq!(accepted.name.len(), 64);
    assert_eq!(accepted.keys.last_epoch(), Some(epoch(START) + 1));
    let intro = Introduction {
        name: "n".repeat(65),
        ..s.ann.intro("")
    };
    assert!(PendingAcceptance::new(greeting, &me, intro).is_err());
}
