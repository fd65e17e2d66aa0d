//! Links: WebRTC data channels to relays, dialled from their hints alone. PROTOCOL.md section 3.
//!
//! Invariant: every dial ends in exactly one `LinkUp` or `DialFailed`, every `LinkUp` in exactly
//! one `LinkDown`. What the browser calls is only put into the inbox; the driver hands it back.

use std::collections::HashMap;

use js_sys::{Array, ArrayBuffer, Reflect, Uint8Array};
use shared::crypto::sha256;
use shared::io::{DialError, DialTo, Input, LinkId, Origin, Token};
use shared::limits::FRAME_BYTES_MAX;
use shared::wire::RelayHint;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    MessageEvent, RtcConfiguration, RtcDataChannel, RtcDataChannelInit, RtcDataChannelType,
    RtcIceConnectionState, RtcIceGatheringState, RtcIceServer, RtcPeerConnection,
    RtcPeerConnectionState, RtcSdpType, RtcSessionDescriptionInit,
};

use crate::driver::{Command, Happened, Inbox};
use crate::sdp;
use crate::timer::Timer;

const LABEL: &str = "wm1";
/// How long a dial may take.
const DIAL_MS: u64 = 10_000;
/// How long the browser may take to find out its address.
const GATHER_MS: u64 = 2_000;
/// How long a closed link may take to send what was queued before.
const FLUSH_MS: u64 = 2_000;
/// Bytes queued above which a link is congested.
const QUEUE_HIGH_BYTES: u32 = 1024 * 1024;
/// Bytes queued below which it is not any more.
const QUEUE_LOW_BYTES: u32 = 256 * 1024;
/// Bytes queued above which a link cannot take more and is closed.
const QUEUE_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// What the browser says of a link.
pub enum LinkEvent {
    /// Offer and made-up answer are in place; the certificate hash of this side.
    Described([u8; 32]),
    /// The browser has found out its addresses.
    Gathered,
    /// The browser refused one of them.
    Undescribed,
    Opened,
    Message(Vec<u8>),
    /// Something no relay sends: text, or a frame too long.
    Foul,
    /// The send queue is below its low mark.
    Drained,
    /// The connection failed for good.
    Failed,
    Closed,
    /// Time for dialling or closing is over.
    TimedOut,
}

enum State {
    /// Finds out its own address, for a dial that another relay leads to.
    Preparing(Token),
    /// Has told it.
    Prepared(Token),
    Dialling(Token),
    Up,
    /// Closed by this side and told; what was sent before is leaving.
    Closing,
}

struct Link {
    state: State,
    connection: RtcPeerConnection,
    channel: RtcDataChannel,
    /// Where it is dialled, or to be dialled once that is known.
    hint: Option<RelayHint>,
    certificate: Option<[u8; 32]>,
    congested: bool,
    timer: Timer,
    /// What the browser calls, kept as long as it may.
    calls: Calls,
}

struct Calls {
    plain: Vec<Closure<dyn FnMut()>>,
    _message: Closure<dyn FnMut(MessageEvent)>,
}

impl Drop for Link {
    fn drop(&mut self) {
        let channel = &self.channel;
        channel.set_onopen(None);
        channel.set_onmessage(None);
        channel.set_onclose(None);
        channel.set_onerror(None);
        channel.set_onbufferedamountlow(None);
        self.connection.set_onconnectionstatechange(None);
        self.connection.set_onicegatheringstatechange(None);
        channel.close();
        self.connection.close();
    }
}

/// All links of this page.
pub struct Links {
    links: HashMap<LinkId, Link>,
    next: u64,
    inbox: Inbox,
}

impl Links {
    pub fn new(inbox: Inbox) -> Self {
        Self {
            links: HashMap::new(),
            next: 1,
            inbox,
        }
    }

