//! Where two devices meet: links of their own to the relays that a code names, what comes to one
//! address there, and what is put there with its work done. PROTOCOL.md section 15.
//!
//! Invariant: it lives in memory, and with one run. What is asked of a relay is everything of its
//! time, whatever of it is for this run, as long as that is little enough.

use super::cx::Cx;
use super::fetch::{TAKE_ALL_BYTES_MAX, block_bits};
use super::limits;
use super::relay::Stage;
use super::relays::{NodeKey, Relays};
use crate::api::Request;
use crate::sealed::{Sealed, locator};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use shared::io::{Input, LinkId, Output, Token};
use shared::link::{ClientLink, Reply, ReqId};
use shared::object::pow;
use shared::time::{self, Millis};
use shared::wire::scan::prefix_range;
use shared::wire::{Header, Kind, Records, Refused, RelayHint};

/// Envelopes at the address that nobody expected yet.
const EARLY_MAX: usize = 16;
const REQUESTS_MAX: usize = 4;
/// What a relay may have asked for in vain, at most.
const WANTS_MAX: usize = 64;
const PAUSE_MS: Millis = 5_000;
/// Longer than any run.
const STAY_MS: Millis = 24 * 3_600_000;

/// The links of one run.
pub struct Meet {
    pub relays: Relays,
    feeds: BTreeMap<NodeKey, Feed>,
    /// Buckets before the present one that may hold something.
    back: u32,
    expected: BTreeSet<u64>,
    address: Option<u32>,
    early: VecDeque<(Header, Vec<u8>)>,
    found: VecDeque<(Header, Vec<u8>)>,
    queue: VecDeque<(u32, Sealed)>,
    solving: Option<(Token, u32, Sealed)>,
    solved: BTreeMap<u32, Solved>,
    puts: BTreeMap<NodeKey, Puts>,
    numbers: u32,
}

/// What was missed at a relay.
struct Feed {
    /// What came before this bucket is of no use.
    from: u32,
    todo: VecDeque<Want>,
    wants: BTreeMap<ReqId, Want>,
    paused_until: Millis,
}

#[derive(Clone, Copy)]
enum Want {
    Scan { bucket: u32, first: u32 },
    Get { bucket: u32, bits: u8, prefix: u64 },
}

struct Solved {
    header: Header,
    body: Vec<u8>,
    /// Relays that have it, or do not take it.
    done: BTreeSet<NodeKey>,
    stored: bool,
}

#[derive(Default)]
struct Puts {
    under_way: BTreeMap<ReqId, u32>,
    paused_until: Millis,
}

impl Meet {
    /// Dials them. `back`: how many buckets before the present one are looked through.
    pub fn new(cx: &mut Cx, hints: &[RelayHint], back: u32) -> Meet {
        let mut relays = Relays::new(cx.config.scan_wider_bits);
        for hint in hints {
            relays.invite_until(cx, *hint, cx.now.mono + STAY_MS);
        }
        relays.on_timer(cx);
        Meet {
            relays,
            feeds: BTreeMap::new(),
            back,
            expected: BTreeSet::new(),
            address: None,
            early: VecDeque::new(),
            found: VecDeque::new(),
            queue: VecDeque::new(),
            solving: None,
            solved: BTreeMap::new(),
            puts: BTreeMap::new(),
            numbers: 0,
        }
    }

    /// What may come from now on, at that address.
    pub fn expect(&mut self, address: u32, locators: Vec<u64>) {
        self.address = Some(address);
        self.expected = locators.into_iter().collect();
        let early = core::mem::take(&mut self.early);
        let here = |(header, _): &(Header, Vec<u8>)| self.is_expected(header);
        let (found, early) = early.into_iter().partition(here);
        self.early = early;
        self.found.extend::<VecDeque<_>>(found);
    }

    /// Whatever comes from now on is of no use.
    pub fn expect_nothing(&mut self) {
        (self.address, self.expected) = (None, BTreeSet::new());
        self.early.clear();
        self.found.clear();
    }

    /// The next that was expected.
    pub fn next_found(&mut self) -> Option<(Header, Vec<u8>)> {
        self.found.pop_front()
    }

