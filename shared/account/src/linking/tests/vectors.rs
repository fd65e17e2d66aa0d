//! Known answers for every step of PROTOCOL.md section 15, made by another implementation:
//! shared/vectors/linking.py.

use super::chunks::{Incoming, Progress};
use super::exchange::{Meeting, Message, Secrets, commitment, open_inner};
use super::texts::{Device, Hello, Word};
use super::*;
use data_encoding::HEXLOWER;
use serde_json::Value as Json;
use shared::crypto::{CIPHERTEXT_LEN, KemPublic, sha256, unpad};
use shared::wire::Header;

fn file() -> Json {
    serde_json::from_str(include_str!("../../../../vectors/linking.json")).unwrap()
}

fn bytes(json: &Json) -> Vec<u8> {
    HEXLOWER.decode(json.as_str().unwrap().as_bytes()).unwrap()
}

fn array<const N: usize>(json: &Json) -> [u8; N] {
    bytes(json).try_into().unwrap()
}

fn list(json: &Json) -> Vec<Json> {
    json.as_array().unwrap().clone()
}

/// What is under the outer seal of an envelope of the file.
fn outer(meeting: &Meeting, message: Message, envelope: &Json) -> Vec<u8> {
    let mut raw = [0; 72];
    raw.copy_from_slice(&bytes(&envelope["header"]));
    let header = Header::parse(&raw).unwrap();
    assert_eq!(meeting.locator(message), locator(&header.tag));
    assert_eq!(header.address, meeting.address());
    let body = bytes(&envelope["body"]);
    assert_eq!(header.body_hash, sha256(&[&body]));
    meeting.open(message, &header, &body).unwrap()
}

#[test]
fn codes_and_keys() {
    let file = file();
    let key = KemPublic::from_bytes(&bytes(&file["key"])).unwrap();
    let device = bytes(&file["device"]);
    let (nonce, rest) = device.split_first_chunk::<32>().unwrap();
    let held = commitment(&key, nonce, rest);
    assert_eq!(held, array(&file["commitment"]));
    let time = file["time"].as_u64().unwrap() * 1_000;
    let hints: Vec<RelayHint> = list(&file["hints"])
        .iter()
        .map(|hint| RelayHint::parse(&bytes(hint)).unwrap())
        .collect();
    let secret = super::code::CodeSecret::new(array(&file["secret"]));
    let code = LinkCode::new(sha256(&[key.as_bytes()]), held, secret, time, &hints);
    let text = file["code"].as_str().unwrap();
    assert_eq!(code.text(), text);
    let code = LinkCode::parse(text, time).unwrap();
    assert_eq!(code.hash(), array(&file["code_hash"]));
    assert_eq!((code.commitment, &code.hints), (held, &hints));
    let address = u32::from_le_bytes(array(&file["address"]));
    assert_eq!(Meeting(&code.secret).address(), address);
}

#[test]
fn conversations() {
    let known = bytes(&file()["message"]);
    let copy: MessageCopy = crate::cbor::from_slice(&known).unwrap();
    assert_eq!((&copy.text[..], copy.mine, copy.order), ("Grüße", true, 7));
    assert_eq!((copy.time - copy.at, copy.way), (5, Way::OnTheWay));
    assert!(copy.is_in_bounds());
    assert_eq!(crate::cbor::to_vec(&copy), known);
    for len in 0..known.len() {
        assert!(crate::cbor::from_slice::<MessageCopy>(&known[..len]).is_err());
    }
}

#[test]
fn messages() {
    let file = file();
    let secret = super::code::CodeSecret::new(array(&file["secret"]));
    let meeting = Meeting(&secret);
    let secrets = Secrets {
        shared: Key::new(array(&file["ss"])),
        code: array(&file["code_hash"]),
        ct: sha256(&[&bytes(&file["ct"])]),
    };
    let key = outer(&meeting, Message::Key, &file["key_envelope"]);
    assert_eq!(unpad(&key).unwrap(), bytes(&file["key"]));

    let hello = bytes(&file["hello"]);
    let text = outer(&meeting, Message::Hello, &file["hello_envelope"]);
    let (ct, inner) = text.split_first_chunk::<CIPHERTEXT_LEN>().unwrap();
    assert_eq!(ct[..], bytes(&file["ct"]));
    let key = secrets.hello_key(&secret);
    assert_eq!(key.as_bytes(), &array(&file["hello_key"]));
    assert_eq!(*open_inner(&key, inner).unwrap(), hello);
    let read = Hello::decode(&hello).unwrap();
    assert_eq!((&read.name[..], read.encode()), ("Ada", hello.clone()));

    let device = bytes(&file["device"]);
    let text = outer(&meeting, Message::Device, &file["device_envelope"]);
    let key = secrets.device_key(&hello);
    assert_eq!(key.as_bytes(), &array(&file["device_key"]));
    assert_eq!(*open_inner(&key, &text).unwrap(), device);
    let read = Device::decode(&device[32..]).unwrap();
    assert_eq!(
        (&read.name[..], read.kind),
        ("Zoë's browser", DeviceKind::Linked)
    );
    assert_eq!(read.encode(), device[32..]);

    let agreed = secrets.agreed(&hello, &device);
    assert_eq!(agreed.transcript, array(&file["transcript"]));
    assert_eq!(u64::from(agreed.number()), file["number"].as_u64().unwrap());
    let text = outer(&meeting, Message::Word, &file["word_envelope"]);
    let key = agreed.word_key();
    assert_eq!(key.as_bytes(), &array(&file["word_key"]));
    let words = [Word::Refused, Word::Taken, Word::NotTaken];
    for (word, told) in words.into_iter().zip(list(&file["words"])) {
        assert_eq!(word.encode(), bytes(&told));
        assert_eq!(Word::decode(&bytes(&told)).unwrap(), word);
    }
    assert_eq!(*open_inner(&key, &text).unwrap(), Word::Taken.encode());

    for known in list(&file["chunk_keys"]) {
        let number = known["number"].as_u64().unwrap() as u16;
        let key = agreed.chunk_key(number, known["last"].as_bool().unwrap());
        assert_eq!(key.as_bytes(), &array(&known["key"]));
    }
    let mut incoming = Incoming::new(&meeting);
    let text = outer(&meeting, Message::Chunk(0), &file["chunk_envelope"]);
    assert_eq!(incoming.take(0, &text, &agreed), Ok(Progress::Whole));
    assert_eq!(*incoming.whole().unwrap().unwrap(), bytes(&file["bundle"]));
}