    /// Dials; what comes at once instead of an answer is handed back.
    pub fn dial(&mut self, token: Token, to: &DialTo) -> Option<Input<'static, Command>> {
        let hint = match to {
            DialTo::Hint(bytes) => RelayHint::parse(bytes).ok(),
            // A page has no UDP.
            DialTo::Relay { .. } => None,
        };
        if let Some(hint) = hint
            && let Some(link) = self.prepared(token)
        {
            return self.dial_prepared(link, token, hint);
        }
        let link = LinkId(self.next);
        let dialled = hint.and_then(|hint| open(&self.inbox, link, token, hint));
        match dialled {
            Some(dialled) => {
                self.next += 1;
                self.links.insert(link, dialled);
                None
            }
            None => Some(dial_failed(token, DialError::Unsupported)),
        }
    }

    /// Prepares a dial to which the relay at the other end of a link is to lead: that relay tells
    /// the browser its address.
    pub fn prepare(&mut self, token: Token, by: LinkId) -> Option<Input<'static, Command>> {
        let door = self.links.get(&by).and_then(|link| link.hint);
        let link = LinkId(self.next);
        match door.and_then(|door| prepare(&self.inbox, link, token, &door)) {
            Some(prepared) => {
                self.next += 1;
                self.links.insert(link, prepared);
                None
            }
            None => Some(Input::Prepared {
                token,
                ports: Vec::new(),
            }),
        }
    }

    fn prepared(&self, wanted: Token) -> Option<LinkId> {
        let is_it = |link: &Link| matches!(link.state, State::Prepared(token) if token == wanted);
        let found = self.links.iter().find(|(_, link)| is_it(link));
        found.map(|(link, _)| *link)
    }

    fn dial_prepared(
        &mut self,
        link: LinkId,
        token: Token,
        hint: RelayHint,
    ) -> Option<Input<'static, Command>> {
        let found = self.links.get_mut(&link)?;
        found.state = State::Dialling(token);
        found.hint = Some(hint);
        found.timer.set(DIAL_MS);
        let (tell, connection) = (self.inbox.clone(), found.connection.clone());
        let offer = offer_of(&connection);
        spawn_local(async move {
            let answered = answer(&connection, &offer, &hint).await;
            tell.put(Happened::Link(link, described(answered)));
        });
        None
    }

    /// Addresses that are not known by now are not waited for.
    fn on_gathered(&mut self, link: LinkId) -> Option<Input<'static, Command>> {
        let found = self.links.get_mut(&link)?;
        let State::Preparing(token) = found.state else {
            return None;
        };
        found.state = State::Prepared(token);
        found.timer.set(DIAL_MS);
        let ports = sdp::ports(&offer_of(&found.connection));
        Some(Input::Prepared { token, ports })
    }

    /// Sends one frame; a link that cannot take it is closed.
    pub fn send(&mut self, link: LinkId, bytes: &[u8]) -> Option<Input<'static, Command>> {
        let found = self.links.get_mut(&link)?;
        if !matches!(found.state, State::Up) {
            return None;
        }
        let queued = found.channel.buffered_amount();
        let fits = bytes.len() <= FRAME_BYTES_MAX && queued < QUEUE_BYTES_MAX;
        if !fits || found.channel.send_with_u8_array(bytes).is_err() {
            return self.end(link);
        }
        let full = found.channel.buffered_amount() > QUEUE_HIGH_BYTES;
        if full && !found.congested {
            found.congested = true;
            let congested = true;
            return Some(Input::LinkCongested { link, congested });
        }
        None
    }

    /// Closes a link after what was sent before has left.
    pub fn close(&mut self, link: LinkId) -> Option<Input<'static, Command>> {
        let found = self.links.get_mut(&link)?;
        if !matches!(found.state, State::Up) {
            return None;
        }
        found.state = State::Closing;
        found.channel.set_onmessage(None);
        found.channel.close();
        found.timer.set(FLUSH_MS);
        Some(Input::LinkDown { link })
    }

    /// Ends all links at once.
    pub fn end_all(&mut self) -> Vec<Input<'static, Command>> {
        let all: Vec<LinkId> = self.links.keys().copied().collect();
        all.into_iter().filter_map(|link| self.end(link)).collect()
    }

    /// What an event means to the node. Late ones of links that are gone mean nothing.
    pub fn on(&mut self, link: LinkId, event: LinkEvent) -> Option<Input<'static, Command>> {
        let found = self.links.get_mut(&link)?;
        match event {
            LinkEvent::Described(certificate) => {
                found.certificate = Some(certificate);
                None
            }
            LinkEvent::Opened => self.on_opened(link),
            LinkEvent::Gathered => self.on_gathered(link),
            LinkEvent::TimedOut if matches!(found.state, State::Preparing(_)) => {
                self.on_gathered(link)
            }
            LinkEvent::Drained => {
                let congested = false;
                let told = std::mem::replace(&mut found.congested, congested);
                told.then_some(Input::LinkCongested { link, congested })
            }
            LinkEvent::Undescribed => self.give_up(link, DialError::Unsupported),
            LinkEvent::Failed if reached(found) => self.give_up(link, DialError::WrongCertificate),
            LinkEvent::Failed | LinkEvent::Closed | LinkEvent::TimedOut => {
                self.give_up(link, DialError::NoAnswer)
            }
            LinkEvent::Foul => self.end(link),
            // The driver has taken it: it borrows the bytes.
            LinkEvent::Message(_) => None,
        }
    }

    /// Whether frames of this link go to the node.
    pub fn is_up(&self, link: LinkId) -> bool {
        matches!(self.links.get(&link), Some(found) if matches!(found.state, State::Up))
    }

    fn on_opened(&mut self, link: LinkId) -> Option<Input<'static, Command>> {
        let found = self.links.get_mut(&link)?;
        let State::Dialling(token) = found.state else {
            return None;
        };
        let Some((certificate, hint)) = found.certificate.zip(found.hint) else {
            return self.give_up(link, DialError::Unsupported);
        };
        found.state = State::Up;
        found.timer.clear();
        Some(Input::LinkUp {
            link,
            dialled: Some(token),
            from: Origin::default(),
            binding: sha256(&[b"wm-bind", &certificate, &hint.certificate]),
        })
    }

    /// Ends a link; a dial that came to nothing failed for this reason.
    fn give_up(&mut self, link: LinkId, error: DialError) -> Option<Input<'static, Command>> {
        let gone = self.links.remove(&link)?;
        match gone.state {
            State::Preparing(token) => Some(Input::Prepared {
                token,
                ports: Vec::new(),
            }),
            State::Dialling(token) => Some(dial_failed(token, error)),
            State::Up => Some(Input::LinkDown { link }),
            State::Prepared(_) | State::Closing => None,
        }
    }

    fn end(&mut self, link: LinkId) -> Option<Input<'static, Command>> {
        self.give_up(link, DialError::NoAnswer)
    }
}