    /// Has an envelope solved and put to every relay; what [`Meet::is_stored`] names it by.
    pub fn put(&mut self, cx: &mut Cx, sealed: Sealed) -> u32 {
        self.numbers += 1;
        self.queue.push_back((self.numbers, sealed));
        self.solve_next(cx);
        self.numbers
    }

    /// Whether a relay has it.
    pub fn is_stored(&self, number: u32) -> bool {
        self.solved.get(&number).is_some_and(|s| s.stored)
    }

    /// How many no relay has yet.
    pub fn unsent(&self) -> usize {
        let solved = self.solved.values().filter(|s| !s.stored).count();
        self.queue.len() + usize::from(self.solving.is_some()) + solved
    }

    /// The effort that relays ask for.
    pub fn effort(&self) -> u8 {
        let asked = self.relays.open().map(|(_, relay)| relay.effort_floor);
        let asked = asked.filter(|effort| *effort <= limits::EFFORT_ASKED_MAX);
        asked.max().unwrap_or(0)
    }

    /// Takes an input that is its own; gives back what is not.
    pub fn on_input<'a>(
        &mut self,
        cx: &mut Cx,
        input: Input<'a, Request>,
    ) -> Option<Input<'a, Request>> {
        match input {
            Input::LinkUp {
                link,
                dialled: Some(token),
                binding,
                ..
            } if self.relays.awaits(token) => self.relays.on_link_up(cx, link, token, binding),
            Input::DialFailed { token, error } if self.relays.awaits(token) => {
                self.relays.on_dial_failed(cx, token, error);
            }
            Input::LinkMessage { link, bytes } if self.relays.key_of(link).is_some() => {
                self.on_frame(cx, link, bytes);
            }
            Input::LinkDown { link } if self.relays.key_of(link).is_some() => {
                if let Some(key) = self.relays.on_link_down(cx, link) {
                    self.lost(&key);
                }
            }
            Input::Solved { token, nonce } if self.solves(token) => self.on_solved(cx, nonce),
            Input::Solving { token, .. } if self.solves(token) => {}
            other => return Some(other),
        }
        None
    }

    pub fn on_timer(&mut self, cx: &mut Cx) {
        self.relays.on_timer(cx);
        for key in self.relays.tick(cx) {
            self.lost(&key);
        }
        self.pump(cx);
    }

    pub fn next_timer(&self) -> Option<Millis> {
        let paused = self.puts.values().map(|puts| puts.paused_until);
        let paused = paused.chain(self.feeds.values().map(|feed| feed.paused_until));
        let paused = paused.filter(|until| *until > 0);
        paused.chain(self.relays.next_timer()).min()
    }

    /// Ends all links, and the work under way.
    pub fn close(mut self, cx: &mut Cx) {
        self.relays.close_all(cx);
        if let Some((token, ..)) = self.solving {
            cx.at_once(Output::CancelSolve { token });
        }
    }

    fn lost(&mut self, key: &NodeKey) {
        self.puts.remove(key);
        if let Some(feed) = self.feeds.get_mut(key) {
            feed.todo.clear();
            feed.wants.clear();
            feed.paused_until = 0;
        }
    }

    fn on_frame(&mut self, cx: &mut Cx, link: LinkId, bytes: &[u8]) {
        let Some((key, reply)) = self.relays.on_frame(cx, link, bytes) else {
            return;
        };
        match reply {
            None => self.lost(&key),
            Some(Reply::Send(bytes)) => cx.at_once(Output::Send { link, bytes }),
            Some(reply) => self.on_reply(cx, key, reply),
        }
    }

    fn on_reply(&mut self, cx: &mut Cx, key: NodeKey, reply: Reply<'_>) {
        match reply {
            Reply::Welcome(welcome) => {
                if let Some(relay) = self.relays.get_mut(&key) {
                    relay.opened(&welcome);
                }
                self.begin(cx, key, welcome.time);
            }
            Reply::Stored { request, .. } => self.on_put_done(&key, request, true),
            Reply::Refused {
                request,
                why,
                detail,
            } => self.on_refused(cx, &key, request, (why, detail)),
            Reply::ScanPage {
                request,
                total,
                bytes,
                records,
                ..
            } => self.on_scan_page(&key, request, (total, bytes), records),
            Reply::Object { header, body, .. } | Reply::Pushed { header, body, .. } => {
                self.take(header, body);
            }
            Reply::End { request, .. } => {
                if let Some(feed) = self.feeds.get_mut(&key) {
                    feed.wants.remove(&request);
                }
            }
            Reply::Lagged { bucket } => {
                if let Some(feed) = self.feeds.get_mut(&key)
                    && feed.todo.len() < WANTS_MAX
                {
                    feed.todo.push_back(Want::Scan { bucket, first: 0 });
                }
            }
            Reply::Floor { effort } => {
                if let Some(relay) = self.relays.get_mut(&key) {
                    relay.effort_floor = effort;
                }
            }
            _ => {}
        }
        self.pump(cx);
    }

    /// Watches first, so that nothing falls between, then looks for what is there already.
    fn begin(&mut self, cx: &mut Cx, key: NodeKey, relay_unix: u64) {
        let current = time::bucket(relay_unix);
        let Some((link, client, _)) = self.relays.get_mut(&key).and_then(|r| r.opened_link())
        else {
            return;
        };
        if let Some((_, frame)) = client.watch(cx.now, true) {
            cx.at_once(Output::Send { link, bytes: frame });
        }
        let back = self.back;
        let feed = self.feeds.entry(key).or_insert_with(|| Feed {
            from: current.saturating_sub(back),
            todo: VecDeque::new(),
            wants: BTreeMap::new(),
            paused_until: 0,
        });
        let buckets = feed.from.max(current.saturating_sub(6))..=current;
        let scan = |bucket| Want::Scan { bucket, first: 0 };
        feed.todo = buckets.map(scan).collect();
    }

    fn on_scan_page(
        &mut self,
        key: &NodeKey,
        request: ReqId,
        (total, bytes): (u32, u64),
        page: Records<'_>,
    ) {
        let divided = self.relays.range_of(key).bits() > 0;
        let Some(feed) = self.feeds.get_mut(key) else {
            return;
        };
        let Some(Want::Scan { bucket, first }) = feed.wants.remove(&request) else {
            return;
        };
        if bytes <= TAKE_ALL_BYTES_MAX && !divided {
            let (bits, prefix) = (0, 0);
            feed.todo.push_back(Want::Get {
                bucket,
                bits,
                prefix,
            });
            return;
        }
        let bits = block_bits(total);
        let mut looked_at = first;
        let mut blocks = BTreeSet::new();
        for record in page.iter() {
            looked_at = looked_at.saturating_add(1);
            if self.expected.contains(&locator(&record.tag)) {
                blocks.insert(prefix_range(bits, record.hash_key()).0);
            }
        }
        let get = |prefix| Want::Get {
            bucket,
            bits,
            prefix,
        };
        feed.todo.extend(blocks.into_iter().map(get));
        if looked_at < total && looked_at > first {
            let first = looked_at;
            feed.todo.push_front(Want::Scan { bucket, first });
        }
    }

    fn is_expected(&self, header: &Header) -> bool {
        self.expected.contains(&locator(&header.tag))
    }

    fn take(&mut self, header: Header, body: &[u8]) {
        if header.front.kind != Kind::Envelope {
            return;
        }
        if self.is_expected(&header) {
            self.found.push_back((header, body.to_vec()));
        } else if self.address == Some(header.front.address) {
            if self.early.len() >= EARLY_MAX {
                self.early.pop_front();
            }
            self.early.push_back((header, body.to_vec()));
        }
    }

    fn on_put_done(&mut self, key: &NodeKey, request: ReqId, stored: bool) {
        let puts = self.puts.get_mut(key);
        let number = puts.and_then(|puts| puts.under_way.remove(&request));
        let solved = number.and_then(|number| self.solved.get_mut(&number));
        if let Some(solved) = solved {
            solved.done.insert(*key);
            solved.stored |= stored;
        }
    }

    fn on_refused(
        &mut self,
        cx: &mut Cx,
        key: &NodeKey,
        request: ReqId,
        (why, detail): (Option<Refused>, u32),
    ) {
        if let Some(feed) = self.feeds.get_mut(key)
            && let Some(want) = feed.wants.remove(&request)
        {
            feed.todo.push_front(want);
            feed.paused_until = cx.now.mono + PAUSE_MS;
            return;
        }
        let later = matches!(
            why,
            Some(
                Refused::OverQuota
                    | Refused::StoreFull
                    | Refused::StoreFailed
                    | Refused::TooManyRequests
            )
        );
        let puts = self.puts.entry(*key).or_default();
        if later && puts.under_way.remove(&request).is_some() {
            let pause = u64::from(detail.clamp(2, 60)) * 1_000;
            puts.paused_until = cx.now.mono + pause;
        } else {
            self.on_put_done(key, request, false);
        }
    }

    fn solves(&self, wanted: Token) -> bool {
        self.solving
            .as_ref()
            .is_some_and(|(token, ..)| *token == wanted)
    }

    fn solve_next(&mut self, cx: &mut Cx) {
        if self.solving.is_some() {
            return;
        }
        let Some((number, sealed)) = self.queue.pop_front() else {
            return;
        };
        let work = pow::work(&sealed.header, cx.config.work_divisor);
        let token = cx.token();
        let solve = Output::Solve {
            token,
            prefix: sealed.header.prefix(),
            target: pow::target(work),
            expected: work,
        };
        self.solving = Some((token, number, sealed));
        // What it follows from is saved before it can leave.
        cx.after(solve);
    }

    fn on_solved(&mut self, cx: &mut Cx, nonce: u64) {
        let Some((_, number, mut sealed)) = self.solving.take() else {
            return;
        };
        sealed.header.nonce = nonce;
        let target = pow::target(pow::work(&sealed.header, cx.config.work_divisor));
        if pow::check(&sealed.header.prefix(), nonce, &target) {
            let Sealed { header, body } = sealed;
            let solved = Solved {
                header,
                body,
                done: BTreeSet::new(),
                stored: false,
            };
            self.solved.insert(number, solved);
        } else {
            self.queue.push_front((number, sealed));
        }
        self.solve_next(cx);
        self.pump(cx);
    }

    /// Asks and puts what can be.
    fn pump(&mut self, cx: &mut Cx) {
        for (key, relay) in self.relays.values_mut() {
            let Stage::Open { link, client, .. } = &mut relay.stage else {
                continue;
            };
            let puts = self.puts.entry(*key).or_default();
            if puts.paused_until <= cx.now.mono {
                puts.paused_until = 0;
                let wanting = self.solved.iter().filter(|(_, s)| !s.done.contains(key));
                puts.put(cx, (*link, client), wanting);
            }
            if let Some(feed) = self.feeds.get_mut(key)
                && feed.paused_until <= cx.now.mono
            {
                feed.paused_until = 0;
                feed.ask(cx, (*link, client));
            }
        }
    }
}

