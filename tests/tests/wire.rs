//! Golden bytes of the wire, made by another implementation: shared/vectors/wire.py.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::net::SocketAddr;
use data_encoding::HEXLOWER;
use serde_json::Value;
use shared::crypto::SigningKey;
use shared::object::{network_id, pow, record};
use shared::range::{Range, position};
use shared::wire::{Frame, Front, Header, Kind, Lifetime, Receipt, RelayHint, SizeClass};

fn vectors(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../../shared/vectors/wire.json")).unwrap();
    all[name].clone()
}

fn number(v: &Value) -> u64 {
    v.as_u64().unwrap()
}

fn small<T: TryFrom<u64>>(v: &Value) -> T {
    T::try_from(number(v)).ok().unwrap()
}

fn text(v: &Value) -> &str {
    v.as_str().unwrap()
}

fn bytes(v: &Value) -> Vec<u8> {
    HEXLOWER.decode(text(v).as_bytes()).unwrap()
}

fn array<const N: usize>(v: &Value) -> [u8; N] {
    bytes(v).try_into().unwrap()
}

#[test]
fn headers_ids_and_work() {
    let kinds = [Kind::Envelope, Kind::Chunk, Kind::Record, Kind::Descriptor];
    let all = vectors("headers");
    for v in all.as_array().unwrap() {
        let front = Front {
            kind: kinds[small::<usize>(&v["kind"])],
            size: SizeClass::new(small(&v["size"])).unwrap(),
            lifetime: Lifetime::new(small(&v["lifetime"])).unwrap(),
            effort: small(&v["effort"]),
            expiry: small(&v["expiry"]),
            address: small(&v["address"]),
            network: small(&v["network"]),
        };
        let body = vec![small::<u8>(&v["body_byte"]); front.size.bytes()];
        let mut header = front.header(array(&v["tag"]), &body);
        header.nonce = number(&v["nonce"]);
        assert_eq!(header.encode(), array(&v["bytes"]));
        assert_eq!(Header::parse(&array(&v["bytes"])), Ok(header));
        assert_eq!(header.prefix(), array(&v["prefix"]));
        assert_eq!(header.id().0, array(&v["id"]));
        assert_eq!(pow::work(&header, 1), number(&v["work"]));
        assert_eq!(pow::target(pow::work(&header, 1)), array(&v["target"]));
        assert!(pow::is_paid(&header, number(&v["divisor"])));
        assert!(!pow::is_paid(&header, 1));
    }
    assert_eq!(network_id("main"), small::<u32>(&all[0]["network"]));
}

#[test]
fn targets_are_exact() {
    for v in vectors("targets").as_array().unwrap() {
        assert_eq!(pow::target(number(&v["work"])), array(&v["target"]));
    }
}

#[test]
fn frames() {
    let all = vectors("links");
    let frames = all["frames"].as_object().unwrap();
    assert_eq!(frames.len(), 22);
    let key = SigningKey::from_bytes(&array(&all["node_secret"]));
    let (binding, nonce) = (array(&all["binding"]), array(&all["nonce"]));
    for (name, v) in frames {
        let sent = bytes(v);
        let (request, frame) = Frame::parse(&sent).unwrap();
        assert_eq!(frame.encode(request), sent, "{name}");
        let debug = format!("{frame:?}").to_lowercase();
        let kind = name.trim_end_matches("_together").replace('_', "");
        assert!(debug.starts_with(&kind), "{name}: {debug}");
        match frame {
            Frame::Welcome(welcome) => {
                assert_eq!(welcome.verify(&binding, &nonce), Ok(()));
                assert_eq!(welcome.sign(&key, &binding, &nonce), welcome);
                assert_eq!((welcome.effort_floor, welcome.live_records), (3, 99));
                assert_eq!(welcome.range, Range::of(0xa123_4567, 3));
            }
            Frame::Stored { receipt, node_key } => {
                let alone = Receipt::sign(&key, receipt.id, receipt.time);
                assert_eq!(alone == receipt, name == "stored");
                assert_eq!(receipt.verify(&key.public()), Ok(()));
                assert_eq!(&node_key, key.public().as_bytes());
            }
            Frame::ScanPage {
                closed,
                total,
                bytes,
                first,
                records,
                ..
            } => {
                assert_eq!((closed, total, bytes, first), (true, 601, 615_424, 600));
                assert_eq!(
                    records.iter().next().unwrap().hash,
                    [16, 17, 18, 19, 20, 21, 22, 23]
                );
            }
            Frame::Get {
                bucket,
                bits,
                prefix,
            } => {
                assert_eq!((bucket, bits, prefix), (2_833_333, 9, 0x8180 << 48));
            }
            Frame::Offer { node_key, ports } => {
                assert_eq!(&node_key, key.public().as_bytes());
                let ports = ports.iter().map(|port| u16::from_le_bytes(*port));
                assert_eq!(ports.collect::<Vec<u16>>(), [0, 65_535]);
            }
            Frame::Answer { address } => assert_eq!(address.to_string(), "[2001:db8::7]:8420"),
            Frame::Open { ip, ports } => {
                assert_eq!(ip.to_string(), "192.0.2.7");
                assert_eq!(ports, [4433u16.to_le_bytes()]);
            }
            _ => {}
        }
    }
}

#[test]
fn hints() {
    for v in vectors("hints").as_array().unwrap() {
        let hint = RelayHint {
            address: text(&v["address"]).parse().unwrap(),
            port: small(&v["port"]),
            certificate: array(&v["certificate"]),
            node_key: array(&v["node_key"]),
        };
        assert_eq!(hint.encode(), bytes(&v["bytes"]));
        assert_eq!(hint.to_text(), text(&v["text"]));
        assert_eq!(RelayHint::from_text(text(&v["text"])), Ok(hint));
        assert_eq!(hint.address_text(), text(&v["shown"]));
        let ice = hint.ice();
        assert_eq!(
            (&*ice.ufrag, &*ice.pwd),
            (text(&v["ufrag"]), text(&v["pwd"]))
        );
    }
}

#[test]
fn a_delegated_record() {
    let v = vectors("record");
    let header = Header::parse(&array(&v["header"])).unwrap();
    let body = bytes(&v["body"]);
    let until: u32 = small(&v["until"]);
    let found = record::check(&header, &body, until - 1).unwrap();
    assert_eq!(found.owner, array(&v["owner"]));
    assert_eq!((found.slot, found.version), (16, number(&v["version"])));
    assert!(record::check(&header, &body, until).is_err());
    assert_eq!(record::version(&body), Some(found.version));
}

#[test]
fn positions() {
    let all = vectors("positions");
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 4);
    for v in all {
        let address = v["address"].as_str();
        let address = address.map(|ip| SocketAddr::new(ip.parse().unwrap(), 9));
        let key = [small(&v["key"]); 32];
        let found = position(7, address.as_ref(), &key, small(&v["day"]));
        assert_eq!(u64::from(found), number(&v["position"]), "{v}");
    }
}
