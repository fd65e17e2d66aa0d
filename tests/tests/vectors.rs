//! Known answers for every derivation, made by another implementation: shared/vectors/keys.py.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::export::{ExportHeader, ExportRow, open_export};
use account::identity::{AccountId, Certificate, Identity, Seed, read_words};
use account::passcode::argon2id;
use account::rows::{MESSAGES, Rows, STATE};
use account::vault::{DataKey, VaultRow};
use data_encoding::HEXLOWER;
use serde_json::Value;
use shared::crypto::{
    BlindedKey, Key, PublicKey, SigningKey, blind_public, hedge, kdf, open, pad, seal, unpad,
};
use shared::io::{KdfCost, Table};

/// A value of the file, read as what the test needs.
struct Vector<'a>(&'a Value);

impl<'a> Vector<'a> {
    fn at(&self, name: &str) -> Vector<'a> {
        Vector(
            self.0
                .get(name)
                .unwrap_or_else(|| panic!("no {name} in the vectors")),
        )
    }

    fn list(&self) -> impl Iterator<Item = Vector<'a>> {
        self.0.as_array().unwrap().iter().map(Vector)
    }

    fn text(&self) -> &'a str {
        self.0.as_str().unwrap()
    }

    fn number(&self) -> u64 {
        self.0.as_u64().unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        HEXLOWER.decode(self.text().as_bytes()).unwrap()
    }

    fn array<const N: usize>(&self) -> [u8; N] {
        self.bytes().try_into().unwrap()
    }

    fn key(&self) -> Key {
        Key::new(self.array())
    }
}