fn dial_failed(token: Token, error: DialError) -> Input<'static, Command> {
    Input::DialFailed { token, error }
}

/// Packets get through, so a failure is the certificate's.
fn reached(link: &Link) -> bool {
    matches!(
        link.connection.ice_connection_state(),
        RtcIceConnectionState::Connected | RtcIceConnectionState::Completed
    )
}

fn open(inbox: &Inbox, link: LinkId, token: Token, hint: RelayHint) -> Option<Link> {
    let connection = RtcPeerConnection::new().ok()?;
    let mut opened = begin(inbox, link, State::Dialling(token), connection);
    let (tell, connection) = (inbox.clone(), opened.connection.clone());
    spawn_local(async move {
        let answered = match offer(&connection).await {
            Ok(text) => answer(&connection, &text, &hint).await,
            Err(error) => Err(error),
        };
        tell.put(Happened::Link(link, described(answered)));
    });
    opened.timer.set(DIAL_MS);
    opened.hint = Some(hint);
    Some(opened)
}

/// The browser's own offer, and which addresses it has as the relay `door` sees it.
fn prepare(inbox: &Inbox, link: LinkId, token: Token, door: &RelayHint) -> Option<Link> {
    let server = RtcIceServer::new();
    server.set_urls(&format!("stun:{}", door.address_text()).into());
    let configuration = RtcConfiguration::new();
    configuration.set_ice_servers(&Array::of1(&server));
    let connection = RtcPeerConnection::new_with_configuration(&configuration).ok()?;
    let mut opened = begin(inbox, link, State::Preparing(token), connection);
    let (tell, watched) = (inbox.clone(), opened.connection.clone());
    let gathered = Closure::<dyn FnMut()>::new(move || {
        if watched.ice_gathering_state() == RtcIceGatheringState::Complete {
            tell.put(Happened::Link(link, LinkEvent::Gathered));
        }
    });
    let call = gathered.as_ref().unchecked_ref();
    opened.connection.set_onicegatheringstatechange(Some(call));
    opened.calls.plain.push(gathered);
    let (tell, connection) = (inbox.clone(), opened.connection.clone());
    spawn_local(async move {
        if offer(&connection).await.is_err() {
            tell.put(Happened::Link(link, LinkEvent::Undescribed));
        }
    });
    opened.timer.set(GATHER_MS);
    Some(opened)
}

