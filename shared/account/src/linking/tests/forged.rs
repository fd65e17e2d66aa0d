//! Messages made by hand: what somebody can say who has seen the code and holds keys of their own.

use super::code::CodeSecret;
use super::exchange::{Meeting, Message, Secrets, commitment, open_inner};
use super::texts::{Device, Hello};
use super::*;
use shared::crypto::{self, CIPHERTEXT_LEN, KemPublic, KemSecret, sha256};

/// An N that answers whatever it likes.
struct FalseN {
    kem: KemSecret,
    secret: CodeSecret,
    o: OldDevice,
    rng: Rng,
}

impl FalseN {
    /// Shows a code that is held to this message.
    fn new(message: &[u8]) -> FalseN {
        let mut rng = Rng::new([20; 32]);
        let ada = Account::draw(&mut rng);
        let kem = KemSecret::draw(&mut rng);
        let public = kem.public();
        let secret = CodeSecret::new(rng.array());
        let (nonce, rest) = message.split_first_chunk::<32>().unwrap();
        let held = commitment(&public, nonce, rest);
        let key_hash = sha256(&[public.as_bytes()]);
        let code = LinkCode::new(key_hash, held, secret.clone(), START, &[hint(1)]);
        let o = OldDevice::new(code, ada.me(), &at(0), &mut rng).unwrap();
        FalseN {
            kem,
            secret,
            o,
            rng,
        }
    }

    fn o_gets(&mut self, envelope: &Sealed) -> Reply<OldEvent> {
        self.o
            .on_envelope(&envelope.header, &envelope.body, &at(0), &mut self.rng)
    }

    /// Lets O ask, and says this.
    fn say(&mut self, message: &[u8]) -> Reply<OldEvent> {
        let secret = self.secret.clone();
        let meeting = Meeting(&secret);
        let key = meeting.put_key(&self.kem.public(), &at(0), &mut self.rng);
        let hello = only(self.o_gets(&key));
        let text = meeting
            .open(Message::Hello, &hello.header, &hello.body)
            .unwrap();
        let (ct, inner) = text.split_first_chunk::<CIPHERTEXT_LEN>().unwrap();
        let secrets = Secrets {
            shared: self.kem.decapsulate(ct),
            code: self.o.code().hash(),
            ct: sha256(&[ct]),
        };
        let said = open_inner(&secrets.hello_key(&secret), inner).unwrap();
        let key = secrets.device_key(&said);
        let put = meeting.put_sealed(Message::Device, (&[], &key), message, &at(0), &mut self.rng);
        self.o_gets(&put)
    }
}

fn device() -> Device {
    Device {
        key: SigningKey::from_bytes(&[1; 32]).public(),
        name: "Browser".into(),
        kind: DeviceKind::Linked,
        kem_hash: [3; 32],
    }
}

fn message(nonce: u8, device: &Device) -> Vec<u8> {
    [&[nonce; 32][..], &device.encode()].concat()
}

#[test]
fn a_device_is_held_to_its_code() {
    let right = message(7, &device());
    let reply = FalseN::new(&right).say(&right);
    assert!(matches!(reply.event, Some(OldEvent::Compare(_))));
    let mut wrong = Vec::new();
    for at in 0..right.len() {
        let mut changed = right.clone();
        changed[at] ^= 1 << (at % 8);
        wrong.push(changed);
        if at >= 32 {
            wrong.push(right[..at].to_vec());
        }
    }
    wrong.push([&right[..], &[0]].concat());
    let exchanged = Device {
        key: SigningKey::from_bytes(&[2; 32]).public(),
        ..device()
    };
    wrong.push(message(7, &exchanged));
    let full = Device {
        kind: DeviceKind::Full,
        ..device()
    };
    wrong.push(message(7, &full));
    for message in wrong {
        let mut n = FalseN::new(&right);
        let reply = n.say(&message);
        assert_eq!(o_failed(&reply), Failure::NotCommitted);
        assert!(
            reply.put.is_empty() && n.o.expected().is_empty(),
            "and that was it"
        );
    }
    for len in 0..32 {
        let reply = FalseN::new(&right).say(&right[..len]);
        assert_eq!(o_failed(&reply), Failure::Malformed);
    }
}

#[test]
fn a_device_that_says_nonsense_is_refused() {
    let right = message(7, &device());
    for len in 32..right.len() {
        let reply = FalseN::new(&right[..len]).say(&right[..len]);
        assert_eq!(o_failed(&reply), Failure::Malformed, "{len}");
    }
    let long = Device {
        name: "x".repeat(NAME_BYTES_MAX + 1),
        ..device()
    };
    let long = message(7, &long);
    assert_eq!(o_failed(&FalseN::new(&long).say(&long)), Failure::Malformed);
    // A name that turns the direction of text is shown without that.
    let turned = Device {
        name: "Bro\u{202e}wser".into(),
        ..device()
    };
    let turned = message(7, &turned);
    match FalseN::new(&turned).say(&turned).event {
        Some(OldEvent::Compare(newcomer)) => assert_eq!(newcomer.name, "Browser"),
        other => panic!("{other:?}"),
    }
}

