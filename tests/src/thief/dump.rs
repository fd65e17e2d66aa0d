//! All that a device has stored, as whoever has it unlocked can read it.

use super::Thief;
use crate::people::passcode;
use crate::world::{At, World};
use account::rows::{MESSAGES, OBJECTS, PlainRow, Rows, STATE, VAULT};
use account::vault::{VAULT_KEY, VaultRow};
use shared::crypto::{Key, sha256};
use shared::io::Query;

/// Every row of every table.
pub fn dump(world: &World, at: At) -> Vec<PlainRow> {
    let host = &world.hosts[at];
    let vault = host.disk.load(&Query::Keys {
        table: VAULT,
        keys: vec![VAULT_KEY.to_vec()],
    });
    let mut vault = VaultRow::decode(&vault[0].value).expect("a vault");
    let (salt, _) = vault.begin_unlock(world.now).expect("an attempt");
    let secret = passcode(&host.name).into_bytes();
    let derived = Key::new(sha256(&[b"sim kdf", &secret, &salt]));
    let data = vault.finish_unlock(&derived).expect("the passcode");
    let rows = Rows::new(&data);
    let tables = [STATE, MESSAGES, OBJECTS].into_iter();
    let all = tables.flat_map(|table| {
        let all = Query::Range {
            table,
            from: Vec::new(),
            to: None,
            limit: u32::MAX,
        };
        let found = host.disk.load(&all).into_iter();
        found.map(move |row| (table, row))
    });
    all.map(|(table, row)| rows.open(table, &row.key, &row.value).expect("a row"))
        .collect()
}

impl Thief {
    /// Takes all that a device has.
    pub fn take_device(&mut self, world: &World, at: At) {
        for row in dump(world, at) {
            self.take(&row.value);
        }
    }
}
