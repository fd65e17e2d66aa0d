//! Frames on the one stream of a link: `length u16 || frame`, little-endian.
//!
//! Invariant: what is kept of an unfinished frame is what came of it, never what its length says.

use crate::transport::{DownReason, MESSAGE_BYTES_MAX, Reader, Writer};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use quinn::{ConnectionError, ReadError, RecvStream, SendStream, WriteError};

/// Bytes of the length before a frame.
const LENGTH_BYTES: usize = 2;
/// Bytes taken from the stream at a time: a frame of any length, and what came with it.
const READ_BYTES: usize = 32 * 1024;

/// Bytes on the way to frames.
#[derive(Debug, Default)]
struct Frames {
    /// The beginning of a frame whose end has not come.
    begun: BytesMut,
    /// Not looked at yet.
    rest: Bytes,
}

/// A frame longer than a link carries.
#[derive(Debug, PartialEq, Eq)]
struct TooLong;

impl Frames {
    /// The next whole frame, if there is one.
    fn next(&mut self) -> Result<Option<Bytes>, TooLong> {
        if self.begun.is_empty()
            && let Some(whole) = whole_bytes(&self.rest)?
            && self.rest.len() >= whole
        {
            let mut frame = self.rest.split_to(whole);
            frame.advance(LENGTH_BYTES);
            return Ok(Some(frame));
        }
        // At first the length, then the frame.
        loop {
            let wanted = whole_bytes(&self.begun)?.unwrap_or(LENGTH_BYTES);
            let missing = wanted - self.begun.len();
            let taken = self.rest.split_to(missing.min(self.rest.len()));
            self.begun.extend_from_slice(&taken);
            if taken.len() < missing {
                return Ok(None);
            }
            if whole_bytes(&self.begun)? == Some(self.begun.len()) {
                break;
            }
        }
        let mut frame = std::mem::take(&mut self.begun).freeze();
        frame.advance(LENGTH_BYTES);
        Ok(Some(frame))
    }
}

/// Bytes that the frame at the beginning takes with its length, once that is known.
fn whole_bytes(bytes: &[u8]) -> Result<Option<usize>, TooLong> {
    let Some(length) = bytes.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    match usize::from(u16::from_le_bytes(*length)) {
        length if length > MESSAGE_BYTES_MAX => Err(TooLong),
        length => Ok(Some(LENGTH_BYTES + length)),
    }
}

pub struct FrameReader {
    stream: RecvStream,
    frames: Frames,
}

impl FrameReader {
    pub fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            frames: Frames::default(),
        }
    }
}

impl Reader for FrameReader {
    async fn read(&mut self) -> Result<Bytes, DownReason> {
        loop {
            match self.frames.next() {
                Ok(Some(frame)) => return Ok(frame),
                Err(TooLong) => return Err(DownReason::Misuse),
                Ok(None) => {}
            }
            match self.stream.read_chunk(READ_BYTES, true).await {
                Ok(Some(chunk)) => self.frames.rest = chunk.bytes,
                Ok(None) | Err(ReadError::Reset(_)) => return Err(DownReason::ClosedByPeer),
                Err(ReadError::ConnectionLost(error)) => return Err(down_reason(&error)),
                Err(_) => return Err(DownReason::Failed),
            }
        }
    }
}

pub struct FrameWriter(pub SendStream);

impl Writer for FrameWriter {
    /// About what one system call sends.
    const BATCH_BYTES: usize = 16 * 1024;

    async fn write(&mut self, batch: Vec<Bytes>) -> Result<(), DownReason> {
        let bytes = batch.iter().map(|frame| LENGTH_BYTES + frame.len()).sum();
        let mut gathered = BytesMut::with_capacity(bytes);
        for frame in batch {
            // The queue takes no longer ones.
            gathered.put_u16_le(u16::try_from(frame.len()).map_err(|_| DownReason::Failed)?);
            gathered.put(frame);
        }
        let written = self.0.write_chunk(gathered.freeze()).await;
        written.map_err(|error| match error {
            WriteError::Stopped(_) => DownReason::ClosedByPeer,
            WriteError::ConnectionLost(error) => down_reason(&error),
            _ => DownReason::Failed,
        })
    }

    async fn flush(&mut self) {
        if self.0.finish().is_ok() {
            let _ = self.0.stopped().await;
        }
    }
}

fn down_reason(error: &ConnectionError) -> DownReason {
    match error {
        ConnectionError::LocallyClosed => DownReason::Closed,
        ConnectionError::ApplicationClosed(_)
        | ConnectionError::ConnectionClosed(_)
        | ConnectionError::Reset => DownReason::ClosedByPeer,
        ConnectionError::TimedOut => DownReason::Silent,
        // What QUIC itself forbids, such as a second stream.
        ConnectionError::TransportError(_) => DownReason::Misuse,
        _ => DownReason::Failed,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn framed(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            bytes.extend_from_slice(&u16::try_from(frame.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(frame);
        }
        bytes
    }

    #[test]
    fn frames_come_out_whole_however_they_were_cut() {
        let sizes = [0, 1, 2, 3, 0, 255, 256, 1_000, 0, MESSAGE_BYTES_MAX, 7];
        let sent: Vec<Vec<u8>> = sizes.iter().map(|size| vec![*size as u8; *size]).collect();
        let bytes = framed(&sent);
        for step in (1..=40).chain([255, 256, 257, 1_452, bytes.len()]) {
            let mut frames = Frames::default();
            let mut got = Vec::new();
            for chunk in bytes.chunks(step) {
                frames.rest = Bytes::copy_from_slice(chunk);
                while let Some(frame) = frames.next().unwrap() {
                    got.push(frame.to_vec());
                }
                assert!(frames.rest.is_empty());
            }
            assert_eq!(got, sent, "steps of {step}");
            assert!(frames.begun.is_empty());
        }
    }

    fn begun_with(bytes: &[u8]) -> Frames {
        Frames {
            begun: BytesMut::new(),
            rest: Bytes::copy_from_slice(bytes),
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_at_once() {
        let length = u16::try_from(MESSAGE_BYTES_MAX + 1).unwrap().to_le_bytes();
        assert_eq!(begun_with(&length).next(), Err(TooLong));
        // Cut in two.
        let mut frames = begun_with(&length[..1]);
        assert_eq!(frames.next(), Ok(None));
        frames.rest = Bytes::copy_from_slice(&length[1..]);
        assert_eq!(frames.next(), Err(TooLong));
    }

    #[test]
    fn an_announced_frame_takes_no_memory() {
        let length = u16::try_from(MESSAGE_BYTES_MAX).unwrap().to_le_bytes();
        let mut frames = begun_with(&length);
        assert_eq!(frames.next(), Ok(None));
        assert!(frames.begun.capacity() < 256);
    }
}
