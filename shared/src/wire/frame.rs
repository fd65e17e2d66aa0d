//! The messages of a link. PROTOCOL.md section 3, the table of frames.
//!
//! Invariant: a frame borrows from the bytes it was parsed from; what parses encodes to the same
//! bytes.

use super::codec::{Malformed, Reader, Writer};
use super::descriptor::{DESCRIPTOR_BYTES, read_address, read_ip, write_address, write_ip};
use super::header::HEADER_BYTES;
use super::receipt::Receipt;
use super::scan::{Records, SCAN_RECORD_BYTES, ScanRecord, records};
use crate::limits::{
    BODY_BYTES_MAX, FRAME_BYTES_MAX, HAVE_HEADERS_MAX, OFFERED_PORTS_MAX, PREFIX_BITS_MAX,
    RECONCILE_BYTES_MAX, SALTED_BYTES, WANT_IDS_MAX,
};
use crate::range::Range;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

/// The version in Hello and Welcome.
pub const LINK_VERSION: u8 = 1;

/// A relay's answer to Hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    pub version: u8,
    pub network: u32,
    pub node_key: [u8; 32],
    /// The relay's clock, Unix milliseconds.
    pub time: u64,
    pub effort_floor: u8,
    /// In its range.
    pub live_records: u32,
    /// Whose bodies it keeps.
    pub range: Range,
    pub signature: [u8; 64],
}

impl Welcome {
    /// All fields before the signature, as signed.
    pub fn signed_fields(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(56);
        w.u8(self.version)
            .u32(self.network)
            .bytes(&self.node_key)
            .u64(self.time);
        w.u8(self.effort_floor)
            .u32(self.live_records)
            .u8(self.range.bits())
            .u32(self.range.prefix());
        w.0
    }
}

/// One frame without its request number. Fields in their order on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    Hello {
        version: u8,
        network: u32,
        nonce: [u8; 32],
    },
    Welcome(Welcome),
    Bye {
        reason: u8,
    },
    Ping {
        echo: u64,
    },
    Pong {
        echo: u64,
    },
    /// The dialler is a relay too: its descriptor, and its signature over this link.
    Peer {
        header: &'a [u8; HEADER_BYTES],
        body: &'a [u8; DESCRIPTOR_BYTES],
        signature: [u8; 64],
    },
    /// The listener takes it as a peer: its own descriptor.
    Peered {
        header: &'a [u8; HEADER_BYTES],
        body: &'a [u8; DESCRIPTOR_BYTES],
    },
    /// An object for a peer, which answers nothing.
    Push {
        header: &'a [u8; HEADER_BYTES],
        body: &'a [u8],
    },
    /// Headers of objects that the sender stores.
    Have {
        headers: &'a [[u8; HEADER_BYTES]],
    },
    /// Push these.
    Want {
        ids: &'a [[u8; 32]],
    },
    /// The relay lost its store: say what you have.
    Ask,
    /// What a relay asks of puts has changed since its Welcome.
    Floor {
        effort: u8,
    },
    Put {
        header: &'a [u8; HEADER_BYTES],
        body: &'a [u8],
    },
    Stored {
        receipt: Receipt<'a>,
        /// Who signed it: this relay, or one that the object was passed on to.
        node_key: [u8; 32],
    },
    Refused {
        code: u8,
        detail: u32,
    },
    Scan {
        bucket: u32,
        first: u32,
    },
    ScanPage {
        bucket: u32,
        closed: bool,
        total: u32,
        bytes: u64,
        first: u32,
        records: Records<'a>,
    },
    Get {
        bucket: u32,
        bits: u8,
        prefix: u64,
    },
    Object {
        bucket: u32,
        header: &'a [u8; HEADER_BYTES],
        body: &'a [u8],
    },
    End {
        count: u32,
    },
    Find {
        bits: u8,
        prefix: u64,
    },
    /// Names of other relays are asked for, this many at most, half of them near an address.
    Relays {
        max: u8,
        near: u32,
    },
    /// A descriptor, one of the answers to Relays.
    Relay {
        header: &'a [u8; HEADER_BYTES],
        body: &'a [u8; DESCRIPTOR_BYTES],
    },
    /// The same, of a peer that is reached by an Offer, whatever addresses it shows.
    Undialled {
        header: &'a [u8; HEADER_BYTES],
        body: &'a [u8; DESCRIPTOR_BYTES],
    },
    /// A link to a peer of this relay is wanted, from these UDP ports, little-endian.
    Offer {
        node_key: [u8; 32],
        ports: &'a [[u8; 2]],
    },
    /// That peer is to be dialled there.
    Answer {
        address: SocketAddr,
    },
    /// A client will dial from there: let it in.
    Open {
        ip: IpAddr,
        ports: &'a [[u8; 2]],
    },
    Watch {
        mode: u8,
    },
    News {
        bucket: u32,
        record: ScanRecord,
    },
    Lagged {
        bucket: u32,
    },
    /// One side's turn of a reconciliation of what lies in a range; the first has the salt that it
    /// chose.
    Reconcile {
        salt: [u8; 16],
        range: Range,
        message: &'a [u8],
    },
    Reconciled {
        message: &'a [u8],
    },
    /// The end of a reconciliation: push these, named by their salted ids.
    Need {
        last: bool,
        salted: &'a [[u8; SALTED_BYTES]],
    },
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Longer than any frame: the link is closed.
    TooLong,
    /// A type of a later version. Types from 0x10 on are requests or answers.
    Unknown { code: u8, request: u32 },
    /// Too few or left-over bytes, or a field outside its range.
    Malformed { request: Option<u32> },
}