fn with_vectors(name: &str, test: impl FnOnce(Vector<'_>)) {
    let file: Value = serde_json::from_str(include_str!("../../shared/vectors/keys.json")).unwrap();
    test(Vector(&file).at(name));
}

#[test]
fn derivations() {
    with_vectors("primitives", |all| {
        for vector in all.at("kdf").list() {
            let expected = vector.at("out").bytes();
            let mut out = vec![0; expected.len()];
            let (ikm, context) = (vector.at("ikm").bytes(), vector.at("context").bytes());
            kdf(&[&ikm], vector.at("label").text(), &[&context], &mut out);
            assert_eq!(out, expected);
        }
        let vector = all.at("hedge");
        let bound: Vec<Vec<u8>> = vector.at("bound").list().map(|part| part.bytes()).collect();
        let bound: Vec<&[u8]> = bound.iter().map(Vec::as_slice).collect();
        let out = hedge(
            &vector.at("fresh").array(),
            vector.at("label").text(),
            &bound,
        );
        assert_eq!(out, vector.at("out").array::<64>());
    });
}

#[test]
fn sealing() {
    with_vectors("primitives", |all| {
        let vector = all.at("seal");
        let (key, aad, text) = (
            vector.at("key").key(),
            vector.at("aad").bytes(),
            vector.at("text").bytes(),
        );
        let sealed = seal(&key, &vector.at("fresh").array(), &aad, &text);
        assert_eq!(sealed, vector.at("sealed").bytes());
        assert_eq!(sealed[..12], all.at("nonce").at("nonce").array::<12>());
        assert_eq!(open(&key, &aad, &sealed).unwrap(), text);

        let vector = all.at("pad");
        let (text, padded) = (vector.at("text").bytes(), vector.at("padded").bytes());
        assert_eq!(
            pad(&text, vector.at("len").number() as usize).unwrap(),
            padded
        );
        assert_eq!(unpad(&padded).unwrap(), text);
    });
}

#[test]
fn blinding() {
    with_vectors("primitives", |all| {
        let vector = all.at("blind");
        let key = SigningKey::from_bytes(&vector.at("secret").array());
        assert_eq!(key.public().as_bytes(), &vector.at("public").array());
        let h = vector.at("h").array();
        let blinded = BlindedKey::new(&key, &h);
        assert_eq!(blinded.public().as_bytes(), &vector.at("blinded").array());
        assert_eq!(blind_public(&key.public(), &h), blinded.public());
        let text = vector.at("text").bytes();
        assert_eq!(blinded.sign(&[&text]), vector.at("signature").array::<64>());
    });
}

#[test]
fn identities() {
    with_vectors("identities", |all| {
        for vector in all.list() {
            let seed = Seed::from_bytes(vector.at("seed").array());
            assert_eq!(seed.checksum(), vector.at("checksum").0.as_bool().unwrap());
            let indices: Vec<u64> = vector
                .at("indices")
                .list()
                .map(|one| one.number())
                .collect();
            assert_eq!(seed.indices().map(u64::from).to_vec(), indices);

            assert_eq!(seed.words().join(" "), vector.at("words").text());
            assert_eq!(read_words(vector.at("words").text()).seed(), Ok(&seed));

            let identity = Identity::from_seed(&seed);
            let account = identity.account_key();
            assert_eq!(account.as_bytes(), &vector.at("account_secret").array());
            assert_eq!(
                account.public().as_bytes(),
                &vector.at("account_public").array()
            );
            assert_eq!(
                identity.record_key().as_bytes(),
                &vector.at("record_key").array()
            );
            assert_eq!(
                identity.recovery_key().as_bytes(),
                &vector.at("recovery_key").array()
            );
            let recovery = identity.recovery_key();
            let public: [u8; 32] = vector.at("recovery_public").array();
            assert_eq!(recovery.public(), public);
            let back = vector.at("return");
            let (theirs, me) = (back.at("other_recovery").array(), account.public());
            let secret = shared::crypto::Key::new(*recovery.as_bytes());
            let agreed = shared::crypto::agree(&secret, &theirs).unwrap();
            assert_eq!(agreed.as_bytes(), &back.at("shared").array());
            let other = PublicKey::from_bytes(&back.at("other").array()).unwrap();
            for (from, to, name) in [(me, other, "to"), (other, me, "back")] {
                let secret = recovery.return_secret(&theirs, &from, &to).unwrap();
                assert_eq!(secret.as_bytes(), &back.at(name).array());
            }
            assert_eq!(identity.id().to_string(), vector.at("id").text());
            assert_eq!(AccountId::parse(vector.at("id").text()), Ok(identity.id()));

            let vector = vector.at("certificate");
            let device = PublicKey::from_bytes(&vector.at("device").array()).unwrap();
            let hour = vector.at("hour").number() as u32;
            let slot = vector.at("slot").number() as u8;
            let certificate = Certificate::issue(account, slot, device, hour);
            assert_eq!(certificate.to_bytes().to_vec(), vector.at("bytes").bytes());
            let read = Certificate::read(&vector.at("bytes").bytes(), &account.public(), hour);
            assert_eq!(read, Ok(certificate));
        }
    });
}

#[test]
fn device() {
    with_vectors("device", |all| {
        let vector = all.at("argon2id");
        let cost = KdfCost {
            memory_kib: vector.at("memory_kib").number() as u32,
            passes: vector.at("passes").number() as u32,
            lanes: vector.at("lanes").number() as u32,
        };
        let salt = vector.at("salt").array();
        let derived = argon2id(vector.at("passcode").text().as_bytes(), &salt, &cost).unwrap();
        assert_eq!(derived, vector.at("derived").key());

        let vector = all.at("vault");
        let bytes = vector.at("row").bytes();
        let mut row = VaultRow::decode(&bytes).unwrap();
        let data = row.finish_unlock(&derived).unwrap();
        let remember = vector.at("remember").key();
        let since = vector.at("since").number();
        assert_eq!(row.clone().recall(&remember, since + 1), Ok(data.clone()));

        let account = PublicKey::from_bytes(&vector.at("account").array()).unwrap();
        let fresh = vector.at("fresh").array();
        let mut made = VaultRow::create(account, &data, &derived, salt, cost, &fresh).unwrap();
        made.remember(&data, &remember, since, &fresh);
        assert_eq!(made.encode(), bytes);

        rows(&data, all.at("row"));
        export(&derived, ExportHeader { cost, salt }, all.at("export"));
    });
}

fn rows(data: &DataKey, vector: Vector<'_>) {
    let rows = Rows::new(data);
    let table = Table(vector.at("table").number() as u8);
    let (key, value) = (vector.at("key").bytes(), vector.at("value").bytes());
    let (located, sealed) = rows
        .seal(table, &key, &value, &vector.at("fresh").array())
        .unwrap();
    assert_eq!(located, vector.at("located").array());
    assert_eq!(sealed, vector.at("sealed").bytes());
    let row = rows.open(table, &located, &sealed).unwrap();
    assert_eq!((row.key, row.value.to_vec()), (key, value));
}

fn export(derived: &Key, header: ExportHeader, vector: Vector<'_>) {
    let file = vector.at("file").bytes();
    assert_eq!(ExportHeader::read(&file), Ok(header));
    let big = (0..20_000u32)
        .map(|at| (at % 251) as u8)
        .collect::<Vec<u8>>();
    let expected = [
        ExportRow {
            table: STATE,
            key: b"profile".to_vec(),
            value: b"a name".to_vec().into(),
        },
        ExportRow {
            table: MESSAGES,
            key: b"big".to_vec(),
            value: big.into(),
        },
    ];
    assert_eq!(open_export(&file, derived).unwrap(), expected);
}
