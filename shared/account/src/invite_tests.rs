#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::record::Signer;
use alloc::format;
use shared::crypto::SigningKey;

const NOW: u32 = 480_000;

fn hint(last: u8) -> RelayHint {
    RelayHint {
        address: core::net::IpAddr::from([192, 0, 2, last]),
        port: 4433,
        certificate: [last; 32],
        node_key: [9; 32],
    }
}

fn by(account: &SigningKey, version: u64) -> Author<'_> {
    Author {
        signer: Signer::Account(account),
        version,
        effort: 0,
        network: 5,
    }
}

fn parts() -> (SigningKey, Invitation, InviteLink) {
    let mut rng = Rng::new([1; 32]);
    let account = SigningKey::draw(&mut rng);
    let invitation = Invitation::draw(NOW, 168, true, Mailbox::default(), &mut rng);
    let link = invitation.link(account.public(), alloc::vec![hint(1), hint(2)]);
    (account, invitation, link)
}

/// A link of which everything but the check may be changed.
fn relink(link: &InviteLink, change: impl Fn(&mut Vec<u8>)) -> String {
    let mut bytes = BASE64URL_NOPAD.decode(link.fragment().as_bytes()).unwrap();
    bytes.truncate(bytes.len() - 4);
    change(&mut bytes);
    let check = sha256(&[b"wm-inv", &bytes]);
    bytes.extend_from_slice(&check[..4]);
    BASE64URL_NOPAD.encode(&bytes)
}

#[test]
fn any_way_a_link_arrives() {
    let (_, invitation, link) = parts();
    let f = link.fragment();
    let (front, back) = f.split_at(40);
    for text in [
        f.clone(),
        format!("https://example.org/#{f}"),
        format!("  HTTPS://example.org/app/?x=1#{f}\n"),
        format!("wiremin:{f}"),
        format!("WireMin://{f}"),
        format!("https://example.org/%23{f}"),
        format!("Come here: https://example.org/#{f}."),
        format!("<https://example.org/#{f}>"),
        format!("https://example.org/#{front}\r\n {back}"),
    ] {
        assert_eq!(InviteLink::parse(&text, NOW), Ok(link.clone()), "{text}");
    }
    assert_eq!(link.id(), invitation.id());
    assert!(link.single_use);
    assert_eq!(link.expiry, NOW + 168);
}

#[test]
fn what_is_wrong_is_told() {
    let (_, _, link) = parts();
    let f = link.fragment();
    let url = |f: &str| InviteLink::parse(&format!("https://example.org/#{f}"), NOW);
    for text in [
        "",
        "hello",
        "https://example.org/",
        "https://example.org/#",
        "wiremin:",
        "Zoë",
    ] {
        assert_eq!(
            InviteLink::parse(text, NOW),
            Err(LinkError::NotALink),
            "{text}"
        );
    }
    assert_eq!(
        InviteLink::parse(&"A".repeat(100_000), NOW),
        Err(LinkError::NotALink)
    );
    for cut in 1..f.len() {
        assert_eq!(url(&f[..cut]), Err(LinkError::Mangled), "{cut}");
    }
    for at in 0..f.len() {
        let mut letters = f.clone().into_bytes();
        letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
        let changed = url(core::str::from_utf8(&letters).unwrap());
        assert_eq!(changed, Err(LinkError::Mangled), "{at}");
    }
    assert_eq!(
        url(&relink(&link, |b| b[0] = 2)),
        Err(LinkError::NewerVersion { version: 2 })
    );
    let old = InviteLink {
        expiry: NOW,
        ..link.clone()
    };
    assert_eq!(url(&old.fragment()), Err(LinkError::Expired { hour: NOW }));
    let none = InviteLink {
        hints: Vec::new(),
        ..link.clone()
    };
    assert_eq!(url(&none.fragment()), Err(LinkError::NoHints));
    // A first hint of an unknown kind leaves none; a second one leaves the first.
    assert_eq!(url(&relink(&link, |b| b[55] = 7)), Err(LinkError::NoHints));
    let kept = url(&relink(&link, |b| b[55 + 71] = 7)).unwrap();
    assert_eq!(kept.hints, [hint(1)]);
    // A key that is none.
    assert_eq!(
        url(&relink(&link, |b| b[2..34].fill(0))),
        Err(LinkError::Mangled)
    );
}

#[test]
fn the_record_is_found_by_the_link_alone() {
    let (account, invitation, link) = parts();
    let sealed = invitation
        .record(by(&account, 1), "Ann\u{202e}", &[3; 32])
        .unwrap();
    assert_eq!((sealed.header.address, sealed.header.tag), {
        let place = link.place();
        (place.address, place.tag)
    });
    let open = |sealed: &Sealed, hour| link.open(&sealed.header, &sealed.body, hour);
    let offer = open(&sealed, NOW).unwrap();
    assert_eq!((offer.name.as_str(), offer.expiry), ("Ann", NOW + 168));
    assert_eq!(
        (&offer.key, offer.mailbox),
        (&invitation.kem.public(), invitation.mailbox)
    );
    assert_eq!(
        open(&sealed, NOW + 168),
        Err(OfferError::Expired { hour: NOW + 168 })
    );
    let gone = invitation.tombstone(by(&account, 2), &[3; 32]).unwrap();
    assert_eq!(open(&gone, NOW), Err(OfferError::Revoked));
    // The longest name fits, a longer one is not believed.
    let name = "n".repeat(NAME_BYTES_MAX);
    let long = invitation.record(by(&account, 1), &name, &[3; 32]).unwrap();
    assert_eq!(open(&long, NOW).unwrap().name, name);
    let long = invitation.record(by(&account, 1), &(name + "n"), &[3; 32]);
    assert_eq!(long, Err(WriteError::TooLong));
    for (hours, lifetime) in [
        (1, 6),
        (24, 24),
        (25, 48),
        (168, 168),
        (169, 720),
        (9_999, 720),
    ] {
        let i = Invitation::draw(
            NOW,
            hours,
            false,
            Mailbox::default(),
            &mut Rng::new([2; 32]),
        );
        let header = i.record(by(&account, 1), "", &[3; 32]).unwrap().header;
        assert_eq!(header.lifetime.hours(), lifetime);
        assert!(header.expiry <= NOW + lifetime);
    }
}

#[test]
fn state_round_trips() {
    let (account, invitation, _) = parts();
    let read = Invitation::decode(&invitation.encode()).unwrap();
    assert_eq!(read.encode(), invitation.encode());
    let locators = |i: &Invitation| i.locators(&account.public()).collect::<Vec<_>>();
    assert_eq!(locators(&read), locators(&invitation));
    let mut distinct: Vec<u64> = locators(&read).iter().map(|(l, _)| *l).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 64);
    assert!(Invitation::decode(&invitation.encode()[..50]).is_err());
    assert!(
        !format!("{invitation:?}").contains("1, "),
        "secrets are not shown"
    );
}
