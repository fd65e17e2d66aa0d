//! The session among an account's own devices: who is heard, and what is refused.

use super::*;

/// The devices of one account, in these slots, with one pair and the same epoch keys.
fn devices(slots: &[u8]) -> Vec<Party> {
    let (ann, _) = two(START);
    let seed = PairSeed {
        epoch: epoch(START) - 1,
        rz: Key::new([7; 32]),
    };
    slots
        .iter()
        .map(|slot| {
            let mut device = ann.restored(70 + slot);
            device.session = Session::own(ann.account(), *slot, Mailbox::default(), &seed);
            device.table.clear();
            device.device = SigningKey::draw(&mut device.rng);
            device.certificate[0] = *slot;
            device.at(START);
            device.keys = own_keys(&device);
            device
        })
        .collect()
}

fn own_keys(party: &Party) -> ContactKeys {
    let now = epoch(party.now);
    let key = |e| Some((e, party.own.secrets(e).next()?.public()));
    ContactKeys::exactly(0, [now].into_iter().filter_map(key).collect())
}

fn letter(party: &mut Party, own: &[u8]) -> Result<SealedMessage, SealError> {
    let mut draft = party.draft("");
    draft.text = None;
    draft.own = Some(own.to_vec());
    party.send_draft(&draft)
}

#[test]
fn all_others_read_what_one_writes() {
    let mut all = devices(&[0, 3, 7]);
    for day in 0..9 {
        for device in &mut all {
            device.at(START + day * DAY);
            device.keys = own_keys(device);
        }
        let keys = EpochKeys::decode(&all[0].own.encode()).unwrap();
        for device in &mut all {
            device.own = EpochKeys::decode(&keys.encode()).unwrap();
            device.keys = own_keys(device);
        }
        for from in 0..3 {
            for n in 0..3 {
                let own = [day as u8, from as u8, n];
                let sealed = letter(&mut all[from], &own).unwrap().sealed;
                for (to, reader) in all.iter_mut().enumerate() {
                    match reader.receive(&sealed) {
                        None => assert_eq!(to, from, "what one wrote itself is not expected"),
                        Some(opened) => {
                            let opened = opened.unwrap();
                            assert_eq!(opened.slot, [0, 3, 7][from]);
                            assert_eq!(opened.payload.own.as_deref(), Some(&own[..]));
                        }
                    }
                }
            }
        }
    }
    assert!(
        all.iter()
            .all(|device| device.session.kept.pairs.len() == 1)
    );
}

/// Sealed with everything that there is to seal with, but for a device of the account.
#[test]
fn forged_replayed_and_too_long_letters_are_refused() {
    let mut all = devices(&[0, 1]);
    let sealed = letter(&mut all[0], b"once").unwrap().sealed;
    assert!(all[1].receive(&sealed).unwrap().is_ok());
    let again = all[1].receive(&sealed);
    assert!(again.is_none_or(|again| again.is_err()));
    for n in 0..sealed.body.len() / 97 {
        let mut changed = sealed.clone();
        changed.body[n * 97] ^= 1;
        let opened = all[1].table.get(&locator(&changed.header.tag)).copied();
        let opened = opened.map(|slot| {
            let Party { own, session, .. } = &mut all[1];
            session
                .open(&slot, &changed.header, &changed.body, own)
                .err()
        });
        assert_ne!(opened, Some(None), "{n}");
    }
    // A device that the account has not certified, and one certified for another slot.
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let device = all[0].device.public();
    for (by, slot) in [(&stranger, 0), (&stranger, 5)] {
        let mut liar = all[0].restored(slot);
        liar.certificate = Certificate::issue(by, slot, device, hour(START)).to_bytes();
        let sealed = letter(&mut liar, b"forged").unwrap().sealed;
        let refused = all[1].receive(&sealed).unwrap().unwrap_err();
        assert_eq!(refused, OpenError::BadCertificate);
    }
    assert!(!all[1].session.knows(5, &device));
    let long = letter(&mut all[0], &[0; OWN_BYTES_MAX + 1]);
    assert!(matches!(long, Err(SealError::TextTooLong { .. })));
}

/// The longest letter has room in an opener with all that may ride along.
#[test]
fn the_longest_letter_fits() {
    let mut all = devices(&[0, 1]);
    let mut draft = all[0].draft("");
    draft.text = None;
    draft.acks = (0..16).map(|n| [n; 16]).collect();
    draft.own = Some(alloc::vec![9; OWN_BYTES_MAX]);
    draft.time = u64::MAX;
    for opener in [true, false] {
        let sent = all[0].send_draft(&draft).unwrap();
        assert_eq!(sent.is_opener, opener);
        let opened = all[1].receive(&sent.sealed).unwrap().unwrap();
        assert_eq!(opened.payload.own, draft.own);
    }
}

/// No message replaces the pair or moves the mailbox.
#[test]
fn a_letter_brings_no_pair_and_no_mailbox() {
    let mut all = devices(&[0, 1]);
    let pair = all[1].session.kept.pairs[0].id;
    let payload = Payload {
        fresh: Some([1; 32]),
        mailbox: Mailbox::new(1 << 31, 1),
        ..Payload::default()
    };
    all[1].session.take_in(&payload, &pair, epoch(START), 0);
    assert_eq!(all[1].session.kept.pairs.len(), 1);
    assert_eq!(all[1].session.mailbox(), Mailbox::default());
    let mut draft = all[0].draft("a text proposes none either");
    draft.own = Some(alloc::vec![0x80]);
    for day in 0..20 {
        all[0].at(START + day * DAY);
        all[0].keys = own_keys(&all[0]);
        all[0].send_draft(&draft).unwrap();
    }
    assert_eq!(all[0].session.kept.pairs.len(), 1);
}

#[test]
fn what_is_stored_goes_on() {
    let mut all = devices(&[0, 1]);
    let sealed = letter(&mut all[0], b"before").unwrap().sealed;
    all[1].receive(&sealed).unwrap().unwrap();
    let again = all[1].restored(5);
    assert!(
        again
            .table
            .values()
            .all(|slot| { !matches!(slot, Slot::Opener { device: 1, .. }) })
    );
    let (at, rz) = again.session.own_pair().unwrap();
    let (at0, rz0) = all[0].session.own_pair().unwrap();
    assert_eq!((at, rz), (at0, rz0));
    all[1] = again;
    let sealed = letter(&mut all[0], b"after").unwrap().sealed;
    assert!(all[1].receive(&sealed).unwrap().is_ok());
}
