use super::*;

#[test]
fn room_for_sixteen() {
    let mut link = open();
    for n in 1..=16 {
        assert_eq!(link.find(NOW, 0, 0).unwrap().0, ReqId(n));
    }
    assert!(link.find(NOW, 0, 0).is_none());
    let code = Refused::OverQuota as u8;
    let frame = Frame::Refused { code, detail: 3 }.encode(5);
    let why = Some(Refused::OverQuota);
    let reply = Reply::Refused {
        request: ReqId(5),
        why,
        detail: 3,
    };
    assert_eq!(link.on_frame(NOW, &frame), Ok(reply));
    assert_eq!(link.find(NOW, 0, 0).unwrap().0, ReqId(17));
}

#[test]
fn silence_is_pinged_then_a_fault() {
    let at = |ms| Now {
        mono: NOW.mono + ms,
        unix: NOW.unix,
    };
    let mut link = ClientLink::new(config(), NOW);
    assert_eq!(link.next_time(), at(HANDSHAKE_MS).mono);
    assert_eq!(link.on_timer(at(HANDSHAKE_MS - 1)), Ok(None));
    assert_eq!(link.on_timer(at(HANDSHAKE_MS)), Err(LinkFault::Silent));
    let mut link = open();
    assert_eq!(link.on_timer(at(PING_AFTER_MS - 1)), Ok(None));
    assert!(matches!(link.on_timer(at(PING_AFTER_MS)), Ok(Some(_))));
    assert_eq!(link.on_timer(at(PING_AFTER_MS)), Ok(None));
    assert_eq!(link.next_time(), at(DEAD_AFTER_MS).mono);
    link.on_frame(at(30_000), &Frame::Pong { echo: 1 }.encode(0))
        .unwrap();
    assert_eq!(link.on_timer(at(DEAD_AFTER_MS)), Ok(None));
    assert_eq!(
        link.on_timer(at(30_000 + DEAD_AFTER_MS)),
        Err(LinkFault::Silent)
    );
    // Alive, but not answering.
    let mut link = open();
    link.find(NOW, 0, 0).unwrap();
    link.on_frame(at(50_000), &Frame::Pong { echo: 1 }.encode(0))
        .unwrap();
    assert_eq!(link.next_time(), at(ANSWER_AFTER_MS).mono);
    assert_eq!(link.on_timer(at(ANSWER_AFTER_MS)), Err(LinkFault::Stalled));
}

#[test]
fn a_relay_that_talks_nonsense_is_given_up() {
    let mut link = open();
    for n in 1..CLIENT_FAULTS_MAX {
        assert_eq!(link.on_frame(NOW, &[0x99, 0, 0, 0, 0]), Ok(Reply::Nothing));
        assert_eq!(link.faults(), n);
    }
    assert_eq!(link.on_frame(NOW, &[]), Err(LinkFault::Faulty));
}

#[test]
fn any_frames_leave_a_client_bounded() {
    let mut rng = Rng::new([5; 32]);
    let mut faults = 0;
    for _ in 0..3000 {
        let mut link = open();
        for n in 0..rng.below(17) {
            let made = match n % 4 {
                0 => link.scan(NOW, 1, 0),
                1 => link.get(NOW, 1, 0, 0),
                2 => link.find(NOW, 0, 0),
                _ => link.put(NOW, &object(n, Kind::Envelope).0, &[]),
            };
            assert!(made.is_some());
        }
        for _ in 0..20 {
            let kind = if rng.below(2) == 0 {
                Kind::Envelope
            } else {
                Kind::Record
            };
            let (header, body) = object(rng.below(9), kind);
            let (header, body) = (&header.encode(), &body[..]);
            let mut bytes = match rng.below(6) {
                0 => Frame::Object {
                    bucket: 1,
                    header,
                    body,
                },
                1 => Frame::End { count: 3 },
                2 => Frame::Refused {
                    code: 99,
                    detail: 1,
                },
                3 => Frame::Stored {
                    receipt: crate::wire::Receipt::sign(
                        &crate::crypto::SigningKey::from_bytes(&[3; 32]),
                        Id([1; 32]),
                        1,
                    ),
                    node_key: [1; 32],
                },
                4 => Frame::Lagged { bucket: 1 },
                _ => Frame::Ping { echo: 1 },
            }
            .encode(rng.below(18) as u32);
            if rng.below(3) == 0 {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.u64() as u8;
            }
            if rng.below(20) == 0 {
                rng.fill(&mut bytes);
            }
            if link.on_frame(NOW, &bytes).is_err() {
                faults += 1;
                break;
            }
            assert!(link.requests.len() <= REQUESTS_PER_LINK_MAX);
        }
    }
    assert!(faults > 100, "{faults}");
}
