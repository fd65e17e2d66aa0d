//! From a relay's frames to replies: each is checked against what was asked.

use super::reply::{LinkFault, Reply, ReqId};
use super::{Asked, ClientLink, What};
use crate::crypto::{PublicKey, sha256};
use crate::limits::{ANSWER_OBJECTS_MAX, CLIENT_CLOCK_SLACK_HOURS, CLIENT_FAULTS_MAX};
use crate::limits::{EXPIRY_SLACK_HOURS, SCAN_PAGE_RECORDS_MAX};
use crate::object::pow;
use crate::time::Now;
use crate::wire::frame::LINK_VERSION;
use crate::wire::header::HEADER_BYTES;
use crate::wire::{
    Bye, Descriptor, Frame, FrameError, Header, Id, Kind, Receipt, Refused, Welcome,
};

/// The bucket before one.
fn before(bucket: u32) -> u32 {
    bucket.saturating_sub(1)
}

impl ClientLink {
    /// What a frame means; an error is the reason to close the link.
    pub fn on_frame<'a>(&mut self, now: Now, bytes: &'a [u8]) -> Result<Reply<'a>, LinkFault> {
        self.now = now;
        self.heard = now.mono;
        self.pinged = false;
        let (request, frame) = match Frame::parse(bytes) {
            Ok(parsed) => parsed,
            Err(FrameError::TooLong) => return Err(LinkFault::Faulty),
            Err(FrameError::Unknown { .. } | FrameError::Malformed { .. }) => {
                return self.drop_it();
            }
        };
        match frame {
            Frame::Bye { reason } => Err(LinkFault::Bye(Bye::from_code(reason))),
            Frame::Ping { echo } => Ok(Reply::Send(Frame::Pong { echo }.encode(request))),
            Frame::Pong { .. } => Ok(Reply::Nothing),
            Frame::Welcome(welcome) if !self.is_open() => self.on_welcome(welcome),
            _ if !self.is_open() => self.drop_it(),
            Frame::Ask => Ok(Reply::Asked),
            Frame::Floor { effort } => Ok(Reply::Floor { effort }),
            Frame::Want { ids } => Ok(Reply::Wanted { ids }),
            _ => self.on_answer(request, frame),
        }
    }

    fn on_welcome<'a>(&mut self, welcome: Welcome) -> Result<Reply<'a>, LinkFault> {
        let version = welcome.version;
        let network = welcome.network;
        if version != LINK_VERSION {
            return Err(LinkFault::WrongVersion { version });
        }
        if welcome.node_key != *self.config.node_key.as_bytes() {
            return Err(LinkFault::WrongKey);
        }
        if network != self.config.network {
            return Err(LinkFault::WrongNetwork { network });
        }
        welcome
            .verify(&self.config.binding, &self.config.nonce)
            .map_err(|_| LinkFault::BadWelcome)?;
        self.welcome = Some((welcome, self.now.mono));
        Ok(Reply::Welcome(welcome))
    }

    /// A frame about a request that is under way, or else dropped.
    fn on_answer<'a>(&mut self, number: u32, frame: Frame<'a>) -> Result<Reply<'a>, LinkFault> {
        let Some(asked) = self.requests.get_mut(&number) else {
            return self.drop_it();
        };
        asked.at = self.now.mono;
        let asked = *asked;
        let request = ReqId(number);
        match frame {
            Frame::Refused { code, detail } => {
                self.requests.remove(&number);
                let why = Refused::from_code(code);
                Ok(Reply::Refused {
                    request,
                    why,
                    detail,
                })
            }
            Frame::Stored { receipt, node_key } => {
                self.on_stored(number, &asked, receipt, node_key)
            }
            Frame::ScanPage { .. } => self.on_page(number, &asked, frame),
            Frame::Object {
                bucket,
                header,
                body,
            } => self.on_object(number, asked, bucket, header, body),
            Frame::End { count } => match asked.what {
                What::Get { .. } | What::Find { .. } | What::Relays { .. } => {
                    self.requests.remove(&number);
                    Ok(Reply::End { request, count })
                }
                _ => Err(LinkFault::BadAnswer),
            },
            Frame::Relay { header, body } => self.on_named(number, asked, (header, body), false),
            Frame::Undialled { header, body } => self.on_named(number, asked, (header, body), true),
            Frame::Answer { address } => match asked.what {
                What::Offer => {
                    self.requests.remove(&number);
                    Ok(Reply::Answered { request, address })
                }
                _ => Err(LinkFault::BadAnswer),
            },
            Frame::News { bucket, record } => {
                self.on_push(number, asked, bucket)?;
                Ok(Reply::News { bucket, record })
            }
            Frame::Lagged { bucket } => {
                self.on_push(number, asked, bucket)?;
                Ok(Reply::Lagged { bucket })
            }
            // What only clients say, and a second Welcome.
            _ => self.drop_it(),
        }
    }

    fn on_stored<'a>(
        &mut self,
        number: u32,
        asked: &Asked,
        receipt: Receipt<'a>,
        by: [u8; 32],
    ) -> Result<Reply<'a>, LinkFault> {
        let request = ReqId(number);
        let keeper = match asked.what {
            What::Put { id, keeper, .. } if id == receipt.id => keeper,
            _ => return Err(LinkFault::BadReceipt),
        };
        // This relay, or one that it showed to keep that range.
        if by != *self.config.node_key.as_bytes() && keeper != Some(by) {
            return Err(LinkFault::BadReceipt);
        }
        // What was signed for together is checked once.
        let signed = (by, receipt.root(), receipt.time, receipt.signature);
        if self.vouched != Some(signed) {
            let key = PublicKey::from_bytes(&by).map_err(|_| LinkFault::BadReceipt)?;
            let checked = receipt.verify(&key);
            checked.map_err(|_| LinkFault::BadReceipt)?;
            self.vouched = Some(signed);
        }
        self.requests.remove(&number);
        Ok(Reply::Stored {
            request,
            receipt,
            by,
        })
    }

    fn on_page<'a>(
        &mut self,
        number: u32,
        asked: &Asked,
        frame: Frame<'a>,
    ) -> Result<Reply<'a>, LinkFault> {
        let Frame::ScanPage {
            bucket,
            closed,
            total,
            bytes,
            first,
            records,
        } = frame
        else {
            return Err(LinkFault::BadAnswer);
        };
        match asked.what {
            What::Scan {
                bucket: b,
                first: f,
            } if (b, f) == (bucket, first) => {}
            _ => return Err(LinkFault::BadAnswer),
        }
        // A page holds what there is, up to its limit: else a client could be kept asking for ever.
        let expected = (total.saturating_sub(first) as usize).min(SCAN_PAGE_RECORDS_MAX);
        if records.len() != expected {
            return Err(LinkFault::BadAnswer);
        }
        self.requests.remove(&number);
        let request = ReqId(number);
        Ok(Reply::ScanPage {
            request,
            bucket,
            closed,
            total,
            bytes,
            first,
            records,
        })
    }

    fn on_object<'a>(
        &mut self,
        number: u32,
        mut asked: Asked,
        at: u32,
        raw: &[u8; HEADER_BYTES],
        body: &'a [u8],
    ) -> Result<Reply<'a>, LinkFault> {
        let Some(header) = self.sound(raw, body) else {
            return self.drop_it();
        };
        let fits = match &mut asked.what {
            What::Watch { whole, bucket, .. } => {
                // Saved in another order than arrived, two may cross the edge of a bucket.
                let fits = *whole && at >= before(*bucket) && header.kind != Kind::Record;
                *bucket = at.max(*bucket);
                fits
            }
            What::Get {
                bucket,
                low,
                last,
                previous,
                count,
            } => {
                let key = header.hash_key();
                let id = header.id();
                let fits = at == *bucket
                    && header.kind != Kind::Record
                    && (*low..=*last).contains(&key)
                    && *previous != Some(id);
                (*low, *previous, *count) = (key, Some(id), *count + 1);
                fits && *count <= ANSWER_OBJECTS_MAX
            }
            What::Find {
                low,
                last,
                previous,
                count,
            } => {
                let fits = header.kind == Kind::Record
                    && (*low..=*last).contains(&header.record_key())
                    && previous.is_none_or(|p| p < (header.address, header.tag));
                (*previous, *count) = (Some((header.address, header.tag)), *count + 1);
                fits && *count <= ANSWER_OBJECTS_MAX
            }
            What::Put { .. } | What::Scan { .. } | What::Relays { .. } | What::Offer => false,
        };
        if !fits {
            return Err(LinkFault::BadAnswer);
        }
        let pushed = matches!(asked.what, What::Watch { .. });
        self.requests.insert(number, asked);
        let request = ReqId(number);
        let bucket = at;
        Ok(if pushed {
            Reply::Pushed {
                bucket,
                header,
                body,
            }
        } else {
            Reply::Object {
                request,
                bucket,
                header,
                body,
            }
        })
    }

    fn on_named<'a>(
        &mut self,
        number: u32,
        asked: Asked,
        (raw, body): (&[u8; HEADER_BYTES], &[u8]),
        undialled: bool,
    ) -> Result<Reply<'a>, LinkFault> {
        if let What::Put { id, address, .. } = asked.what
            && !undialled
        {
            return self.on_keeper(number, asked, (id, address), raw, body);
        }
        let What::Relays { left } = asked.what else {
            return Err(LinkFault::BadAnswer);
        };
        let left = left.checked_sub(1).ok_or(LinkFault::BadAnswer)?;
        let what = What::Relays { left };
        self.requests.insert(number, Asked { what, ..asked });
        let sound = self.sound(raw, body);
        let read = sound.and_then(|header| {
            let descriptor = Descriptor::read(&header, body).ok()?;
            Some((descriptor.range(&header.front), descriptor))
        });
        match read {
            Some((range, descriptor)) => Ok(Reply::Named {
                request: ReqId(number),
                descriptor,
                range,
                undialled,
            }),
            None => self.drop_it(),
        }
    }

    /// The relay to which an object was passed on: one that keeps its range, by its own descriptor.
    fn on_keeper<'a>(
        &mut self,
        number: u32,
        asked: Asked,
        (id, address): (Id, u32),
        raw: &[u8; HEADER_BYTES],
        body: &[u8],
    ) -> Result<Reply<'a>, LinkFault> {
        let keeper = self.sound(raw, body).and_then(|header| {
            let descriptor = Descriptor::read(&header, body).ok()?;
            let keeps = descriptor.range(&header.front).has(address);
            keeps.then_some(descriptor.node_key)
        });
        if keeper.is_none() {
            return self.drop_it();
        }
        let what = What::Put {
            id,
            address,
            keeper,
        };
        self.requests.insert(number, Asked { what, ..asked });
        Ok(Reply::Nothing)
    }

    fn on_push(&mut self, number: u32, asked: Asked, at: u32) -> Result<(), LinkFault> {
        let What::Watch { whole, bucket, .. } = asked.what else {
            return Err(LinkFault::BadAnswer);
        };
        if at < before(bucket) {
            return Err(LinkFault::BadAnswer);
        }
        let what = What::Watch {
            whole,
            bucket: at.max(bucket),
            answered: true,
        };
        self.requests.insert(number, Asked { what, ..asked });
        Ok(())
    }

    /// The header of an object that is what it says: of this network, whole, paid for, and neither
    /// long expired nor expiring later than its lifetime allows, by the relay's own clock.
    fn sound(&self, raw: &[u8; HEADER_BYTES], body: &[u8]) -> Option<Header> {
        let header = Header::parse(raw).ok()?;
        let hour = self.hour();
        let latest = hour
            .saturating_add(header.lifetime.hours())
            .saturating_add(EXPIRY_SLACK_HOURS + CLIENT_CLOCK_SLACK_HOURS);
        let sound = header.network == self.config.network
            && body.len() == header.size.bytes()
            && header.expiry.saturating_add(CLIENT_CLOCK_SLACK_HOURS) > hour
            && header.expiry <= latest
            && pow::is_paid(&header, self.config.work_divisor)
            && sha256(&[body]) == header.body_hash;
        sound.then_some(header)
    }

    /// Counts a useless frame; too many are a fault.
    fn drop_it<'a>(&mut self) -> Result<Reply<'a>, LinkFault> {
        self.faults += 1;
        if self.faults >= CLIENT_FAULTS_MAX {
            Err(LinkFault::Faulty)
        } else {
            Ok(Reply::Nothing)
        }
    }
}
