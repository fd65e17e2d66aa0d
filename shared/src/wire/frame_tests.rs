#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::wire::Id;
use crate::wire::scan::prefix_range;
use alloc::vec;

const HEADER: [u8; 72] = [7; 72];

fn every_frame(out: &mut dyn FnMut(Frame<'_>)) {
    let body = [9; 1024];
    let records = [[3; 24], [4; 24]];
    let welcome = Welcome {
        version: 1,
        network: 2,
        node_key: [3; 32],
        time: 4,
        effort_floor: 5,
        live_records: 6,
        range: Range::of(0xf000_0000, 4),
        signature: [7; 64],
    };
    let record = ScanRecord {
        tag: [1; 16],
        hash: [2; 8],
    };
    let page = Records::new(&records);
    let descriptor = [8; 1024];
    let hashes = [[5; 32], [6; 32]];
    for frame in [
        Frame::Hello {
            version: 1,
            network: 2,
            nonce: [3; 32],
        },
        Frame::Welcome(welcome),
        Frame::Bye { reason: 5 },
        Frame::Ping { echo: 6 },
        Frame::Pong { echo: 7 },
        Frame::Peer {
            header: &HEADER,
            body: &descriptor,
            signature: [1; 64],
        },
        Frame::Peered {
            header: &HEADER,
            body: &descriptor,
        },
        Frame::Push {
            header: &HEADER,
            body: &body,
        },
        Frame::Have {
            headers: &[HEADER, HEADER],
        },
        Frame::Want { ids: &hashes },
        Frame::Ask,
        Frame::Floor { effort: 5 },
        Frame::Put {
            header: &HEADER,
            body: &body,
        },
        Frame::Stored {
            receipt: Receipt::sign(
                &crate::crypto::SigningKey::from_bytes(&[3; 32]),
                Id([1; 32]),
                2,
            ),
            node_key: [2; 32],
        },
        Frame::Refused { code: 5, detail: 6 },
        Frame::Scan {
            bucket: 1,
            first: 2,
        },
        Frame::ScanPage {
            bucket: 1,
            closed: true,
            total: 2,
            bytes: 3,
            first: 4,
            records: page,
        },
        Frame::Get {
            bucket: 1,
            bits: 64,
            prefix: 3,
        },
        Frame::Object {
            bucket: 1,
            header: &HEADER,
            body: &body,
        },
        Frame::End { count: 1 },
        Frame::Find { bits: 0, prefix: 1 },
        Frame::Relays { max: 9, near: 8 },
        Frame::Relay {
            header: &HEADER,
            body: &descriptor,
        },
        Frame::Offer {
            node_key: [4; 32],
            ports: &[[0, 0], [1, 2]],
        },
        Frame::Answer {
            address: ([192, 0, 2, 7], 8420).into(),
        },
        Frame::Open {
            ip: [7; 16].into(),
            ports: &[[1, 2]],
        },
        Frame::Undialled {
            header: &HEADER,
            body: &descriptor,
        },
        Frame::Watch { mode: 1 },
        Frame::News { bucket: 1, record },
        Frame::Lagged { bucket: 2 },
        Frame::Reconcile {
            salt: [1; 16],
            range: Range::of(1, 32),
            message: &body,
        },
        Frame::Reconciled { message: &body },
        Frame::Need {
            last: true,
            salted: &[[5; 6], [6; 6]],
        },
    ] {
        out(frame);
    }
}

#[test]
fn every_frame_comes_back_as_it_went() {
    let mut types = vec![];
    every_frame(&mut |frame| {
        let bytes = frame.encode(0xdead_beef);
        assert_eq!(Frame::parse(&bytes), Ok((0xdead_beef, frame)));
        types.push(bytes[0]);
    });
    let table = [
        0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x10, 0x11, 0x12,
        0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b, 0x30, 0x31, 0x32,
        0x40, 0x41, 0x42,
    ];
    assert_eq!(types, table);
}

#[test]
fn too_few_and_left_over_bytes_are_malformed() {
    every_frame(&mut |frame| {
        let mut bytes = frame.encode(1);
        let any_length = matches!(frame.code(), 0x08 | 0x10 | 0x23 | 0x40 | 0x41);
        let open_ended =
            any_length || matches!(frame.code(), 0x09 | 0x0a | 0x21 | 0x28 | 0x2a | 0x42);
        for n in 0..bytes.len() {
            match Frame::parse(&bytes[..n]) {
                Ok(_) => assert!(open_ended),
                Err(FrameError::Malformed { request }) => {
                    assert_eq!(request, (n >= 5).then_some(1));
                }
                Err(e) => unreachable!("{e:?}"),
            }
        }
        bytes.push(0);
        assert_eq!(Frame::parse(&bytes).is_ok(), any_length);
    });
}

#[test]
fn bounds_of_fields() {
    let malformed = Err(FrameError::Malformed { request: Some(1) });
    assert_eq!(
        Frame::parse(
            &Frame::Find {
                bits: 65,
                prefix: 0
            }
            .encode(1)
        ),
        malformed
    );
    assert_eq!(Frame::parse(&Frame::Watch { mode: 2 }.encode(1)), malformed);
    let ports = &[[1, 0]; 3];
    let (node_key, ip) = ([1; 32], [1, 2, 3, 4].into());
    for frame in [
        Frame::Offer { node_key, ports },
        Frame::Open { ip, ports },
        Frame::Open {
            ip,
            ports: &[[1, 0], [0, 0]],
        },
        Frame::Answer {
            address: (ip, 0).into(),
        },
    ] {
        assert_eq!(Frame::parse(&frame.encode(1)), malformed);
    }
    let long = vec![0; 16_385];
    assert_eq!(
        Frame::parse(
            &Frame::Put {
                header: &HEADER,
                body: &long
            }
            .encode(1)
        ),
        malformed
    );
    assert_eq!(Frame::parse(&vec![0x10; 17_409]), Err(FrameError::TooLong));
    let unknown = Err(FrameError::Unknown {
        code: 0x77,
        request: 0x0404_0404,
    });
    assert_eq!(Frame::parse(&[0x77, 4, 4, 4, 4, 4, 4]), unknown);
    let many = vec![[0; 24]; 700];
    let records = Records::new(&many);
    assert_eq!(records.len(), 600);
    let page = Frame::ScanPage {
        bucket: 1,
        closed: false,
        total: 700,
        bytes: 3,
        first: 0,
        records,
    };
    assert!(page.encode(1).len() <= FRAME_BYTES_MAX);
}

#[test]
fn ranges_of_prefixes() {
    assert_eq!(prefix_range(0, 77), (0, u64::MAX));
    assert_eq!(prefix_range(64, 77), (77, 77));
    assert_eq!(prefix_range(1, u64::MAX), (1 << 63, u64::MAX));
    assert_eq!(prefix_range(4, 0xabcd << 48), (0xa << 60, (0xb << 60) - 1));
}
