//! Looks now and then whether relays still have what they signed for. PROTOCOL.md section 7.
//!
//! Invariant: when a look is taken depends on nothing but chance, and by even chance it is at any
//! object that came by: a relay that is asked learns from it neither whose an object is nor that
//! somebody waits for one to be acknowledged.

use super::cx::Cx;
use super::fetch::block_bits;
use super::jobs::keeps_parcel;
use super::limits::{AUDIT_MS_MEAN, LISTED_MAX, LISTS_WITHIN_MS};
use super::model::{Chooser, DeliveryRow, Owner, RowKey};
use super::open::Open;
use super::relay::Stage;
use super::relays::NodeKey;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use shared::link::ReqId;
use shared::time::{self, Millis};
use shared::wire::scan::prefix_range;
use shared::wire::{Header, Kind, ScanRecord};

/// First bytes of a body's hash, as scan records have them.
type Hash = [u8; 8];

/// What relays listed lately, and the look that is being taken.
#[derive(Default)]
pub struct Audits {
    /// 0: not begun.
    next_at: Millis,
    /// Bucket and object, in the order in which each relay listed them.
    listed: BTreeMap<NodeKey, VecDeque<(u32, Hash)>>,
    /// When an object was made in this run (mono).
    made: BTreeMap<Owner, Millis>,
    under_way: Option<Look>,
}

struct Look {
    asked: NodeKey,
    request: ReqId,
    /// `None`: at something of others.
    promise: Option<Promise>,
    found: bool,
}

/// A receipt to be looked after.
#[derive(Clone)]
struct Promise {
    owner: Owner,
    hash: Hash,
    /// The relay that gave it.
    by: NodeKey,
    /// Where the object is looked for: at whom, and in which bucket. `None`: it should have been
    /// listed, and was not.
    at: Option<(NodeKey, u32)>,
}

impl Audits {
    pub fn next_timer(&self) -> Millis {
        self.next_at
    }

    /// A relay lists an object.
    pub fn list(&mut self, relay: NodeKey, bucket: u32, hash: Hash) {
        let listed = self.listed.entry(relay).or_default();
        if listed.len() >= LISTED_MAX {
            listed.pop_front();
        }
        listed.push_back((bucket, hash));
    }

    /// An object was made just now: who lists it does so from now on.
    pub fn made(&mut self, owner: Owner, now: Millis) {
        self.made.insert(owner, now);
    }

    /// A relay is gone: what it was asked is not answered.
    pub fn on_link_down(&mut self, relay: &NodeKey) {
        self.under_way.take_if(|look| look.asked == *relay);
    }

    /// In which bucket a relay listed an object last.
    fn bucket(&self, relay: &NodeKey, hash: &Hash) -> Option<u32> {
        let mut listed = self.listed.get(relay)?.iter().rev();
        listed.find(|(_, h)| h == hash).map(|(bucket, _)| *bucket)
    }

    /// The same where another relay than this one listed it, if one did.
    fn elsewhere(&self, linked: &[NodeKey], but: &NodeKey, hash: &Hash) -> Option<(NodeKey, u32)> {
        let others = linked.iter().filter(|key| *key != but);
        let mut others = others.chain(linked.contains(but).then_some(but));
        others.find_map(|key| Some((*key, self.bucket(key, hash)?)))
    }

    fn look(&mut self, relay: &NodeKey, request: ReqId) -> Option<&mut Look> {
        let look = self.under_way.as_mut();
        look.filter(|look| look.asked == *relay && look.request == request)
    }
}

impl Open {
    /// Takes a look when it is time.
    pub fn audit_on_time(&mut self, cx: &mut Cx) {
        if self.audits.next_at > cx.now.mono {
            return;
        }
        let is_first = self.audits.next_at == 0;
        self.audits.next_at = cx.now.mono + cx.visible.exponential(AUDIT_MS_MEAN).max(1);
        if is_first || self.audits.under_way.is_some() {
            return;
        }
        let (relays, parcels) = (&self.relays, &self.parcels);
        self.audits.listed.retain(|key, _| relays.is_known(key));
        self.audits
            .made
            .retain(|owner, _| parcels.contains_key(owner));
        let promises = self.promises(cx);
        let own = cx.visible.below(2) == 0;
        let promise = cx.visible.choose(&promises).filter(|_| own).cloned();
        let any = self.any_listed(cx);
        match promise {
            Some(Promise {
                at: Some((asked, bucket)),
                hash,
                ..
            }) => {
                self.look_at(cx, asked, (bucket, hash), promise);
            }
            Some(promise) => {
                self.on_looked(cx, &promise, false);
                self.look_at_any(cx, any);
            }
            None => self.look_at_any(cx, any),
        }
    }

