//! Known answers for every step of PROTOCOL.md sections 4 to 6, made by another implementation:
//! shared/vectors/session.py.

use super::*;
use crate::acceptance;
use crate::comeback::{self, Which};
use crate::delegation::{Delegation, Scope};
use crate::greeting::{self, Exchange};
use crate::invite::{InviteLink, greeting_step};
use crate::profile::ProfileText;
use crate::record::{self, Signer, Writing};
use crate::sealed::{Step, tag};
use crate::session::chain::{chain_id, step};
use crate::session::opener::{Who, exchange};
use crate::session::pair::next;
use crate::session::payload::{Context, OPENER_INDEX};
use data_encoding::HEXLOWER;
use serde_json::Value;
use shared::crypto::hedge;
use shared::wire::{Lifetime, RelayHint, SizeClass};

/// A value of the file, read as what the test needs.
struct Vector(Value);

impl Vector {
    fn of(part: &str) -> Vector {
        let file = include_str!("../../../../vectors/session.json");
        Vector(serde_json::from_str(file).unwrap()).at(part)
    }

    fn at(&self, name: &str) -> Vector {
        Vector(
            self.0
                .get(name)
                .unwrap_or_else(|| panic!("no {name}"))
                .clone(),
        )
    }

    fn list(&self) -> Vec<Vector> {
        self.0
            .as_array()
            .unwrap()
            .iter()
            .cloned()
            .map(Vector)
            .collect()
    }

    fn number(&self, name: &str) -> u64 {
        self.at(name).0.as_u64().unwrap()
    }

    fn text(&self, name: &str) -> String {
        self.at(name).0.as_str().unwrap().into()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        HEXLOWER.decode(self.text(name).as_bytes()).unwrap()
    }

    fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap()
    }

    fn key(&self, name: &str) -> Key {
        Key::new(self.array(name))
    }

    fn public(&self, name: &str) -> PublicKey {
        PublicKey::from_bytes(&self.array(name)).unwrap()
    }

    /// Bytes of an element of a list.
    fn whole<const N: usize>(&self) -> [u8; N] {
        HEXLOWER
            .decode(self.0.as_str().unwrap().as_bytes())
            .unwrap()
            .try_into()
            .unwrap()
    }

    fn is_step(&self, step: &Step) {
        assert_eq!(step.locator.to_be_bytes(), self.array("locator"));
        assert_eq!(step.mac, self.key("mac"));
        assert_eq!(step.key, self.key("key"));
        assert_eq!(step.next, self.key("next"));
    }
}

#[test]
fn records() {
    let v = Vector::of("record");
    let account = SigningKey::from_bytes(&v.array("account"));
    let by = Author {
        signer: Signer::Account(&account),
        version: v.number("version"),
        effort: v.number("effort") as u8,
        network: v.number("network") as u32,
    };
    let read = v.array("read");
    let writing = Writing {
        by,
        read: &read,
        slot: v.number("slot") as u16,
        period: v.number("period") as u32,
        size: SizeClass::KIB_2,
        lifetime: Lifetime::H168,
        expiry: v.number("expiry") as u32,
    };
    let sealed = record::write(&writing, &v.bytes("text"), &v.array("fresh")).unwrap();
    assert_eq!(sealed.body, v.bytes("body"));
    assert_eq!(sealed.header.encode(), v.array("header"));
}

#[test]
fn delegations() {
    let v = Vector::of("delegation");
    let account = SigningKey::from_bytes(&v.array("account"));
    let device = SigningKey::from_bytes(&v.array("device"));
    let read = v.array("read");
    let scope = Scope {
        read: &read,
        slot: v.number("slot") as u16,
        period: v.number("period") as u32,
    };
    let leave = Delegation::issue(&account, &scope, device.public());
    assert_eq!(leave.until, v.number("until") as u32);
    assert_eq!(leave.to_bytes(), v.array("leave"));
    let profile = ProfileText {
        name: v.text("name"),
        about: v.text("about"),
        avatar: None,
        time: v.number("time"),
    };
    assert_eq!(profile.encode(), v.bytes("text"));
    let signer = Signer::Delegate {
        owner: &account.public(),
        device: &device,
        leave: &leave,
    };
    let writing = Writing {
        by: Author {
            signer,
            version: v.number("version"),
            effort: 0,
            network: v.number("network") as u32,
        },
        read: &read,
        slot: scope.slot,
        period: scope.period,
        size: record::least_size(&v.bytes("text")).unwrap(),
        lifetime: record::lifetime(scope.slot),
        expiry: v.number("expiry") as u32,
    };
    let sealed = record::write(&writing, &v.bytes("text"), &v.array("fresh")).unwrap();
    assert_eq!(sealed.body, v.bytes("body"));
    assert_eq!(sealed.header.encode(), v.array("header"));
}

