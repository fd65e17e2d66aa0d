//! What a relay sees, with what is random by design taken out, so that two worlds can be held side
//! by side.
//!
//! Which block is fetched, and how many objects it has, follows from the hashes of bodies, which
//! are random; so does the order in which objects come.
//!
//! Invariant: a field is masked only if it is covered by [`Randoms`], which fails where a "random"
//! value comes back: a name, or anything made from one, would.

use crate::world::Seen;
use std::collections::BTreeMap;

/// One frame as a relay could compare it: who, when, which way, what kind, how long, and every
/// byte that is not meant to be random.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    pub at_ms: u64,
    pub client: usize,
    pub to_relay: bool,
    pub kind: u8,
    pub len: usize,
    pub plain: Vec<u8>,
}

/// Values that must be new each time they are made up.
#[derive(Default)]
pub struct Randoms {
    values: BTreeMap<Vec<u8>, [u8; 32]>,
    /// How many different ones there were.
    pub count: usize,
}

impl Randoms {
    /// Notes a value of one object; false if another object had it too.
    fn note(&mut self, kind: u8, value: &[u8], object: &[u8; 32]) -> bool {
        let key = [&[kind], value].concat();
        self.count += 1;
        *self.values.entry(key).or_insert(*object) == *object
    }
}

/// Answers to Gets: by client and request, whether a block was asked for, and the places of what
/// came in the view.
#[derive(Default)]
struct Gets(BTreeMap<(usize, [u8; 4]), (bool, Vec<usize>)>);

impl Gets {
    /// Whether it answers a Get for a part of a bucket.
    fn is_of_a_block(&mut self, frame: &Seen) -> bool {
        let Some([kind, request @ ..]) = frame.bytes.first_chunk::<5>() else {
            return false;
        };
        let key = (frame.client, *request);
        match (frame.to_relay, kind) {
            (true, 0x22) => {
                self.0.insert(key, (frame.bytes[9] > 0, Vec::new()));
                false
            }
            (false, 0x23 | 0x24) => self.0.get(&key).is_some_and(|(block, _)| *block),
            _ => false,
        }
    }

    /// Puts an object that has just come among those of its answer, by what is seen of them.
    fn in_order(&mut self, frame: &Seen, view: &mut [Glimpse]) {
        let request = frame.bytes.get(1..).and_then(|rest| rest.first_chunk());
        let places = request.and_then(|request| self.0.get_mut(&(frame.client, *request)));
        let Some((_, places)) = places.filter(|_| frame.bytes[0] == 0x23) else {
            return;
        };
        places.push(view.len() - 1);
        for pair in (1..places.len()).rev() {
            let (a, b) = (places[pair - 1], places[pair]);
            if (view[a].len, &view[a].plain) > (view[b].len, &view[b].plain) {
                let (len, plain) = (view[a].len, view[a].plain.clone());
                (view[a].len, view[a].plain) = (view[b].len, view[b].plain.clone());
                (view[b].len, view[b].plain) = (len, plain);
            }
        }
    }
}

/// Everything relays saw, masked. `Err` says which random value was used by two objects.
pub fn view(seen: &[Seen]) -> Result<(Vec<Glimpse>, Randoms), String> {
    let mut randoms = Randoms::default();
    let mut view: Vec<Glimpse> = Vec::new();
    let mut gets = Gets::default();
    for frame in seen {
        if gets.is_of_a_block(frame) {
            continue;
        }
        let bytes = &frame.bytes;
        let kind = bytes.first().copied().unwrap_or(0);
        let plain = match kind {
            // Put: type, request, header, body. Object: a bucket before the header.
            0x10 => object(bytes, 5, &mut randoms)?,
            0x23 => object(bytes, 9, &mut randoms)?,
            // Hello's nonce, Welcome's signature, a receipt's id and signature, scan records.
            0x01 => bytes.get(..10).unwrap_or(bytes).to_vec(),
            0x02 => bytes.get(..55).unwrap_or(bytes).to_vec(),
            0x11 => [&bytes[..5], &bytes[37..45]].concat(),
            0x21 => bytes.get(..26).unwrap_or(bytes).to_vec(),
            0x31 => bytes.get(..9).unwrap_or(bytes).to_vec(),
            // Get: how much is asked for, and from when. Find: which part of all there is, too.
            0x22 if bytes[9] > 0 => bytes[..10].to_vec(),
            _ => bytes.clone(),
        };
        view.push(Glimpse {
            at_ms: frame.at_ms,
            client: frame.client,
            to_relay: frame.to_relay,
            kind,
            len: bytes.len(),
            plain,
        });
        gets.in_order(frame, &mut view);
    }
    Ok((view, randoms))
}

/// The header's meaning: all but address, tag, body hash and nonce. Of a record, tag and address
/// name the record and come again with each version; they are not noted.
fn object(bytes: &[u8], at: usize, randoms: &mut Randoms) -> Result<Vec<u8>, String> {
    let header = bytes.get(at..at + 72).ok_or("an object without a header")?;
    let mut hash = [0; 32];
    hash.copy_from_slice(&header[32..64]);
    let body = &bytes[at + 72..];
    if header[0] & 0x0f == 0 {
        let new = randoms.note(0, &header[8..12], &hash)
            && randoms.note(1, &header[16..24], &hash)
            && randoms.note(2, &header[24..32], &hash)
            && randoms.note(3, body.get(..12).unwrap_or(body), &hash)
            && randoms.note(4, body.get(12..44).unwrap_or(body), &hash);
        if !new {
            return Err(format!(
                "two envelopes share what should be random: {header:02x?}"
            ));
        }
    }
    Ok([&bytes[..at], &header[..8], &header[12..16]].concat())
}
