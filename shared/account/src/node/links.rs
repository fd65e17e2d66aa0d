//! What comes over the links, told to the part it concerns; and the account's timers.
//!
//! Invariant: a relay that lies costs its own link, nothing else.

use super::cx::Cx;
use super::open::Open;
use super::problems;
use super::relays::NodeKey;
use crate::api::Request;
use crate::sealed::locator;
use shared::io::{Input, LinkId, Output};
use shared::link::Reply;
use shared::time::Millis;
use shared::wire::{Header, Kind, ScanRecord};

impl Open {
    /// Inputs that concern links and puzzles.
    pub fn on_link_input(&mut self, cx: &mut Cx, input: Input<'_, Request>) {
        match input {
            Input::LinkUp {
                link,
                dialled: Some(token),
                binding,
                ..
            } => {
                self.relays.on_link_up(cx, link, token, binding);
            }
            Input::LinkUp { link, .. } => cx.at_once(Output::Close { link }),
            Input::DialFailed { token, error } if self.relays.on_dial_failed(cx, token, error) => {
                self.show_relays(cx);
            }
            Input::Prepared { token, ports } => self.relays.on_prepared(cx, token, &ports),
            Input::LinkMessage { link, bytes } => self.on_frame(cx, link, bytes),
            Input::LinkDown { link } => {
                if let Some(key) = self.relays.on_link_down(cx, link) {
                    self.on_relay_lost(cx, key);
                }
            }
            Input::Solving { token, hashes } => self.jobs.on_solving(cx, token, hashes),
            Input::Solved { token, nonce } => {
                self.on_solved(cx, token, nonce);
                self.pump_jobs(cx);
            }
            // An account's own traffic is small and paced by answers.
            _ => {}
        }
    }

    pub fn on_relay_lost(&mut self, cx: &mut Cx, key: NodeKey) {
        self.sync.feeds.remove(&key);
        self.end_offer(&key);
        self.lookups.on_link_down(&key);
        self.settle_lookups(cx);
        self.puts_link_down(&key);
        self.audits.on_link_down(&key);
        self.relays.on_door_closed(cx, &key);
        self.show_relays(cx);
    }

    fn on_frame(&mut self, cx: &mut Cx, link: LinkId, bytes: &[u8]) {
        match self.relays.on_frame(cx, link, bytes) {
            Some((key, Some(reply))) => self.on_reply(cx, link, key, reply),
            Some((key, None)) => self.on_relay_lost(cx, key),
            None => {}
        }
    }

    fn on_reply(&mut self, cx: &mut Cx, link: LinkId, key: NodeKey, reply: Reply<'_>) {
        match reply {
            Reply::Welcome(welcome) => {
                if let Some(relay) = self.relays.get_mut(&key)
                    && relay.opened(&welcome)
                {
                    cx.touch(super::model::RowKey::Relay(key));
                }
                self.on_welcome(cx, key, welcome.time);
            }
            Reply::Send(bytes) => cx.at_once(Output::Send { link, bytes }),
            Reply::Stored {
                request,
                receipt,
                by,
            } => self.on_stored(cx, (key, by), request, &receipt),
            Reply::Refused {
                request,
                why,
                detail,
            } => {
                if self
                    .relays
                    .on_offer_refused(cx, key, request, (why, detail))
                {
                    self.show_relays(cx);
                } else if self.on_put_refused(cx, key, request, why, detail) {
                    self.pump_puts(cx);
                } else if self.lookups.on_end(key, request, false) {
                    self.settle_lookups(cx);
                    self.pump_lookups(cx);
                } else if !self.on_audit_refused(&key, request) {
                    self.on_feed_refused(cx, key, request);
                }
            }
            Reply::ScanPage {
                request,
                total,
                bytes,
                records,
                ..
            } => {
                self.on_scan_page(cx, key, request, (total, bytes), records);
            }
            Reply::Object {
                request,
                header,
                body,
                ..
            } => {
                let whole = self.sync.is_whole(&key, request);
                self.sync.came(&key, request);
                self.on_audit_object(&key, request, &header);
                if header.front.kind == Kind::Record {
                    self.lookups.hold(key, request, &header, body);
                } else {
                    self.on_object(cx, header, body.to_vec(), whole);
                }
            }
            Reply::Pushed {
                bucket,
                header,
                body,
            } => {
                self.audits.list(key, bucket, ScanRecord::of(&header).hash);
                self.on_live(cx, key, bucket, body.len());
                self.on_object(cx, header, body.to_vec(), true);
            }
            Reply::Answered { request, address } => {
                self.relays.on_answered(cx, key, request, address);
            }
            Reply::End { request, count } => {
                if self.lookups.on_end(key, request, true) {
                    self.settle_lookups(cx);
                    // There is room for those that were not asked for yet.
                    self.pump_lookups(cx);
                } else if !self.on_audit_end(cx, &key, request)
                    && !self.on_feed_end(cx, key, request, count)
                {
                    // The names of relays are complete.
                    self.hold_relays(cx);
                }
            }
            Reply::News { bucket, record } => {
                self.audits.list(key, bucket, record.hash);
                self.on_news(cx, key, bucket, &record);
            }
            Reply::Lagged { bucket } => self.on_lagged(cx, key, bucket),
            Reply::Floor { effort } => {
                if let Some(relay) = self.relays.get_mut(&key) {
                    relay.effort_floor = effort;
                }
            }
            Reply::Asked => self.on_asked(cx, key),
            Reply::Wanted { ids } => self.on_wanted(cx, key, ids),
            Reply::Named {
                descriptor,
                range,
                undialled,
                ..
            } => self.on_named(cx, key, (&descriptor, range), undialled),
            Reply::Nothing => {}
        }
    }