#[test]
fn invitations() {
    let v = Vector::of("invitation");
    let link = InviteLink::parse(&v.text("fragment"), 1).unwrap();
    assert_eq!(link.inviter, v.public("inviter"));
    assert_eq!(*link.secret16(), v.array::<16>("secret"));
    assert_eq!(link.expiry, v.number("expiry") as u32);
    assert!(link.single_use);
    assert_eq!(link.hints, [RelayHint::parse(&v.bytes("hint")).unwrap()]);
    assert_eq!(link.fragment(), v.text("fragment"));
    assert_eq!(link.id(), v.array("id"));
    assert_eq!(link.place().tag, v.array("tag"));
    for (step, j) in v.at("greetings").list().iter().zip([0, 63]) {
        step.is_step(&greeting_step(&v.array("secret"), &link.inviter, j));
    }
}

#[test]
fn handshakes() {
    let v = Vector::of("handshake");
    let device = SigningKey::from_bytes(&v.array("device"));
    let (inviter, greeter) = (v.public("inviter"), v.public("greeter"));
    let (ct1, ct2) = (v.array("ct1"), v.array("ct2"));
    let bind = greeting::Binding::new(
        &inviter,
        &v.array::<16>("secret"),
        &ct1,
        &v.bytes("greeting"),
    );
    assert_eq!(
        greeting::inner_key(&v.key("ss1"), &bind.ct),
        v.key("greeting_inner")
    );
    assert_eq!(device.sign(&bind.signed()), v.array("greeting_signature"));
    let transcript = bind.transcript(&greeter);
    assert_eq!(transcript, v.array("transcript"));
    let exchange = Exchange {
        shared: v.key("ss1"),
        transcript,
    };
    let pre = exchange.pre();
    assert_eq!(pre, v.key("pre"));

    v.at("step").is_step(&acceptance::step(&pre));
    let text = v.bytes("acceptance");
    let bind = acceptance::Binding::new(&inviter, &greeter, &exchange, &ct2, &text);
    let ss2 = v.key("ss2");
    assert_eq!(
        acceptance::inner_key(&ss2, &pre, &bind.ct),
        v.key("acceptance_inner")
    );
    assert_eq!(device.sign(&bind.signed()), v.array("acceptance_signature"));
    let seed = acceptance::pair(&exchange, &ss2, &bind.ct, 20_000);
    assert_eq!((seed.rz, seed.epoch), (v.key("rz"), 20_000));
}

#[test]
fn returns() {
    let v = Vector::of("comeback");
    let account = SigningKey::from_bytes(&v.array("account"));
    let (from, to, rt) = (v.public("from"), v.public("to"), v.key("rt"));
    let recovery = RecoveryKey::new(v.key("recovery"));
    let theirs = v.array("their_recovery");
    assert_eq!(
        recovery.return_secret(&theirs, &from, &to),
        Some(rt.clone())
    );
    let which = Which {
        epoch: v.number("epoch") as u32,
        j: v.number("j") as u8,
    };
    v.at("step").is_step(&which.step(&rt));
    let (ct, text) = (v.array("ct"), v.bytes("return"));
    let bind = greeting::Binding::new(&to, rt.as_bytes(), &ct, &text);
    let ss = v.key("ss");
    assert_eq!(comeback::inner_key(&ss, &bind.ct), v.key("inner"));
    let signature = account.sign(&comeback::signed(&bind, &which.bytes()));
    assert_eq!(signature, v.array("signature"));
    let transcript = bind.transcript(&from);
    assert_eq!(transcript, v.array("transcript"));
    let exchange = Exchange {
        shared: ss,
        transcript,
    };
    assert_eq!(exchange.pre(), v.key("pre"));
}

