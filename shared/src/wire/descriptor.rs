//! What a relay says of itself: where it is found, how it proves itself. PROTOCOL.md section 12.
//!
//! Invariant: a `Descriptor` that was read from an object has a good signature under its node key.

use super::codec::{Malformed, Reader, Writer};
use super::header::{Front, Header, Kind, Lifetime, SizeClass};
use crate::crypto::{PublicKey, SigningKey, sha256};
use crate::range::{Range, position};
use crate::time::Millis;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

/// Bytes of a descriptor's body.
pub const DESCRIPTOR_BYTES: usize = 1024;
/// Where the signature begins.
const SIGNATURE_AT: usize = DESCRIPTOR_BYTES - 64;
/// Addresses of one relay.
pub const ADDRESSES_MAX: usize = 4;

/// A relay, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    pub node_key: [u8; 32],
    /// SHA-256 of the certificate of its links.
    pub certificate: [u8; 32],
    /// Seconds since 1970 when it was made; of two the higher counts.
    pub version: u64,
    /// Of its range, 32 at most: see [`Descriptor::range`].
    pub bits: u8,
    /// The least effort it takes.
    pub effort_floor: u8,
    /// Takes links of browsers (WebRTC) at its addresses.
    pub browsers: bool,
    /// At most [`ADDRESSES_MAX`], the best first. None: it dials, and cannot be dialled.
    pub addresses: Vec<SocketAddr>,
}

impl Descriptor {
    /// The object's header, still without work, and its body.
    pub fn sign(&self, key: &SigningKey, now: Millis, network: u32) -> (Header, Vec<u8>) {
        let (address, tag) = place(&self.node_key);
        let front = Front {
            address,
            ..Front::from_now(
                now,
                Kind::Descriptor,
                SizeClass::KIB_1,
                Lifetime::H168,
                network,
            )
        };
        let mut body = self.fields();
        let signature = key.sign(&[b"wm-descriptor", &front.encode(), &body]);
        body.extend_from_slice(&signature);
        (front.header(tag, &body), body)
    }

    /// Reads and verifies what [`crate::object::admit`] let through.
    pub fn read(header: &Header, body: &[u8]) -> Result<Self, Malformed> {
        if header.kind != Kind::Descriptor || header.lifetime != Lifetime::H168 {
            return Err(Malformed);
        }
        let (signed, signature) = body.split_at_checked(SIGNATURE_AT).ok_or(Malformed)?;
        let signature: &[u8; 64] = signature.try_into().map_err(|_| Malformed)?;
        let descriptor = Self::parse(signed)?;
        if (header.address, header.tag) != place(&descriptor.node_key) {
            return Err(Malformed);
        }
        let key = PublicKey::from_bytes(&descriptor.node_key).map_err(|_| Malformed)?;
        key.verify(
            &[b"wm-descriptor", &header.front.encode(), signed],
            signature,
        )
        .map_err(|_| Malformed)?;
        Ok(descriptor)
    }

    /// The version that a body says, unverified.
    pub fn version_of(body: &[u8]) -> Option<u64> {
        let version = body.get(64..)?.first_chunk()?;
        Some(u64::from_le_bytes(*version))
    }

    /// Where it belongs: by the day on which it was made, as its header says.
    pub fn position(&self, header: &Front) -> u32 {
        let made = header.expiry.saturating_sub(header.lifetime.hours() + 1);
        let first = self.addresses.first();
        position(header.network, first, &self.node_key, made / 24)
    }

    /// Whose bodies it keeps.
    pub fn range(&self, header: &Front) -> Range {
        Range::of(self.position(header), self.bits)
    }

    fn parse(signed: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(signed);
        let node_key = r.array()?;
        let certificate = r.array()?;
        let version = r.u64()?;
        let bits = r.u8()?;
        let effort_floor = r.u8()?;
        let flags = r.u8()?;
        let count = usize::from(r.u8()?);
        if bits > 32 || flags > 1 || count > ADDRESSES_MAX {
            return Err(Malformed);
        }
        let mut addresses = Vec::with_capacity(ADDRESSES_MAX);
        for _ in 0..count {
            addresses.push(read_address(&mut r)?);
        }
        if r.rest().iter().any(|byte| *byte != 0) {
            return Err(Malformed);
        }
        Ok(Descriptor {
            node_key,
            certificate,
            version,
            bits,
            effort_floor,
            browsers: flags == 1,
            addresses,
        })
    }