    /// Receipts for what is not acknowledged, and where each can be looked after now.
    fn promises(&self, cx: &Cx) -> Vec<Promise> {
        let linked: Vec<NodeKey> = self.relays.in_use().map(|(key, _)| *key).collect();
        let hour = time::hour(self.clock.assumed());
        let mut promises = Vec::new();
        let mut parcels: Vec<_> = self.parcels.iter().collect();
        parcels.sort_unstable_by_key(|(_, parcel)| parcel.sequence);
        for (owner, parcel) in parcels {
            let header = parcel
                .header()
                .filter(|header| header.kind == Kind::Envelope);
            // What ends within the hour may be gone.
            let Some(header) = header.filter(|header| header.expiry > hour + 1) else {
                continue;
            };
            let hash = ScanRecord::of(&header).hash;
            for stored in &parcel.stored {
                let by = stored.relay;
                let (owner, own) = (*owner, stored.by == by);
                let at = match own {
                    true if linked.contains(&by) => {
                        self.audits.bucket(&by, &hash).map(|at| (by, at))
                    }
                    true => continue,
                    // It was passed on to a relay that there is no link to.
                    false => self.audits.elsewhere(&linked, &by, &hash),
                };
                if at.is_some() || own && self.should_list(cx, &owner, &by, stored.at) {
                    promises.push(Promise {
                        owner,
                        hash,
                        by,
                        at,
                    });
                }
            }
        }
        promises
    }

    /// Whether a relay that stored an object at that time, by its clock, must have listed it by
    /// now.
    fn should_list(&self, cx: &Cx, owner: &Owner, relay: &NodeKey, stored: Millis) -> bool {
        let feed = self.sync.feeds.get(relay).filter(|feed| feed.is_idle());
        let made = self.audits.made.get(owner);
        let watched = feed
            .zip(made)
            .is_some_and(|(feed, made)| feed.began < *made);
        let now = self.relays.time_of(relay, cx.now);
        watched && now.is_some_and(|now| now.saturating_sub(stored) >= LISTS_WITHIN_MS)
    }

    /// Any object that some relay listed.
    fn any_listed(&self, cx: &mut Cx) -> Option<(NodeKey, (u32, Hash))> {
        let linked: Vec<NodeKey> = self.relays.in_use().map(|(key, _)| *key).collect();
        let key = cx.visible.choose(&linked);
        let listed = key.and_then(|key| self.audits.listed.get(key));
        let count = listed.map_or(0, VecDeque::len);
        let at = cx.visible.below(count as u64) as usize;
        Some((*key?, *listed?.get(at)?))
    }

    fn look_at_any(&mut self, cx: &mut Cx, any: Option<(NodeKey, (u32, Hash))>) {
        if let Some((asked, object)) = any {
            self.look_at(cx, asked, object, None);
        }
    }

    /// Gets the block in which an object is.
    fn look_at(
        &mut self,
        cx: &mut Cx,
        asked: NodeKey,
        (bucket, hash): (u32, Hash),
        promise: Option<Promise>,
    ) {
        let listed = self.audits.listed.get(&asked).into_iter().flatten();
        let total: BTreeSet<&Hash> = listed
            .filter(|(b, _)| *b == bucket)
            .map(|(_, h)| h)
            .collect();
        let bits = block_bits(total.len() as u32);
        let (prefix, _) = prefix_range(bits, u64::from_be_bytes(hash));
        if let Some(relay) = self.relays.get_mut(&asked)
            && let Stage::Open { link, client, .. } = &mut relay.stage
            && let Some((request, frame)) = client.get(cx.now, bucket, bits, prefix)
        {
            cx.send(*link, frame);
            self.audits.under_way = Some(Look {
                asked,
                request,
                promise,
                found: false,
            });
        }
    }

    /// An object came as the answer to a Get.
    pub fn on_audit_object(&mut self, key: &NodeKey, request: ReqId, header: &Header) {
        let Some(look) = self.audits.look(key, request) else {
            return;
        };
        let owner = look.promise.as_ref().map(|promise| promise.owner);
        let parcel = owner.and_then(|owner| self.parcels.get(&owner));
        let wanted = parcel.and_then(|parcel| parcel.header());
        look.found |= wanted.is_some_and(|wanted| wanted.id() == header.id());
    }

    /// A Get is complete. False if it was none of an audit.
    pub fn on_audit_end(&mut self, cx: &mut Cx, key: &NodeKey, request: ReqId) -> bool {
        if self.audits.look(key, request).is_none() {
            return false;
        }
        if let Some(look) = self.audits.under_way.take()
            && let Some(promise) = look.promise
        {
            self.on_looked(cx, &promise, look.found);
        }
        true
    }

    /// A Get was refused, which says nothing. False if it was none of an audit.
    pub fn on_audit_refused(&mut self, key: &NodeKey, request: ReqId) -> bool {
        let is_ours = self.audits.look(key, request).is_some();
        if is_ours {
            self.audits.under_way = None;
        }
        is_ours
    }