    pub fn on_welcome(&mut self, cx: &mut Cx, key: NodeKey, relay_unix: u64) {
        if self.relays.is_guest(&key) {
            return self.pump_lookups(cx);
        }
        let clocks = self.relays.clocks();
        self.clock.listen_to(&clocks);
        if clocks.contains(&key) {
            self.clock.on_relay(key, relay_unix);
        }
        cx.touch_lazily(super::model::RowKey::Clock);
        match self.clock.clock_off_s() {
            Some(off_s) => cx.trouble(problems::clock_wrong(off_s)),
            None => cx.trouble_over("clock_wrong"),
        }
        self.on_epoch(cx);
        self.fit_mailbox(cx);
        self.begin_feed(cx, key, relay_unix);
        self.named.hurry();
        self.hold_relays(cx);
        self.show_relays(cx);
        self.pump_puts(cx);
        self.pump_jobs(cx);
        self.recover_soon(cx);
        self.pump_lookups(cx);
    }

    /// An object from any relay, its work and body checked by the link.
    fn on_object(&mut self, cx: &mut Cx, header: Header, body: alloc::vec::Vec<u8>, whole: bool) {
        if header.front.kind != Kind::Envelope || !self.sync.hold(&header) {
            return;
        }
        self.carry.take(header, &body, whole);
        if self.on_envelope(cx, header, body) {
            self.open_carried(cx);
        }
    }

    /// Something was opened: it may have made others expected that came before it.
    fn open_carried(&mut self, cx: &mut Cx) {
        while let Some((header, body)) = {
            let expected = &self.expected;
            self.carry
                .take_expected(|header| expected.has(&locator(&header.tag)))
        } {
            self.on_envelope(cx, header, body);
        }
        self.get_passed(cx);
    }

    /// Everything that is due.
    pub fn on_timer(&mut self, cx: &mut Cx) {
        for guest in self.relays.drop_guests(cx) {
            self.on_relay_lost(cx, guest);
        }
        if self.relays.on_timer(cx) {
            self.show_relays(cx);
        }
        for silent in self.relays.tick(cx) {
            self.on_relay_lost(cx, silent);
        }
        if self.tick_at <= cx.now.mono {
            self.on_tick(cx);
        }
        if self.house_at <= cx.now.mono {
            self.house_at = cx.now.mono + HOUSE_MS;
            self.on_epoch(cx);
            self.write_own_device(cx);
            self.end_letters(cx);
            self.look_after_certificate(cx);
            self.renew_linked(cx);
            self.tell_kem(cx);
            self.note_marks(cx);
            self.expire_parcels(cx);
            self.expire_invites(cx);
            self.expire_greetings(cx);
            self.look_again(cx);
            self.forget_greetings_sent(cx);
            self.forget_taken_back(cx);
            self.write_records(cx);
            self.remind_of_read(cx);
            self.look_after_returns(cx);
            self.pump_jobs(cx);
            self.pump_puts(cx);
            self.pump_feeds(cx);
            self.hold_relays(cx);
            self.offer_on(cx);
            if self.lookups.is_waiting() {
                // What took up their links may have been answered.
                self.pump_lookups(cx);
            }
        }
        if self.shelf.next_timer().is_some_and(|at| at <= cx.now.mono) {
            self.write_records(cx);
        }
        self.letters_on_time(cx);
        self.catch_up_on_time(cx);
        self.recover(cx);
        self.look_for_others(cx);
        self.watch_heads(cx);
        self.audit_on_time(cx);
        self.end_lookups(cx);
    }

    pub fn next_timer(&self) -> Option<Millis> {
        [
            self.relays.next_timer(),
            self.lookups.next_timer(),
            self.shelf.next_timer(),
            self.watched.next_timer(),
            self.recovery_timer(),
            self.own.letters.next_timer(),
            self.own.catch_up.next_timer(),
            Some(self.tick_at),
            Some(self.house_at),
            Some(self.audits.next_timer()),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// How often expiry and epochs are looked after.
const HOUSE_MS: Millis = 10_000;
