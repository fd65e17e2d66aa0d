//! What a relay is told at its start, and what it tells about itself.

use crate::crypto::SigningKey;
use crate::io::StoreError;
use crate::limits;
use crate::range::SCAN_WIDER_BITS;

/// How a relay behaves. All but the key and the network have sensible values in
/// [`RelayConfig::new`].
#[derive(Debug)]
pub struct RelayConfig {
    /// Signs Welcome and receipts; its public half is in the relay's hint.
    pub node_key: SigningKey,
    /// SHA-256 of the certificate of its links.
    pub certificate: [u8; 32],
    /// Whether browsers reach it (WebRTC).
    pub browsers: bool,
    /// See [`crate::object::network_id`].
    pub network: u32,
    /// 1 in production; test networks divide the work by it.
    pub work_divisor: u64,
    /// The least effort taken.
    pub effort_floor: u8,
    /// By how much it is raised, for clients' puts, while room is short.
    pub floor_raised_max: u8,
    pub store_objects_max: u64,
    /// Headers and bodies.
    pub store_bytes_max: u64,
    /// Of this, what may come in an hour when it is half full. `None`: one part in 128.
    pub hour_bytes_max: Option<u64>,
    /// A range that more relays keep is halved.
    pub swarm_relays_max: usize,
    /// Bits by which the range of headers is wider than that of bodies. Accounts and relays of a
    /// network must have the same.
    pub scan_wider_bits: u8,
    pub links_max: usize,
    pub links_per_address_max: usize,
    pub links_per_network_max: usize,
}

impl RelayConfig {
    pub fn new(node_key: SigningKey, network: u32) -> Self {
        RelayConfig {
            node_key,
            certificate: [0; 32],
            browsers: true,
            network,
            work_divisor: 1,
            effort_floor: 0,
            floor_raised_max: limits::FLOOR_RAISED_MAX,
            store_objects_max: limits::STORE_OBJECTS_DEFAULT,
            store_bytes_max: limits::STORE_BYTES_DEFAULT,
            hour_bytes_max: None,
            swarm_relays_max: limits::SWARM_RELAYS_MAX,
            scan_wider_bits: SCAN_WIDER_BITS,
            links_max: limits::LINKS_MAX,
            links_per_address_max: limits::LINKS_PER_ADDRESS_MAX,
            links_per_network_max: limits::LINKS_PER_NETWORK_MAX,
        }
    }
}

/// Whether a relay serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Rebuilding its indexes from the store. Links wait for their Welcome.
    #[default]
    Starting,
    Running,
    /// It will not serve; nothing in the store was changed.
    Failed(StartError),
}

/// Why a relay does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The store was written by another version of this program. Update it, or use another
    /// directory.
    UnknownSchema {
        found: u32,
    },
    /// The store belongs to another network. Use another directory.
    OtherNetwork {
        found: u32,
    },
    Store(StoreError),
}

impl core::fmt::Display for StartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            StartError::UnknownSchema { found } => write!(
                f,
                "the store has schema {found}, which this version does not know. Nothing was \
                 changed. Use the newer version that wrote it, or another directory."
            ),
            StartError::OtherNetwork { found } => write!(
                f,
                "the store belongs to another network ({found:08x}). Nothing was changed. \
                 Use another directory for this network."
            ),
            StartError::Store(StoreError::Full) => {
                f.write_str("the disk is full. What is stored is safe. Make room and start again.")
            }
            StartError::Store(StoreError::Unavailable | StoreError::Emptied) => f.write_str(
                "the store can't be read. It was not changed. See that no other relay uses it.",
            ),
        }
    }
}

impl core::error::Error for StartError {}

/// A relay's numbers at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub state: State,
    pub objects: u64,
    /// Of these, records.
    pub records: u64,
    /// Of the objects, those whose bodies others keep.
    pub headers: u64,
    /// Headers and bodies.
    pub bytes: u64,
    pub links: usize,
    /// Links with a Watch.
    pub watches: usize,
    /// Links to other relays.
    pub peers: usize,
    /// Other relays that it only heard of.
    pub known_new: usize,
    /// Other relays that a link proved.
    pub known_tried: usize,
    /// Objects on their way to the store.
    pub saving: usize,
    /// Reads of the store under way.
    pub reading: usize,
}