/// A connection with the one channel of a link.
fn begin(inbox: &Inbox, link: LinkId, state: State, connection: RtcPeerConnection) -> Link {
    let options = RtcDataChannelInit::new();
    options.set_ordered(true);
    let channel = connection.create_data_channel_with_data_channel_dict(LABEL, &options);
    channel.set_binary_type(RtcDataChannelType::Arraybuffer);
    channel.set_buffered_amount_low_threshold(QUEUE_LOW_BYTES);
    let calls = listen(inbox, link, &connection, &channel);
    let late = inbox.clone();
    Link {
        state,
        connection,
        channel,
        hint: None,
        certificate: None,
        congested: false,
        timer: Timer::new(move || late.put(Happened::Link(link, LinkEvent::TimedOut))),
        calls,
    }
}

/// The browser's own offer, unmodified, is set and handed back.
async fn offer(connection: &RtcPeerConnection) -> Result<String, JsValue> {
    let offer = JsFuture::from(connection.create_offer()).await?;
    let text = Reflect::get(&offer, &"sdp".into())?
        .as_string()
        .unwrap_or_default();
    JsFuture::from(connection.set_local_description(offer.unchecked_ref())).await?;
    Ok(text)
}

/// The offer that was set, with the addresses found out since.
fn offer_of(connection: &RtcPeerConnection) -> String {
    let offer = connection.local_description();
    offer.map(|offer| offer.sdp()).unwrap_or_default()
}

/// Sets the relay's made-up answer; gives the hash of this side's certificate.
async fn answer(
    connection: &RtcPeerConnection,
    offer: &str,
    hint: &RelayHint,
) -> Result<Option<[u8; 32]>, JsValue> {
    let Some(text) = sdp::answer_from_hint(offer, hint) else {
        return Ok(None);
    };
    let answer = RtcSessionDescriptionInit::new(RtcSdpType::Answer);
    answer.set_sdp(&text);
    JsFuture::from(connection.set_remote_description(&answer)).await?;
    Ok(sdp::fingerprint(offer))
}

fn described(answered: Result<Option<[u8; 32]>, JsValue>) -> LinkEvent {
    match answered {
        Ok(Some(certificate)) => LinkEvent::Described(certificate),
        Ok(None) | Err(_) => LinkEvent::Undescribed,
    }
}

fn listen(
    inbox: &Inbox,
    link: LinkId,
    connection: &RtcPeerConnection,
    channel: &RtcDataChannel,
) -> Calls {
    let plain = |event: fn() -> LinkEvent| {
        let inbox = inbox.clone();
        Closure::<dyn FnMut()>::new(move || inbox.put(Happened::Link(link, event())))
    };
    let opened = plain(|| LinkEvent::Opened);
    let closed = plain(|| LinkEvent::Closed);
    let drained = plain(|| LinkEvent::Drained);
    channel.set_onopen(Some(opened.as_ref().unchecked_ref()));
    channel.set_onclose(Some(closed.as_ref().unchecked_ref()));
    channel.set_onbufferedamountlow(Some(drained.as_ref().unchecked_ref()));

    let (tell, watched) = (inbox.clone(), connection.clone());
    let changed = Closure::<dyn FnMut()>::new(move || match watched.connection_state() {
        RtcPeerConnectionState::Failed | RtcPeerConnectionState::Closed => {
            tell.put(Happened::Link(link, LinkEvent::Failed));
        }
        _ => {}
    });
    connection.set_onconnectionstatechange(Some(changed.as_ref().unchecked_ref()));

    let tell = inbox.clone();
    let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        tell.put(Happened::Link(link, read(&event)));
    });
    channel.set_onmessage(Some(message.as_ref().unchecked_ref()));
    Calls {
        plain: vec![opened, closed, drained, changed],
        _message: message,
    }
}

fn read(event: &MessageEvent) -> LinkEvent {
    match event.data().dyn_into::<ArrayBuffer>() {
        Ok(data) if data.byte_length() as usize <= FRAME_BYTES_MAX => {
            LinkEvent::Message(Uint8Array::new(&data).to_vec())
        }
        _ => LinkEvent::Foul,
    }
}
