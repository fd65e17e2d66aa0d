//! All that the 18 words give: the keys that follow from them, the records that these open, and
//! what is found by what stands in those.

use super::{Archive, Recorded, Thief};
use account::identity::{Identity, read_words};
use account::record::{self, Place};
use account::root::Root;
use account::state::values::{Access, read_name};
use account::state::{Clock, ContactField, Key as StateKey, Parts, ProfileField, Set};
use shared::crypto::PublicKey;

/// What was read.
#[derive(Default)]
pub struct Words {
    /// The state, as far as parts of it were found.
    pub set: Set,
    /// Texts of contacts' records, and of the account's own.
    pub texts: Vec<Vec<u8>>,
    pub contacts: Vec<[u8; 32]>,
}

impl Words {
    /// The name of this account, and those of its contacts.
    pub fn names(&self) -> (Option<String>, Vec<String>) {
        let own = self.set.get(&StateKey::Profile(ProfileField::Name));
        let name = |who: &[u8; 32]| {
            let key = StateKey::Contact(*who, ContactField::Name);
            self.set.get(&key).and_then(|name| read_name(name).ok())
        };
        let names = self.contacts.iter().filter_map(name).collect();
        (own.and_then(|name| read_name(name).ok()), names)
    }
}

/// What of the records opens for who may read that account's slot.
fn read(archive: &Archive, owner: &PublicKey, secret: &[u8; 32], slot: u16) -> Vec<Vec<u8>> {
    let open = |object: &Recorded| {
        let hour = (object.at_ms / 3_600_000) as u32;
        record::periods(slot, hour).find_map(|period| {
            let place = Place::find(owner, secret, slot, period);
            record::open(&place, secret, &object.header, &object.body, hour).ok()
        })
    };
    let texts = archive.records().filter_map(open);
    texts
        .map(|opened| opened.text)
        .filter(|text| !text.is_empty())
        .collect()
}

impl Thief {
    /// Takes the words of an account, and all that they lead to.
    pub fn take_words(&mut self, archive: &Archive, words: &str) -> Words {
        let seed = read_words(words).seed().expect("18 words").clone();
        let me = Identity::from_seed(&seed);
        let account = me.account_key().public();
        self.key(*me.account_key().as_bytes());
        self.key(*me.record_key().as_bytes());
        self.key(*me.recovery_key().as_bytes());
        let mut found = Words::default();
        let roots = read(
            archive,
            &account,
            me.record_key().as_bytes(),
            record::SLOT_ROOT,
        );
        let mut secrets: Vec<[u8; 32]> = roots
            .iter()
            .filter_map(|text| Root::read(text))
            .map(|root| *root.read.as_bytes())
            .collect();
        secrets.dedup();
        for secret in secrets {
            self.take_state(archive, &account, &secret, &mut found);
        }
        found.contacts = found.set.contacts().copied().collect();
        let own = StateKey::Profile(ProfileField::ReadSecret);
        if let Some(own) = found.set.get(&own)
            && let Ok(own) = account::state::values::read_bytes32(own)
        {
            self.take_records(archive, &account, &own, &mut found);
        }
        for who in found.contacts.clone() {
            let key = StateKey::Contact(who, ContactField::Access);
            let access = found
                .set
                .get(&key)
                .and_then(|value| Access::decode(value).ok());
            let (Some(access), Ok(who)) = (access, PublicKey::from_bytes(&who)) else {
                continue;
            };
            self.take_records(archive, &who, &access.read_secret, &mut found);
            if let Some(theirs) = access.recovery {
                let key = me.recovery_key();
                let ways = [(&account, &who), (&who, &account)];
                let ways = ways.map(|(from, to)| key.return_secret(&theirs, from, to));
                self.returns.extend(ways.into_iter().flatten());
            }
        }
        let texts = found.texts.clone();
        texts.iter().for_each(|text| self.take(text));
        found
    }

    fn take_state(
        &mut self,
        archive: &Archive,
        account: &PublicKey,
        secret: &[u8; 32],
        found: &mut Words,
    ) {
        self.key(*secret);
        let mut parts = Parts::new();
        for part in 0..4 {
            for text in read(archive, account, secret, Parts::slot(part)) {
                let clock = Clock::default();
                let _ = parts.found(part, &text, &mut found.set, clock);
                found.texts.push(text);
            }
        }
    }

    fn take_records(
        &mut self,
        archive: &Archive,
        owner: &PublicKey,
        secret: &[u8; 32],
        found: &mut Words,
    ) {
        self.key(*secret);
        for slot in [record::SLOT_EPOCH_KEYS, record::SLOT_PROFILE] {
            found.texts.extend(read(archive, owner, secret, slot));
        }
    }
}
