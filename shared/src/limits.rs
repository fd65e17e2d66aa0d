//! Every bound of the wire, of links and of the relay, units last. PROTOCOL.md sections 2 to 4
//! and 12.
//!
//! Invariant: nothing a peer sends sizes an allocation; what can grow names its bound here.

/// The largest frame; a longer one closes the link.
pub const FRAME_BYTES_MAX: usize = 17_408;
/// The smallest body; bodies are this times a power of two.
pub const BODY_BYTES_MIN: usize = 1024;
/// The largest body.
pub const BODY_BYTES_MAX: usize = 16_384;
/// Effort above this is malformed: nobody can do it, and 2^effort must not overflow.
pub const EFFORT_MAX: u8 = 32;
/// Effort that a client does because a relay asks for it: about ten seconds of work for a message.
/// One that asks for more gets nothing, and holds up nothing that others take.
pub const EFFORT_ASKED_MAX: u8 = 8;
/// By how much a relay that is short of room raises its effort floor.
pub const FLOOR_RAISED_MAX: u8 = 8;
/// How far past its lifetime an object's expiry may lie when it arrives.
pub const EXPIRY_SLACK_HOURS: u32 = 2;
/// How long the text of a hint may be before it is decoded.
pub const HINT_TEXT_BYTES_MAX: usize = 128;

/// Scan records in one page.
pub const SCAN_PAGE_RECORDS_MAX: usize = 600;
/// Bits of a prefix in Get and Find.
pub const PREFIX_BITS_MAX: u8 = 64;
/// Requests a link may have unanswered.
pub const REQUESTS_PER_LINK_MAX: usize = 16;
/// Malformed frames that close a link.
pub const MALFORMED_FRAMES_MAX: u8 = 8;

/// Silence after which a side pings.
pub const PING_AFTER_MS: u64 = 20_000;
/// Silence after which the link is dead.
pub const DEAD_AFTER_MS: u64 = 45_000;
/// How long a link may stay congested: its other side speaks and does not read.
pub const CONGESTED_MAX_MS: u64 = 60_000;
/// How long a link may take from opening to a Welcome.
pub const HANDSHAKE_MS: u64 = 10_000;

/// Links of a relay.
pub const LINKS_MAX: usize = 4096;
/// Links from one address (a household behind one NAT, several tabs each).
pub const LINKS_PER_ADDRESS_MAX: usize = 64;
/// Links from one /24 or /48.
pub const LINKS_PER_NETWORK_MAX: usize = 512;

/// Objects a relay keeps unless configured otherwise: about 163 bytes of memory each.
pub const STORE_OBJECTS_DEFAULT: u64 = 1_000_000;
/// Bytes a relay keeps unless configured otherwise, headers included.
pub const STORE_BYTES_DEFAULT: u64 = 4 << 30;
/// Bodies waiting to become durable.
pub const PENDING_BYTES_MAX: usize = 8 << 20;
/// Objects in one batch of saves.
pub const SAVE_BATCH_OBJECTS_MAX: usize = 1024;
/// Bytes of bodies in one batch of saves.
pub const SAVE_BATCH_BYTES_MAX: usize = 2 << 20;
/// Objects that may give way to a single new one.
pub const EVICTED_PER_PUT_MAX: usize = 32;

/// Rows of one page of the scan at start.
pub const START_PAGE_ROWS: u32 = 1024;
/// Reads of the store under way for all links.
pub const READS_MAX: usize = 64;
/// Objects in one read.
pub const READ_OBJECTS_MAX: usize = 16;
/// Bytes of bodies in one read.
pub const READ_BYTES_MAX: usize = 64 * 1024;

/// Pushes kept for links that fall behind.
pub const PUSH_RING_ENTRIES_MAX: usize = 4096;
/// Bytes of bodies kept for links that fall behind.
pub const PUSH_RING_BYTES_MAX: usize = 8 << 20;

/// Objects a client accepts as the answer to one Get or Find.
pub const ANSWER_OBJECTS_MAX: u32 = 65_536;
/// Useless frames of a relay (malformed, unasked for, bad objects) after which a client gives it
/// up.
pub const CLIENT_FAULTS_MAX: u32 = 64;
/// How much a client's idea of the relay's time may be off before it drops an object as
/// implausible.
pub const CLIENT_CLOCK_SLACK_HOURS: u32 = 2;
/// How long a client waits for the next frame of an answer.
pub const ANSWER_AFTER_MS: u64 = 60_000;