impl<'a> Frame<'a> {
    /// The request number and the frame.
    pub fn parse(bytes: &'a [u8]) -> Result<(u32, Frame<'a>), FrameError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong);
        }
        let mut r = Reader::new(bytes);
        let no_request = |_| FrameError::Malformed { request: None };
        let code = r.u8().map_err(no_request)?;
        let request = r.u32().map_err(no_request)?;
        let malformed = |_| FrameError::Malformed {
            request: Some(request),
        };
        match Self::fields(code, &mut r).map_err(malformed)? {
            None => Err(FrameError::Unknown { code, request }),
            Some(frame) => {
                r.end().map_err(malformed)?;
                Ok((request, frame))
            }
        }
    }

    fn fields(code: u8, r: &mut Reader<'a>) -> Result<Option<Frame<'a>>, Malformed> {
        Ok(Some(match code {
            0x01 => Frame::Hello {
                version: r.u8()?,
                network: r.u32()?,
                nonce: r.array()?,
            },
            0x02 => Frame::Welcome(Welcome {
                version: r.u8()?,
                network: r.u32()?,
                node_key: r.array()?,
                time: r.u64()?,
                effort_floor: r.u8()?,
                live_records: r.u32()?,
                range: range(r)?,
                signature: r.array()?,
            }),
            0x03 => Frame::Bye { reason: r.u8()? },
            0x04 => Frame::Ping { echo: r.u64()? },
            0x05 => Frame::Pong { echo: r.u64()? },
            0x06 => Frame::Peer {
                header: r.array_ref()?,
                body: r.array_ref()?,
                signature: r.array()?,
            },
            0x07 => Frame::Peered {
                header: r.array_ref()?,
                body: r.array_ref()?,
            },
            0x08 => Frame::Push {
                header: r.array_ref()?,
                body: body(r)?,
            },
            0x09 => Frame::Have {
                headers: list(r, HAVE_HEADERS_MAX)?,
            },
            0x0a => Frame::Want {
                ids: list(r, WANT_IDS_MAX)?,
            },
            0x0b => Frame::Ask,
            0x0c => Frame::Floor { effort: r.u8()? },
            0x10 => Frame::Put {
                header: r.array_ref()?,
                body: body(r)?,
            },
            0x11 => {
                let (receipt, node_key) = Receipt::read(r)?;
                Frame::Stored { receipt, node_key }
            }
            0x12 => Frame::Refused {
                code: r.u8()?,
                detail: r.u32()?,
            },
            0x20 => Frame::Scan {
                bucket: r.u32()?,
                first: r.u32()?,
            },
            0x21 => Frame::ScanPage {
                bucket: r.u32()?,
                closed: flag(r)?,
                total: r.u32()?,
                bytes: r.u64()?,
                first: r.u32()?,
                records: records(r)?,
            },
            0x22 => Frame::Get {
                bucket: r.u32()?,
                bits: bits(r)?,
                prefix: r.u64()?,
            },
            0x23 => Frame::Object {
                bucket: r.u32()?,
                header: r.array_ref()?,
                body: body(r)?,
            },
            0x24 => Frame::End { count: r.u32()? },
            0x25 => Frame::Find {
                bits: bits(r)?,
                prefix: r.u64()?,
            },
            0x26 => Frame::Relays {
                max: r.u8()?,
                near: r.u32()?,
            },
            0x27 => Frame::Relay {
                header: r.array_ref()?,
                body: r.array_ref()?,
            },
            0x28 => Frame::Offer {
                node_key: r.array()?,
                ports: list(r, OFFERED_PORTS_MAX)?,
            },
            0x29 => Frame::Answer {
                address: read_address(r)?,
            },
            0x2a => Frame::Open {
                ip: read_ip(r)?,
                ports: open_ports(r)?,
            },
            0x2b => Frame::Undialled {
                header: r.array_ref()?,
                body: r.array_ref()?,
            },
            0x30 => Frame::Watch {
                mode: flag(r)?.into(),
            },
            0x31 => Frame::News {
                bucket: r.u32()?,
                record: ScanRecord::read(r)?,
            },
            0x32 => Frame::Lagged { bucket: r.u32()? },
            0x40 => Frame::Reconcile {
                salt: r.array()?,
                range: range(r)?,
                message: message(r)?,
            },
            0x41 => Frame::Reconciled {
                message: message(r)?,
            },
            0x42 => Frame::Need {
                last: flag(r)?,
                salted: list_or_none(r, WANT_IDS_MAX)?,
            },
            _ => return Ok(None),
        }))
    }

    /// The frame as sent.
    pub fn encode(&self, request: u32) -> Vec<u8> {
        let mut w = Writer::with_capacity(self.size_hint());
        w.u8(self.code()).u32(request);
        match *self {
            Frame::Hello {
                version,
                network,
                nonce,
            } => w.u8(version).u32(network).bytes(&nonce),
            Frame::Welcome(ref f) => w.bytes(&f.signed_fields()).bytes(&f.signature),
            Frame::Bye { reason: byte } | Frame::Floor { effort: byte } => w.u8(byte),
            Frame::Ping { echo } | Frame::Pong { echo } => w.u64(echo),
            Frame::Peer {
                header,
                body,
                ref signature,
            } => w.bytes(header).bytes(body).bytes(signature),
            Frame::Peered { header, body }
            | Frame::Relay { header, body }
            | Frame::Undialled { header, body } => w.bytes(header).bytes(body),
            Frame::Put { header, body } | Frame::Push { header, body } => {
                w.bytes(header).bytes(body)
            }
            Frame::Have { headers } => w.bytes(headers.as_flattened()),
            Frame::Want { ids } => w.bytes(ids.as_flattened()),
            Frame::Ask => &mut w,
            Frame::Stored {
                ref receipt,
                ref node_key,
            } => receipt.write(&mut w, node_key),
            Frame::Refused { code, detail } => w.u8(code).u32(detail),
            Frame::Scan { bucket, first } => w.u32(bucket).u32(first),
            Frame::ScanPage {
                bucket,
                closed,
                total,
                bytes,
                first,
                records,
            } => w
                .u32(bucket)
                .u8(closed.into())
                .u32(total)
                .u64(bytes)
                .u32(first)
                .bytes(records.0.as_flattened()),
            Frame::Get {
                bucket,
                bits,
                prefix,
            } => w.u32(bucket).u8(bits).u64(prefix),
            Frame::Object {
                bucket,
                header,
                body,
            } => w.u32(bucket).bytes(header).bytes(body),
            Frame::End { count } => w.u32(count),
            Frame::Find { bits, prefix } => w.u8(bits).u64(prefix),
            Frame::Relays { max, near } => w.u8(max).u32(near),
            Frame::Offer {
                ref node_key,
                ports,
            } => w.bytes(node_key).bytes(ports.as_flattened()),
            Frame::Answer { ref address } => write_address(&mut w, address),
            Frame::Open { ip, ports } => write_ip(&mut w, ip).bytes(ports.as_flattened()),
            Frame::Watch { mode } => w.u8(mode),
            Frame::News { bucket, ref record } => w.u32(bucket).bytes(&record.encode()),
            Frame::Lagged { bucket } => w.u32(bucket),
            Frame::Reconcile {
                ref salt,
                range,
                message,
            } => w
                .bytes(salt)
                .u8(range.bits())
                .u32(range.prefix())
                .bytes(message),
            Frame::Reconciled { message } => w.bytes(message),
            Frame::Need { last, salted } => w.u8(last.into()).bytes(salted.as_flattened()),
        };
        w.0
    }

    /// The type byte.
    pub fn code(&self) -> u8 {
        match self {
            Frame::Hello { .. } => 0x01,
            Frame::Welcome(_) => 0x02,
            Frame::Bye { .. } => 0x03,
            Frame::Ping { .. } => 0x04,
            Frame::Pong { .. } => 0x05,
            Frame::Peer { .. } => 0x06,
            Frame::Peered { .. } => 0x07,
            Frame::Push { .. } => 0x08,
            Frame::Have { .. } => 0x09,
            Frame::Want { .. } => 0x0a,
            Frame::Ask => 0x0b,
            Frame::Floor { .. } => 0x0c,
            Frame::Put { .. } => 0x10,
            Frame::Stored { .. } => 0x11,
            Frame::Refused { .. } => 0x12,
            Frame::Scan { .. } => 0x20,
            Frame::ScanPage { .. } => 0x21,
            Frame::Get { .. } => 0x22,
            Frame::Object { .. } => 0x23,
            Frame::End { .. } => 0x24,
            Frame::Find { .. } => 0x25,
            Frame::Relays { .. } => 0x26,
            Frame::Relay { .. } => 0x27,
            Frame::Offer { .. } => 0x28,
            Frame::Answer { .. } => 0x29,
            Frame::Open { .. } => 0x2a,
            Frame::Undialled { .. } => 0x2b,
            Frame::Watch { .. } => 0x30,
            Frame::News { .. } => 0x31,
            Frame::Lagged { .. } => 0x32,
            Frame::Reconcile { .. } => 0x40,
            Frame::Reconciled { .. } => 0x41,
            Frame::Need { .. } => 0x42,
        }
    }

    fn size_hint(&self) -> usize {
        match self {
            Frame::Put { body, .. } | Frame::Push { body, .. } | Frame::Object { body, .. } => {
                body.len() + 96
            }
            Frame::Peer { .. }
            | Frame::Peered { .. }
            | Frame::Relay { .. }
            | Frame::Undialled { .. } => DESCRIPTOR_BYTES + 192,
            Frame::ScanPage { records, .. } => records.len() * SCAN_RECORD_BYTES + 32,
            Frame::Have { headers } => headers.as_flattened().len() + 8,
            Frame::Want { ids } => ids.as_flattened().len() + 8,
            Frame::Need { salted, .. } => salted.as_flattened().len() + 8,
            Frame::Reconcile { message, .. } | Frame::Reconciled { message } => message.len() + 32,
            _ => 128,
        }
    }
}