impl Puts {
    fn put<'a>(
        &mut self,
        cx: &mut Cx,
        (link, client): (LinkId, &mut ClientLink),
        wanting: impl Iterator<Item = (&'a u32, &'a Solved)>,
    ) {
        for (number, solved) in wanting {
            if self.under_way.values().any(|n| n == number) {
                continue;
            }
            if self.under_way.len() >= limits::PUTS_UNDER_WAY_MAX {
                return;
            }
            let put = client.put(cx.now, &solved.header, &solved.body);
            let Some((request, bytes)) = put else { return };
            self.under_way.insert(request, *number);
            cx.after(Output::Send { link, bytes });
        }
    }
}

impl Feed {
    fn ask(&mut self, cx: &mut Cx, (link, client): (LinkId, &mut ClientLink)) {
        while self.wants.len() < REQUESTS_MAX {
            let Some(want) = self.todo.pop_front() else {
                return;
            };
            let asked = match want {
                Want::Scan { bucket, first } => client.scan(cx.now, bucket, first),
                Want::Get {
                    bucket,
                    bits,
                    prefix,
                } => client.get(cx.now, bucket, bits, prefix),
            };
            let Some((request, bytes)) = asked else {
                return self.todo.push_front(want);
            };
            self.wants.insert(request, want);
            cx.at_once(Output::Send { link, bytes });
        }
    }
}