/// Peers that a relay dials.
pub const PEERS_DIALLED: usize = 8;
/// Peers that dialled a relay.
pub const PEERS_TAKEN_MAX: usize = 120;
/// Of these, from one public /24 or /48.
pub const PEERS_OF_NETWORK_MAX: usize = 8;
/// Relays that a relay asks a peer to name.
pub const NAMES_ASKED: u8 = 16;
/// Relays named in one answer.
pub const NAMES_MAX: usize = 64;
/// Of these, such as nobody can dial.
pub const NAMES_UNDIALLED_MAX: usize = 2;
/// UDP ports in one Offer.
pub const OFFERED_PORTS_MAX: usize = 2;
/// Offers under way.
pub const OFFERS_MAX: usize = 256;
/// Offers of one source in a minute, so that others find their peers willing.
pub const OFFERS_OF_SOURCE_MAX: u32 = 8;
/// Clients that are let in within a minute: from one address, for one peer, and in all.
pub const OPENS_OF_ADDRESS_MAX: u32 = 4;
pub const OPENS_OF_PEER_MAX: u32 = 20;
pub const OPENS_MAX: u32 = 120;
/// Headers in one Have.
pub const HAVE_HEADERS_MAX: usize = 200;
/// Headers that a client that was asked offers in all, and in one Have.
pub const OFFERED_MAX: usize = 4096;
pub const OFFERED_AT_ONCE: usize = 32;
/// How long a store is asked for after it was made: envelopes live no longer.
pub const YOUNG_STORE_MS: u64 = 48 * 3_600_000;
/// Ids in one Want or Need.
pub const WANT_IDS_MAX: usize = 500;
/// Bytes of a name in a reconciliation.
pub const SALTED_BYTES: usize = 6;
/// Bytes of one turn of a reconciliation.
pub const RECONCILE_BYTES_MAX: usize = 16_384;
/// Turns of one reconciliation.
pub const RECONCILE_TURNS_MAX: u32 = 64;
/// Reconciliations that a relay answers at once.
pub const RECONCILED_AT_ONCE_MAX: usize = 4;
/// Objects asked of peers and not yet pushed, of all peers and of one.
pub const WANTED_MAX: usize = 8192;
pub const WANTED_OF_PEER_MAX: usize = 1000;
/// Objects remembered for an hour because there was no room for them.
pub const DROPPED_MAX: usize = 16_384;
/// Objects waiting to be pushed to a peer.
pub const PUSHES_WAITING_MAX: usize = 200_000;

/// A range is halved when more relays, each in a network group of its own, keep it.
pub const SWARM_RELAYS_MAX: usize = 40;
/// In test networks, no fewer than so many.
pub const SWARM_RELAYS_MIN: usize = 4;
/// How long a relay counts as one of a range after a link proved it.
pub const MEMBER_MS: u64 = 3 * 3_600_000;
/// After how long it is looked for again.
pub const MEMBER_LOOK_MS: u64 = 3_600_000;
/// Dials in vain, in a row, after which it does not count.
pub const MEMBER_FAILURES: u8 = 2;
/// Peers of each other range of which a relay keeps headers.
pub const PEERS_OF_SIBLING: usize = 2;
/// Peers that keep something else altogether.
pub const PEERS_ELSEWHERE: usize = 2;
/// Peers dialled because somebody put or looked for something that they keep.
pub const PEERS_FOR_ERRANDS: usize = 32;
/// Requests that are passed on to other relays at once, and what they carry.
pub const ERRANDS_MAX: usize = 4096;
pub const ERRAND_BYTES_MAX: usize = 8 << 20;
/// Reads that wait for bodies of other relays.
pub const BORROWS_MAX: usize = 64;

/// Buckets of new addresses in an address book.
pub const BOOK_NEW_BUCKETS: u16 = 256;
/// Buckets of tried addresses.
pub const BOOK_TRIED_BUCKETS: u16 = 64;
/// Addresses in one bucket: about 0.7 kB each where a descriptor is known.
pub const BOOK_BUCKET_ENTRIES_MAX: usize = 32;
/// New buckets that what one group tells can reach.
pub const BOOK_BUCKETS_PER_SOURCE: u64 = 16;
/// Tried buckets that the addresses of one group can reach.
pub const BOOK_BUCKETS_PER_GROUP: u64 = 2;
/// Sources by which a new address is held.
pub const BOOK_SOURCES_MAX: usize = 4;
/// Own addresses that are remembered.
pub const BOOK_OWN_ADDRESSES_MAX: usize = 64;
/// Peers that are dialled first at the next start.
pub const BOOK_ANCHORS_MAX: usize = 2;
/// The shortest wait for an address that was dialled; it doubles with each failure.
pub const BOOK_WAIT_MS_MIN: u64 = 60_000;
/// The longest wait.
pub const BOOK_WAIT_MS_MAX: u64 = 24 * 3_600_000;
/// With no answer from any for so long a relay is dark: that others fail says nothing about them.
pub const BOOK_DARK_AFTER_MS: u64 = 600_000;
/// Failures in a row after which a tried address may give way, and after which another relay is
/// taken in its place.
pub const BOOK_FAILURES_DOUBT: u8 = 3;
/// Failures in a row after which an address is dropped.
pub const BOOK_FAILURES_MAX: u8 = 10;
/// A tried address is not dropped before so much time has passed since it was proved.
pub const BOOK_TRIED_KEPT_MS: u64 = 30 * 24 * 3_600_000;
/// How long after a proof a relay is named to others.
pub const BOOK_NAMED_MS: u64 = 7 * 24 * 3_600_000;
/// How far ahead the version of a descriptor may be.
pub const DESCRIPTOR_AHEAD_S: u64 = 2 * 3600;