fn flag(r: &mut Reader<'_>) -> Result<bool, Malformed> {
    match r.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed),
    }
}

/// `bits u8 | prefix u32`, what stands behind the bits zero.
fn range(r: &mut Reader<'_>) -> Result<Range, Malformed> {
    let (bits, prefix) = (r.u8()?, r.u32()?);
    let range = Range::of(prefix, bits);
    if (range.bits(), range.prefix()) == (bits, prefix) {
        Ok(range)
    } else {
        Err(Malformed)
    }
}

fn bits(r: &mut Reader<'_>) -> Result<u8, Malformed> {
    let bits = r.u8()?;
    if bits <= PREFIX_BITS_MAX {
        Ok(bits)
    } else {
        Err(Malformed)
    }
}

fn body<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let body = r.rest();
    if body.len() <= BODY_BYTES_MAX {
        Ok(body)
    } else {
        Err(Malformed)
    }
}

/// Equal parts, to the end of the frame.
fn list_or_none<'a, const N: usize>(
    r: &mut Reader<'a>,
    most: usize,
) -> Result<&'a [[u8; N]], Malformed> {
    let (parts, left) = r.rest().as_chunks();
    if left.is_empty() && parts.len() <= most {
        Ok(parts)
    } else {
        Err(Malformed)
    }
}

fn list<'a, const N: usize>(r: &mut Reader<'a>, most: usize) -> Result<&'a [[u8; N]], Malformed> {
    let parts = list_or_none(r, most)?;
    if parts.is_empty() {
        Err(Malformed)
    } else {
        Ok(parts)
    }
}

/// None of them is 0.
fn open_ports<'a>(r: &mut Reader<'a>) -> Result<&'a [[u8; 2]], Malformed> {
    let ports = list(r, OFFERED_PORTS_MAX)?;
    if ports.contains(&[0, 0]) {
        return Err(Malformed);
    }
    Ok(ports)
}

fn message<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let message = r.rest();
    if message.len() <= RECONCILE_BYTES_MAX {
        Ok(message)
    } else {
        Err(Malformed)
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
