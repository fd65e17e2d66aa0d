//! Bounds of an account, each named with its unit last.

/// Messages to one contact that are on their way.
pub const OUTGOING_MAX: usize = 256;
/// Puts without an answer on one link.
pub const PUTS_UNDER_WAY_MAX: usize = 8;
/// How far one message may push the order of a conversation.
pub const ORDER_STEP_MAX: u64 = 10_000;
/// Of what another device says; whoever is told of it can go on from there.
pub const ORDER_MAX: u64 = 1 << 62;
/// Times an object is made anew because a relay refused it.
pub const REMAKES_MAX: u32 = 8;
pub use shared::limits::EFFORT_ASKED_MAX;

/// Contacts of an account.
pub const CONTACTS_MAX: usize = 2_048;
/// Invitations that are open.
pub const INVITES_MAX: usize = 64;
/// Acknowledgements owed to one contact that are remembered.
pub const OWED_MAX: usize = 512;
/// The same for what made pairs.
pub const OWED_ANYWAY_MAX: usize = 8;
/// Mean time between the moments at which acknowledgements leave, ms.
pub const TICK_MS_MEAN: u64 = 20_000;
/// The same for a while after greeting or accepting.
pub const FAST_TICK_MS_MEAN: u64 = 700;
pub const FAST_MS: u64 = 120_000;
/// Mean time between two looks at whether a relay still has what it listed, ms.
pub const AUDIT_MS_MEAN: u64 = 600_000;
/// A relay that is watched lists what it has stored within this time.
pub const LISTS_WITHIN_MS: u64 = 60_000;
/// What each relay listed last is remembered, so many objects.
pub const LISTED_MAX: usize = 4_096;
/// After so many looks in a row at which a relay had lost something it is not relied on.
pub const PROMISES_BROKEN_MAX: u8 = 3;
/// What a relay stored so lately is not put to it again on a new link.
pub const STORED_LATELY_MS: u64 = 600_000;
/// The same for records that live for half a year.
pub const RECORD_STORED_LATELY_MS: u64 = 24 * 3_600_000;
/// Mean time between two looks at whether an invitation that was answered still stands, ms.
pub const AGAIN_MS_MEAN: u64 = 6 * 3_600_000;
/// Hours, the one that has begun included, from a tombstone to the word that a greeting is too
/// late: of a single use, the acceptance may come after it.
pub const TOO_LATE_HOURS: u32 = 2;
/// Hours for which an acceptance sealed anew is taken after the invitation has ended.
pub const ACCEPTANCE_HOURS_MAX: u32 = 336;
/// A device heard from so lately may live when another one comes back in its place.
pub const HEARD_LATELY_MS: u64 = 7 * 24 * 3_600_000;
/// Then what is written waits that long, if nobody confirms that it is them.
pub const CONFIRM_MS: u64 = 72 * 3_600_000;
/// Relays that an account holds links to, if it knows of so many.
pub const RELAYS_HELD: usize = 3;
/// The same for what its invitations' mailboxes are in.
pub const RELAYS_OF_INVITES: usize = 2;
/// Parts of the network in which one mailbox is read; a power of two.
pub const PARTS_MAX: usize = 4;
/// How long a mailbox is read as wide as it was told: an invitation and a message live no longer.
pub const READ_WIDE_HOURS: u32 = 720 + 48 + 2;
/// Relays heard of and not in use.
pub const NAMED_MAX: usize = 64;
/// Of these, those that are saved.
pub const NAMED_KEPT: usize = 16;
/// Relays asked for at once.
pub const RELAYS_NAMED_MAX: u8 = 16;
/// Lookups that wait for an answer, or for their turn. All contacts' keys, and more.
pub const LOOKUPS_MAX: usize = 4_096;
/// Contacts, those written with last, whose records are looked up before anything waits for them
/// where that is more than one question to each relay.
pub const EAGER_MAX: usize = 16;
/// Finds under way on a link.
pub const FINDS_UNDER_WAY_MAX: usize = 8;
/// Records found for lookups whose answers are not complete, bytes.
pub const FOUND_BYTES_MAX: usize = 64 << 20;
/// Messages in one answer to `History`.
pub const HISTORY_MAX: u32 = 100;
/// From one time that it is written down what was read to the next, ms.
pub const READ_MARK_MS: u64 = 10_000;
