//! What must not open, and that trying changes nothing.

use super::*;
use crate::sealed::Step;
use crate::session::opener::{Who, exchange};
use crate::session::payload::{Context, OPENER_INDEX};
use shared::crypto::hedge;
use shared::wire::{Header, SizeClass};

/// One opener and one chain message, with the party they are for.
fn both_kinds() -> (Party, Party, [Sealed; 2]) {
    let (mut ann, mut ben) = two(START);
    let opener = ann.send("opener").sealed;
    ben.read(&opener);
    let chain = ann.send("chain").sealed;
    let mut again = ann.restored(3);
    let opener = again.send("another opener").sealed;
    (again, ben, [opener, chain])
}

#[test]
fn every_changed_byte_is_noticed_and_changes_nothing() {
    let (_, mut ben, sealed) = both_kinds();
    let before = ben.session.encode();
    for sealed in &sealed {
        let slot = ben.table[&locator(&sealed.header.tag)];
        let bytes = sealed.header.encode();
        let mut tried = 0;
        // Front, the tag's second half and the hash's first 8 bytes: the rest is the carrier's to
        // check.
        for at in (0..16).chain(24..40) {
            for bit in 0..8 {
                let mut changed = bytes;
                changed[at] ^= 1 << bit;
                let Ok(header) = Header::parse(&changed) else {
                    continue;
                };
                let error = ben
                    .session
                    .open(&slot, &header, &sealed.body, &ben.own)
                    .unwrap_err();
                assert_eq!(error, OpenError::Forged);
                tried += 1;
            }
        }
        assert!(tried > 200);
        for at in 0..sealed.body.len() {
            let mut body = sealed.body.clone();
            body[at] ^= 0x10;
            let error = ben
                .session
                .open(&slot, &sealed.header, &body, &ben.own)
                .unwrap_err();
            assert_eq!(error, OpenError::Forged);
        }
        for body in [&sealed.body[..0], &sealed.body[..11], &sealed.body[..500]] {
            assert!(
                ben.session
                    .open(&slot, &sealed.header, body, &ben.own)
                    .is_err()
            );
        }
    }
    assert_eq!(ben.session.encode(), before);
    assert_eq!(ben.session.take_changes(), Changes::default());
    for sealed in &sealed {
        assert!(ben.receive(sealed).unwrap().is_ok());
    }
}

#[test]
fn copied_tags_on_junk_do_not_match() {
    let (_, ben, sealed) = both_kinds();
    for sealed in &sealed {
        let slot = ben.table[&locator(&sealed.header.tag)];
        let hash = *sealed.header.body_hash.first_chunk().unwrap();
        assert!(ben.session.matches(&slot, &sealed.header.tag, &hash));
        assert!(!ben.session.matches(&slot, &sealed.header.tag, &[7; 8]));
        let mut tag = sealed.header.tag;
        tag[15] ^= 1;
        assert!(!ben.session.matches(&slot, &tag, &hash));
    }
}

#[test]
fn a_replayed_opener_changes_nothing() {
    let (_, mut ben, [opener, chain]) = both_kinds();
    ben.read(&opener);
    ben.read(&chain);
    let before = ben.session.encode();
    assert_eq!(
        ben.receive(&opener).unwrap().unwrap_err(),
        OpenError::Replayed
    );
    assert!(ben.receive(&chain).is_none());
    assert_eq!(ben.session.encode(), before);
}

/// Somebody else's session secrets and keys open nothing, nor does our own session open what we
/// sent.
#[test]
fn wrong_keys() {
    let (mut ann, ben, [opener, _]) = both_kinds();
    let slot = ben.table[&locator(&opener.header.tag)];
    assert!(ann.receive(&opener).is_none());
    assert_eq!(
        ann.session
            .open(&slot, &opener.header, &opener.body, &ann.own)
            .unwrap_err(),
        OpenError::Forged
    );
    let mut ben = ben;
    let mut other = EpochKeys::new();
    other.ensure(epoch(START), 0, &mut Rng::new([9; 32]));
    let before = ben.session.encode();
    let mut open = |own: &EpochKeys| ben.session.open(&slot, &opener.header, &opener.body, own);
    assert_eq!(open(&other).unwrap_err(), OpenError::Forged);
    assert_eq!(open(&EpochKeys::new()).unwrap_err(), OpenError::NoKey);
    assert_eq!(ben.session.encode(), before);
}