    fn on_looked(&mut self, cx: &mut Cx, promise: &Promise, found: bool) {
        let by = promise.by;
        let parcel = self.parcels.get(&promise.owner);
        // It may have been made anew meanwhile.
        let same = parcel.and_then(|parcel| parcel.header());
        if same.is_none_or(|header| ScanRecord::of(&header).hash != promise.hash) {
            return;
        }
        let Some(relay) = self.relays.get_mut(&by) else {
            return;
        };
        if found {
            relay.promises_broken = 0;
            return;
        }
        // Of what was passed on nobody knows who lost it.
        let by_itself = promise.at.is_none_or(|(asked, _)| asked == by);
        relay.promises_broken = relay.promises_broken.saturating_add(u8::from(by_itself));
        let broken = relay.is_broken();
        let named = relay.row.by == Chooser::Relay;
        if let Some(listed) = self.audits.listed.get_mut(&by) {
            listed.retain(|(_, hash)| *hash != promise.hash);
        }
        if !broken {
            self.lose(cx, &promise.owner, &by);
            return self.pump_puts(cx);
        }
        // What it signed for counts no more, and another one is held in its place.
        let owners: Vec<Owner> = self.parcels.keys().copied().collect();
        owners.iter().for_each(|owner| self.lose(cx, owner, &by));
        if named {
            self.named.refuse(by);
        }
        self.hold_relays(cx);
        self.show_relays(cx);
    }

    /// A relay does not have an object, and is put it again.
    fn lose(&mut self, cx: &mut Cx, owner: &Owner, relay: &NodeKey) {
        let Some(parcel) = self.parcels.get_mut(owner) else {
            return;
        };
        let before = parcel.stored.len();
        parcel.stored.retain(|stored| stored.relay != *relay);
        if parcel.stored.len() == before {
            return;
        }
        if let Some(puts) = self.puts.get_mut(relay) {
            puts.done.remove(owner);
        }
        if keeps_parcel(owner) {
            cx.touch(RowKey::Parcel(*owner));
        }
        self.show_stored(cx, owner);
    }

    /// Shows by how many relays an object is stored, as far as is known.
    pub fn show_stored(&mut self, cx: &mut Cx, owner: &Owner) {
        let Some((parcel, header)) = self.parcels.get(owner).and_then(|p| Some((p, p.header()?)))
        else {
            return;
        };
        // Two may have passed it on to the same one.
        let keepers: BTreeSet<&NodeKey> = parcel.stored.iter().map(|stored| &stored.by).collect();
        let until = u64::from(header.front.expiry) * 3_600_000;
        let delivery = match keepers.len() as u32 {
            0 => DeliveryRow::Queued,
            relays => DeliveryRow::Stored(relays, until),
        };
        match *owner {
            Owner::Message(who, id) => self.set_delivery(cx, &who, &id, delivery),
            Owner::Greeting(who) => {
                if let Some(id) = self.contacts.get(&who).and_then(|c| c.row.handshake) {
                    self.set_delivery(cx, &who, &id, delivery);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const A: NodeKey = [1; 32];
    const B: NodeKey = [2; 32];
    const C: NodeKey = [3; 32];

    #[test]
    fn an_object_is_where_it_was_listed_last() {
        let mut audits = Audits::default();
        audits.list(A, 5, [1; 8]);
        audits.list(A, 7, [1; 8]);
        audits.list(B, 6, [1; 8]);
        assert_eq!(audits.bucket(&A, &[1; 8]), Some(7));
        assert_eq!(audits.bucket(&B, &[1; 8]), Some(6));
        assert_eq!(audits.bucket(&B, &[2; 8]), None);
        assert_eq!(audits.bucket(&C, &[1; 8]), None);
        for n in 0..LISTED_MAX as u64 {
            audits.list(A, 8, (n + 1_000).to_le_bytes());
        }
        assert_eq!(audits.listed.get(&A).unwrap().len(), LISTED_MAX);
        assert_eq!(audits.bucket(&A, &[1; 8]), None);
    }

    #[test]
    fn what_was_passed_on_is_looked_for_elsewhere_first() {
        let mut audits = Audits::default();
        audits.list(A, 5, [1; 8]);
        assert_eq!(audits.elsewhere(&[A, B], &A, &[1; 8]), Some((A, 5)));
        audits.list(B, 6, [1; 8]);
        assert_eq!(audits.elsewhere(&[A, B], &A, &[1; 8]), Some((B, 6)));
        // Not at one that is gone.
        assert_eq!(audits.elsewhere(&[A], &A, &[1; 8]), Some((A, 5)));
        assert_eq!(audits.elsewhere(&[C], &A, &[1; 8]), None);
    }

    #[test]
    fn an_answer_belongs_to_its_relay_and_link() {
        let mut audits = Audits::default();
        let look = |request| Look {
            asked: A,
            request: ReqId(request),
            promise: None,
            found: false,
        };
        audits.under_way = Some(look(3));
        assert!(audits.look(&B, ReqId(3)).is_none());
        assert!(audits.look(&A, ReqId(4)).is_none());
        assert!(audits.look(&A, ReqId(3)).is_some());
        audits.on_link_down(&B);
        assert!(audits.under_way.is_some());
        audits.on_link_down(&A);
        assert!(audits.under_way.is_none());
    }
}