#[test]
fn pairs() {
    let v = Vector::of("pair");
    let first = v.number("epoch") as u32;
    let seed = PairSeed {
        epoch: first,
        rz: v.key("rz"),
    };
    assert_eq!(seed.id(), v.array("id"));
    let pair = Pair::new(&seed, true, None);
    let mut rz = seed.rz.clone();
    for (at, expected) in (first + 1..).zip(v.at("next").list()) {
        rz = next(&rz, at);
        assert_eq!(rz, Key::new(expected.whole()));
        assert_eq!(pair.rz(at), Some(rz.clone()));
    }
    let fresh = PairSeed::fresh(&rz, &v.array("fresh"), &v.array("message_id"), first + 3);
    assert_eq!(
        (&fresh.rz, fresh.id()),
        (&v.key("proposed"), v.array("proposed_id"))
    );
}

#[test]
fn openers() {
    let v = Vector::of("opener");
    let who = Who {
        direction: v.number("direction") as u8,
        device: v.number("device") as u8,
        counter: v.number("counter") as u32,
        epoch: v.number("epoch") as u32,
    };
    let rz = v.key("rz");
    v.at("step").is_step(&who.step(&rz));
    let keys = exchange(&v.key("ss"), &rz, &who, &v.array("ct"));
    assert_eq!((&keys.inner, &keys.s0), (&v.key("inner"), &v.key("s0")));
    assert_eq!(chain_id(&keys.s0), v.array("chain_id"));
}

#[test]
fn chains() {
    let v = Vector::of("chain");
    let mut s = v.key("s0");
    let steps = v.at("steps").list();
    let first = step(&s);
    for expected in &steps {
        let step = step(&s);
        expected.is_step(&step);
        s = step.next;
    }
    let hash = shared::crypto::sha256(&[&v.bytes("body")]);
    let tag = tag(first.locator, &first.mac, hash.first_chunk().unwrap());
    assert_eq!(tag, v.array("tag"));
}

#[test]
fn payloads() {
    let v = Vector::of("payload");
    let payload = Payload {
        message_id: v.array("message_id"),
        text: Some(v.text("text")),
        time: v.number("time"),
        order: v.number("order"),
        acks: v.at("acks").list().iter().map(Vector::whole).collect(),
        mailbox: Mailbox::new(v.number("mailbox") as u32, v.number("bits") as u8),
        fresh: Some(v.array("fresh")),
        name: Some(v.text("name")),
        no_acks: true,
        sealed: v.number("sealed"),
        heads: Some((v.number("keys_head"), v.number("profile_head"))),
        read: Some(v.array("read")),
        recovery: Some(v.array("recovery")),
        ..Payload::default()
    };
    let bytes = v.bytes("cbor");
    assert_eq!(payload.encode(), bytes);
    assert_eq!(Payload::decode(&bytes), Ok(payload));

    let device = SigningKey::from_bytes(&v.array("device"));
    for (index, name) in [
        (v.number("index") as u32, "signature"),
        (OPENER_INDEX, "opener_signature"),
    ] {
        let context = Context {
            sender: &v.public("sender"),
            recipient: &v.public("recipient"),
            epoch: v.number("epoch") as u32,
            chain: &v.array("chain_id"),
            index,
        };
        assert_eq!(context.sign(&device, &bytes)[bytes.len()..], v.bytes(name));
    }
}

#[test]
fn hedges() {
    let v = Vector::of("hedged");
    let bound: Vec<Vec<u8>> = v
        .at("bound")
        .list()
        .iter()
        .map(|b| HEXLOWER.decode(b.0.as_str().unwrap().as_bytes()).unwrap())
        .collect();
    let bound: Vec<&[u8]> = bound.iter().map(Vec::as_slice).collect();
    assert_eq!(
        hedge(&v.array("fresh"), "opener", &bound),
        v.array("opener")
    );
}
