//! Objects for which there was no room: peers are not asked for them again for an hour.
//!
//! Invariant: bounded; what is forgotten early is only offered once more.

use crate::limits::DROPPED_MAX;
use crate::wire::Id;
use alloc::collections::{BTreeMap, VecDeque};

/// Objects that gave way or were refused, each with the hours in which it was made and expires.
#[derive(Debug, Default)]
pub(in crate::relay) struct Dropped {
    hour: u32,
    ids: BTreeMap<Id, (u32, u32)>,
    order: VecDeque<Id>,
}

impl Dropped {
    pub fn add(&mut self, hour: u32, id: Id, born: u32, expiry: u32) {
        if hour != self.hour {
            *self = Dropped {
                hour,
                ..Dropped::default()
            };
        }
        if self.ids.insert(id, (born, expiry)).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > DROPPED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    /// It is here after all.
    pub fn remove(&mut self, id: &Id) {
        if self.ids.remove(id).is_some() {
            self.order.retain(|other| other != id);
        }
    }

    pub fn has(&self, hour: u32, id: &Id) -> bool {
        hour == self.hour && self.ids.contains_key(id)
    }

    /// As the index tells of its own, of this hour.
    pub fn born(&self, hour: u32) -> impl Iterator<Item = (u32, u32, Id)> {
        let ids = self.ids.iter().filter(move |_| hour == self.hour);
        ids.map(|(id, (born, expiry))| (*born, *expiry, *id))
    }
}