/// What an attacker who knows the pair and Ben's public key can put into an opener to Ben.
fn forge(
    ann: &Party,
    ben: &Party,
    make: impl Fn(&Context, &PublicKey) -> (Vec<u8>, SigningKey),
) -> Sealed {
    let session = &ann.session;
    let pair = pair::sending(&session.kept.pairs, u32::MAX).unwrap();
    let epoch = epoch(ann.now);
    let rz = pair.rz(epoch).unwrap();
    let who = Who {
        direction: session.direction(),
        device: 0,
        counter: 5,
        epoch,
    };
    let (_, to) = ann.keys.pick(epoch, 0).unwrap();
    let (ct, shared) = to.encapsulate(hedge(&[1; 32], "forge", &[]));
    let keys = exchange(&shared, &rz, &who, &ct);
    let chain = chain::chain_id(&keys.s0);
    let context = Context {
        sender: &session.kept.me,
        recipient: &session.kept.peer,
        epoch,
        chain: &chain,
        index: OPENER_INDEX,
    };
    let (payload, device) = make(&context, &ben.account());
    let signed = context.sign(&device, &payload);
    let rng = &mut Rng::new([4; 32]);
    let front = Step::front(&ann.sender(), SizeClass::KIB_4, ann.session.mailbox(), rng);
    who.step(&rz)
        .seal_inner(&front, &ct, &keys.inner, &signed, rng)
        .unwrap()
}

fn payload(certificate: Option<[u8; 101]>) -> Vec<u8> {
    Payload {
        text: Some("pay Mallory".into()),
        certificate,
        time: START,
        ..Payload::default()
    }
    .encode()
}

#[test]
fn who_knows_the_pair_alone_cannot_speak_for_the_account() {
    let (ann, mut ben) = two(START);
    let mallory = Alone::new(66, START);
    let try_open = |sealed: Sealed, ben: &mut Party| {
        let before = ben.session.encode();
        let error = ben.receive(&sealed).expect("expected").unwrap_err();
        assert_eq!(ben.session.encode(), before);
        error
    };
    let good = forge(&ann, &ben, |_, _| {
        (payload(Some(ann.certificate)), ann.device.clone())
    });
    let mut copy = ben.restored(1);
    assert_eq!(copy.read(&good), "pay Mallory", "the forgery is well made");

    let own_device = forge(&ann, &ben, |_, _| {
        (payload(Some(ann.certificate)), mallory.device.clone())
    });
    assert_eq!(try_open(own_device, &mut ben), OpenError::BadSignature);
    let own_account = forge(&ann, &ben, |_, _| {
        (payload(Some(mallory.certificate)), mallory.device.clone())
    });
    assert_eq!(try_open(own_account, &mut ben), OpenError::BadCertificate);
    let no_certificate = forge(&ann, &ben, |_, _| (payload(None), ann.device.clone()));
    assert_eq!(
        try_open(no_certificate, &mut ben),
        OpenError::BadCertificate
    );
    let not_cbor = forge(&ann, &ben, |_, _| {
        (alloc::vec![0xff; 200], ann.device.clone())
    });
    assert_eq!(try_open(not_cbor, &mut ben), OpenError::Malformed);
    let old = Certificate::issue(&ann.account, 0, ann.device.public(), hour(START) - 250);
    let old = old.to_bytes();
    let expired = forge(&ann, &ben, |_, _| (payload(Some(old)), ann.device.clone()));
    assert_eq!(try_open(expired, &mut ben), OpenError::BadCertificate);
    let slot = Certificate::issue(&ann.account, 3, ann.device.public(), hour(START)).to_bytes();
    let other_slot = forge(&ann, &ben, |_, _| (payload(Some(slot)), ann.device.clone()));
    assert_eq!(try_open(other_slot, &mut ben), OpenError::BadCertificate);
}