/// Keys that others put where N's lies are passed over.
#[test]
fn another_key_is_not_the_codes() {
    let right = message(7, &device());
    let mut n = FalseN::new(&right);
    let secret = n.secret.clone();
    let meeting = Meeting(&secret);
    let junk = KemSecret::draw(&mut n.rng).public();
    let put = meeting.put_key(&junk, &at(0), &mut n.rng);
    assert!(is_nothing(&n.o_gets(&put)));
    for text in [&b""[..], &[0; 1_216], &n.kem.public().as_bytes()[1..]] {
        let padded = crypto::pad(text, 2_048 - 28).unwrap();
        let put = meeting.put(Message::Key, &padded, &at(0), &mut n.rng);
        assert!(is_nothing(&n.o_gets(&put)));
    }
    assert!(matches!(n.say(&right).event, Some(OldEvent::Compare(_))));
}

/// Says this hello to N, or junk in its place.
fn hello(run: &mut Run, text: Option<&[u8]>) -> Reply<NewEvent> {
    let code = run.n.code().clone();
    let meeting = Meeting(&code.secret);
    let key = meeting
        .open(Message::Key, &run.key.header, &run.key.body)
        .unwrap();
    let key = KemPublic::from_bytes(crypto::unpad(&key).unwrap()).unwrap();
    let (ct, shared) = key.encapsulate([4; 64]);
    let secrets = Secrets {
        shared,
        code: code.hash(),
        ct: sha256(&[&ct[..]]),
    };
    let key = match text {
        Some(_) => secrets.hello_key(&code.secret),
        None => Key::new([0; 32]),
    };
    let (ahead, text) = ((&ct[..], &key), text.unwrap_or_default());
    let put = meeting.put_sealed(Message::Hello, ahead, text, &at(0), &mut run.rng);
    run.n_gets(&put)
}

fn ours(run: &Run) -> Hello {
    Hello {
        nonce: [5; 32],
        account: run.ada.key.public(),
        certificate: run.ada.certificate,
        name: "Ada".into(),
    }
}

#[test]
fn a_hello_that_is_wrong_is_the_last_one() {
    let text = ours(&Run::new(DeviceKind::Linked, 1)).encode();
    let cut = (0..text.len()).map(|len| (Some(text[..len].to_vec()), Failure::Malformed));
    let run = Run::new(DeviceKind::Linked, 1);
    let other = Account::draw(&mut Rng::new([30; 32]));
    let with = |change: &dyn Fn(&mut Hello)| {
        let mut hello = ours(&run);
        change(&mut hello);
        Some(hello.encode())
    };
    let old = Certificate::issue(&run.ada.key, 0, other.key.public(), hour(START) - 250);
    let wrong = [
        (None, Failure::Disturbed),
        (with(&|h| h.name = "x".repeat(65)), Failure::Malformed),
        (
            with(&|h| h.certificate = other.certificate),
            Failure::BadCertificate,
        ),
        (
            with(&|h| h.account = other.key.public()),
            Failure::BadCertificate,
        ),
        (
            with(&|h| h.certificate = old.to_bytes()),
            Failure::BadCertificate,
        ),
    ];
    for (text, why) in cut.chain(wrong) {
        let mut run = Run::new(DeviceKind::Linked, 1);
        let reply = hello(&mut run, text.as_deref());
        assert_eq!(n_failed(&reply), why);
        assert!(reply.put.is_empty(), "nothing is answered");
        // The right one comes too late.
        let hello = run.hello();
        assert!(is_nothing(&run.n_gets(&hello)) && run.n.expected().is_empty());
    }
    let mut run = Run::new(DeviceKind::Linked, 1);
    assert!(matches!(
        hello(&mut run, Some(&text)).event,
        Some(NewEvent::Compare(_))
    ));
}

/// Who has seen the code lays something in the place of a part, or of the last word.
#[test]
fn junk_by_who_has_seen_the_code_is_told() {
    let junk = |run: &mut Run, message: Message| {
        let secret = run.n.code().secret.clone();
        let key = Key::new([0; 32]);
        Meeting(&secret).put_sealed(message, (&[], &key), b"junk", &at(0), &mut run.rng)
    };
    let mut run = Run::new(DeviceKind::Linked, 2);
    let (_, newcomer, _) = run.compare();
    let part = junk(&mut run, Message::Chunk(0));
    let reply = run.n_gets(&part);
    assert_eq!(n_failed(&reply), Failure::Disturbed);
    let bundle = run.bundle(newcomer.device, DeviceKind::Linked, 0);
    run.chunks(&bundle);
    assert_eq!(
        o_failed(&run.o_gets(&reply.put[0].clone())),
        Failure::NotTaken
    );

    // Before the yes a word that is not N's ends it; behind it, whether N took it has to be known.
    let mut run = Run::new(DeviceKind::Linked, 2);
    run.compare();
    let word = junk(&mut run, Message::Word);
    assert_eq!(o_failed(&run.o_gets(&word)), Failure::Disturbed);
    let mut run = Run::new(DeviceKind::Linked, 2);
    let (_, newcomer, _) = run.compare();
    run.n_confirms();
    let bundle = run.bundle(newcomer.device, DeviceKind::Linked, 0);
    let chunks = run.chunks(&bundle);
    assert!(is_nothing(&run.o_gets(&word)));
    let reply = run.n_gets(&chunks[0]);
    assert!(matches!(reply.event, Some(NewEvent::Received(_))));
    let word = run.n.taken(&at(8_000), &mut run.rng).unwrap();
    assert!(matches!(run.o_gets(&word).event, Some(OldEvent::Done)));
}
