//! The relay's side: who asks is answered when the relay is looked at next.
//!
//! Invariant: without questions a look costs a few numbers; questions are bounded in number.

use super::{Carried, Known, Peer, Report, Stored, short};
use crate::transport::{Counts, Meter, Traffic};
use axum::http::HeaderValue;
use shared::crypto::same;
use shared::relay::{Relay, State};
use shared::time::Now;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Questions waiting to be answered.
const QUESTIONS_MAX: usize = 8;
/// How often traffic is noted, for the rate of the last minute.
const NOTE_EVERY: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);

/// What does not change while a relay runs.
#[derive(Clone, Debug)]
pub struct Facts {
    pub node_key: [u8; 32],
    pub network: String,
    pub objects_max: u64,
    pub bytes_max: u64,
}

/// Asks a desk, for who shows the token.
#[derive(Clone)]
pub struct Asker {
    token: [u8; 32],
    questions: mpsc::Sender<oneshot::Sender<Report>>,
}

impl Asker {
    /// Whether that `Authorization` is `Bearer` and the token.
    pub fn admits(&self, authorization: Option<&HeaderValue>) -> bool {
        let expected = super::door::authorization(&self.token);
        authorization.is_some_and(|said| same(said.as_bytes(), expected.as_bytes()))
    }

    /// `None`: the relay is ending, or too many ask.
    pub async fn ask(&self) -> Option<Report> {
        let (sender, report) = oneshot::channel();
        self.questions.try_send(sender).ok()?;
        report.await.ok()
    }
}

/// Traffic of one kind of links, and what it was at moments of the last minute.
struct Kind {
    meter: Meter,
    notes: VecDeque<Traffic>,
}

impl Kind {
    fn note(&mut self) {
        self.notes.push_back(self.meter.traffic());
        let kept = MINUTE.as_secs() / NOTE_EVERY.as_secs();
        if self.notes.len() as u64 > kept {
            self.notes.pop_front();
        }
    }

    fn carried(&self) -> Carried {
        let now = self.meter.traffic();
        let before = self.notes.front().copied().unwrap_or_default();
        Carried {
            links: self.meter.links(),
            since_start: now,
            last_minute: now.since(&before),
        }
    }
}

/// Looks at a relay, and answers who asks.
pub struct Desk {
    facts: Facts,
    started: Instant,
    noted: Option<Instant>,
    webrtc: Kind,
    quic: Kind,
    questions: mpsc::Receiver<oneshot::Sender<Report>>,
}

impl Desk {
    pub fn new(facts: Facts, token: [u8; 32], webrtc: Meter, quic: Meter) -> (Self, Asker) {
        let (sender, questions) = mpsc::channel(QUESTIONS_MAX);
        let kind = |meter| Kind {
            meter,
            notes: VecDeque::new(),
        };
        let desk = Desk {
            facts,
            started: Instant::now(),
            noted: None,
            webrtc: kind(webrtc),
            quic: kind(quic),
            questions,
        };
        let asker = Asker {
            token,
            questions: sender,
        };
        (desk, asker)
    }

    /// To be called now and then.
    pub fn look(&mut self, now: Now, relay: &Relay) {
        if self.noted.is_none_or(|at| at.elapsed() >= NOTE_EVERY) {
            self.noted = Some(Instant::now());
            self.webrtc.note();
            self.quic.note();
        }
        while let Ok(question) = self.questions.try_recv() {
            // Who asked may have gone.
            let _ = question.send(self.report(now, relay));
        }
    }

    fn report(&self, now: Now, relay: &Relay) -> Report {
        let status = relay.status();
        let state = match status.state {
            State::Starting => "starting",
            State::Running => "running",
            State::Failed(_) => "failed",
        };
        let mut peers: Vec<Peer> = relay
            .peers()
            .map(|peer| Peer {
                relay: short(&peer.node_key),
                address: peer.address,
                dialled: peer.dialled,
                range: peer.range.into(),
                linked_s: now.mono.saturating_sub(peer.since) / 1000,
            })
            .collect();
        peers.sort_by_key(|peer| std::cmp::Reverse(peer.linked_s));
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: state.to_owned(),
            uptime_s: self.started.elapsed().as_secs(),
            relay: short(&self.facts.node_key),
            network: self.facts.network.clone(),
            addresses: relay.addresses().to_vec(),
            range: relay.range().into(),
            peers,
            known: Known {
                new: status.known_new,
                tried: status.known_tried,
            },
            stored: Stored {
                objects: status.objects,
                headers: status.headers,
                objects_max: self.facts.objects_max,
                records: status.records,
                bytes: status.bytes,
                bytes_max: self.facts.bytes_max,
                effort_floor: relay.effort_floor(),
            },
            webrtc: self.webrtc.carried(),
            quic: self.quic.carried(),
            counters: grouped(
                relay.counters().each(),
                [
                    ("webrtc", self.webrtc.meter.counts()),
                    ("quic", self.quic.meter.counts()),
                ],
            ),
        }
    }
}

/// Those of the relay by their place, those of the ports in groups of their own.
fn grouped(
    relay: impl Iterator<Item = (&'static str, u64)>,
    ports: [(&'static str, Counts); 2],
) -> BTreeMap<String, BTreeMap<String, u64>> {
    let relay = relay.map(|(name, count)| (place(name), count));
    let ports = ports.into_iter().flat_map(|(group, counts)| {
        let each = counts.into_iter();
        each.map(move |(name, count)| ((group, name), count))
    });
    let mut groups: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for ((group, name), count) in relay.chain(ports).filter(|(_, count)| *count > 0) {
        let group = groups.entry(group.to_owned()).or_default();
        group.insert(name.to_owned(), count);
    }
    groups
}

/// What a counter is about, and its name there.
pub(super) fn place(name: &str) -> (&'static str, &str) {
    if let Some(rest) = name.strip_prefix("links_") {
        return ("links", rest);
    }
    if let Some(rest) = name.strip_prefix("refused_") {
        return ("refused", rest);
    }
    let group = match name {
        "frames" | "frames_malformed" | "frames_unknown" | "frames_too_long" => "links",
        "puts" | "puts_duplicate" | "scans" | "gets" | "finds" | "objects_sent" | "pushed"
        | "lagged" => "clients",
        "stored" | "expired" | "evicted" | "replaced" | "rows_damaged" | "saves_failed"
        | "reads_failed" => "store",
        "peers_joined" | "peers_false" | "peers_over_limit" | "peers_unneeded"
        | "descriptors_bad" | "relays_found" | "relays_dialled" | "relays_felt"
        | "relays_named" | "range_changes" => "relays",
        "errands" | "errands_in_vain" | "errands_late" | "borrowed" | "borrowed_in_vain" => {
            "others"
        }
        "offers" | "offers_answered" | "offers_in_vain" | "opens" | "opens_refused" => "offers",
        "headers_kept" | "pushes_elsewhere" | "left_range" | "handed_over" => "spreading",
        "pushed_to_peers" | "headers_told" | "headers_bad" | "wanted" | "wanted_in_vain"
        | "pushes" | "pushes_duplicate" | "pushes_taken" | "pushes_unfit" | "pushes_bad"
        | "reconciled" | "missed_here" | "missed_there" => "spreading",
        _ => "other",
    };
    (group, name)
}