/// Mallory is a contact of Ann's, got a message from her, and seals it to Ben with Ann's own
/// signature under it. Even with all secrets of the pair, what the signature names is not that.
#[test]
fn a_signed_message_sealed_to_somebody_else() {
    let (ann, mut ben) = two(START);
    let mallory = Alone::new(66, START);
    let bytes = payload(Some(ann.certificate));
    let session = &ann.session;
    let pair = pair::sending(&session.kept.pairs, u32::MAX).unwrap();
    let epoch = epoch(START);
    let rz = pair.rz(epoch).unwrap();
    let who = Who {
        direction: session.direction(),
        device: 0,
        counter: 0,
        epoch,
    };
    let (_, to) = ann.keys.pick(epoch, 0).unwrap();
    let (ct, shared) = to.encapsulate(hedge(&[1; 32], "forge", &[]));
    let keys = exchange(&shared, &rz, &who, &ct);
    let chain = chain::chain_id(&keys.s0);
    let context = |recipient, chain, index| Context {
        sender: &session.kept.me,
        recipient,
        epoch,
        chain,
        index,
    };
    let (me, peer) = (mallory.account.public(), session.kept.peer);
    let rng = &mut Rng::new([4; 32]);
    for (signed_for, right) in [
        (context(&me, &chain, OPENER_INDEX), false),
        (context(&peer, &[7; 16], OPENER_INDEX), false),
        (context(&peer, &chain, 0), false),
        (
            Context {
                epoch: epoch + 1,
                ..context(&peer, &chain, OPENER_INDEX)
            },
            false,
        ),
        (
            Context {
                sender: &me,
                ..context(&peer, &chain, OPENER_INDEX)
            },
            false,
        ),
        (context(&peer, &chain, OPENER_INDEX), true),
    ] {
        let signed = signed_for.sign(&ann.device, &bytes);
        let front = Step::front(&ann.sender(), SizeClass::KIB_4, session.mailbox(), rng);
        let sealed = who
            .step(&rz)
            .seal_inner(&front, &ct, &keys.inner, &signed, rng)
            .unwrap();
        let opened = ben.receive(&sealed).unwrap();
        assert_eq!(
            opened.as_ref().err(),
            (!right).then_some(&OpenError::BadSignature)
        );
    }
}

/// A message of a chain put at another place of it, by somebody who has the chain.
#[test]
fn a_chain_message_counts_at_its_place_only() {
    let (mut ann, mut ben) = two(START);
    let opener = ann.send("opener").sealed;
    ben.read(&opener);
    let chain = ann.session.sending.clone().unwrap();
    let bytes = payload(None);
    let rng = &mut Rng::new([4; 32]);
    let mut sealed_as = |signed_index: u32| {
        let (index, step) = chain.clone().take([0; 16]);
        assert_eq!(index, 0);
        let context = Context {
            sender: &ann.session.kept.me,
            recipient: &ann.session.kept.peer,
            epoch: chain.epoch,
            chain: &chain.id,
            index: signed_index,
        };
        let signed = context.sign(&ann.device, &bytes);
        let padded = shared::crypto::pad(&signed, 1024 - 28).unwrap();
        let front = Step::front(&ann.sender(), SizeClass::KIB_1, ann.session.mailbox(), rng);
        step.seal(&front, &padded, rng)
    };
    for index in [1, 2, OPENER_INDEX] {
        let sealed = sealed_as(index);
        assert_eq!(
            ben.receive(&sealed).unwrap().unwrap_err(),
            OpenError::BadSignature
        );
    }
    let right = sealed_as(0);
    assert_eq!(ben.read(&right), "pay Mallory");
}

/// A contact that proposes pair after pair fills no memory, and costs nobody but itself.
#[test]
fn a_flood_of_pairs_and_chains() {
    let (mut ann, mut ben) = two(START);
    for n in 0..60u8 {
        ann = ann.restored(n);
        let mut draft = ann.draft("flood");
        draft.acks.clear();
        let sent = ann.send_draft(&draft).unwrap();
        let _ = ben.receive(&sent.sealed);
        let pair = pair::sending(&ben.session.kept.pairs, u32::MAX).unwrap().id;
        let fresh = Payload {
            fresh: Some([n; 32]),
            sealed: ann.now,
            ..Payload::default()
        };
        ben.session.take_in(&fresh, &pair, epoch(START), 0);
        ben.take_changes();
    }
    assert_eq!(ben.session.kept.pairs.len(), PAIRS_MAX);
    assert!(ben.session.kept.chains.len() <= CHAINS_MAX);
    assert!(ben.table.len() < 2_500, "{}", ben.table.len());
    assert!(ben.session.encode().len() < 20_000);
    assert!(Session::decode(&ben.session.encode()).is_ok());
}

#[test]
fn damaged_states_are_refused() {
    let (ann, ..) = both_kinds();
    let bytes = ann.session.encode();
    for cut in 0..bytes.len() {
        assert!(Session::decode(&bytes[..cut]).is_err());
    }
    let mut rng = Rng::new([5; 32]);
    for _ in 0..300 {
        let mut changed = bytes.clone();
        let at = rng.below(bytes.len() as u64) as usize;
        changed[at] = rng.u64() as u8;
        if let Ok(mut session) = Session::decode(&changed) {
            session.on_epoch(epoch(START), START);
        }
    }
}