    fn fields(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(DESCRIPTOR_BYTES);
        w.bytes(&self.node_key)
            .bytes(&self.certificate)
            .u64(self.version)
            .u8(self.bits)
            .u8(self.effort_floor)
            .u8(self.browsers.into());
        let addresses = self.addresses.get(..ADDRESSES_MAX);
        let addresses = addresses.unwrap_or(&self.addresses);
        w.u8(addresses.len() as u8);
        for address in addresses {
            write_address(&mut w, address);
        }
        w.0.resize(SIGNATURE_AT, 0);
        w.0
    }
}

/// Address and tag of a relay's descriptor: the first 20 bytes of H("wm-desc-addr" || node key).
pub fn place(node_key: &[u8; 32]) -> (u32, [u8; 16]) {
    let hash = sha256(&[b"wm-desc-addr", node_key]);
    let mut address = [0; 4];
    let mut tag = [0; 16];
    address.copy_from_slice(&hash[..4]);
    tag.copy_from_slice(&hash[4..20]);
    (u32::from_le_bytes(address), tag)
}

/// `4 or 6 u8 | address[4 or 16] | port u16`, the port not 0.
pub fn read_address(r: &mut Reader<'_>) -> Result<SocketAddr, Malformed> {
    let ip = read_ip(r)?;
    match r.u16()? {
        0 => Err(Malformed),
        port => Ok(SocketAddr::new(ip, port)),
    }
}

/// As [`read_address`] reads it.
pub fn write_address<'w>(w: &'w mut Writer, address: &SocketAddr) -> &'w mut Writer {
    write_ip(w, address.ip()).u16(address.port())
}

/// `4 or 6 u8 | address[4 or 16]`.
pub fn read_ip(r: &mut Reader<'_>) -> Result<IpAddr, Malformed> {
    match r.u8()? {
        4 => Ok(IpAddr::from(r.array::<4>()?)),
        6 => Ok(IpAddr::from(r.array::<16>()?)),
        _ => Err(Malformed),
    }
}

/// As [`read_ip`] reads it.
pub fn write_ip(w: &mut Writer, ip: IpAddr) -> &mut Writer {
    match ip {
        IpAddr::V4(ip) => w.u8(4).bytes(&ip.octets()),
        IpAddr::V6(ip) => w.u8(6).bytes(&ip.octets()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::vec;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[3; 32])
    }

    fn sample() -> Descriptor {
        Descriptor {
            node_key: *key().public().as_bytes(),
            certificate: [7; 32],
            version: 1_795_392_000,
            bits: 15,
            effort_floor: 2,
            browsers: true,
            addresses: vec![
                "192.0.2.7:8420".parse().unwrap(),
                "[2001:db8::7]:8421".parse().unwrap(),
            ],
        }
    }

    #[test]
    fn round_trip() {
        let (header, body) = sample().sign(&key(), 1_795_392_000_000, 9);
        assert_eq!(body.len(), DESCRIPTOR_BYTES);
        assert_eq!(Descriptor::read(&header, &body), Ok(sample()));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let (header, body) = sample().sign(&key(), 1_795_392_000_000, 9);
        for at in 0..body.len() {
            let mut changed = body.clone();
            changed[at] ^= 1;
            assert_eq!(Descriptor::read(&header, &changed), Err(Malformed), "{at}");
        }
        let mut elsewhere = header;
        elsewhere.front.address ^= 1;
        assert_eq!(Descriptor::read(&elsewhere, &body), Err(Malformed));
        let mut later = header;
        later.front.expiry += 1;
        assert_eq!(Descriptor::read(&later, &body), Err(Malformed));
        for n in 0..body.len() {
            assert_eq!(Descriptor::read(&header, &body[..n]), Err(Malformed));
        }
    }

    #[test]
    fn fields_outside_their_range_are_refused_though_signed() {
        let refused = |change: fn(&mut Descriptor)| {
            let mut bad = sample();
            change(&mut bad);
            let (header, body) = bad.sign(&key(), 1_795_392_000_000, 9);
            Descriptor::read(&header, &body).is_err()
        };
        assert!(refused(|d| d.bits = 33));
        assert!(refused(|d| d.addresses[0].set_port(0)));
        assert!(refused(|d| d.node_key = [0; 32]));
        assert!(!refused(|d| d.addresses.clear()));
        // One too many is left out.
        assert!(!refused(|d| d.addresses = vec![d.addresses[0]; 5]));
    }
}
