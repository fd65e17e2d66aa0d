//! quinn's end of a UDP socket that somebody else reads: datagrams come out of the inbox of
//! `transport/udp.rs`, and leave by the socket itself.

use crate::transport::{Inbox, Route, UdpPort};
use quinn::udp::{EcnCodepoint, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

#[derive(Debug)]
pub struct QuicSocket {
    port: Arc<UdpPort>,
    inbox: Arc<Inbox>,
}

impl QuicSocket {
    pub fn new(port: Arc<UdpPort>) -> Self {
        let inbox = port.quic();
        Self { port, inbox }
    }
}

impl AsyncUdpSocket for QuicSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable {
            port: self.port.clone(),
            waiting: None,
        })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let to = Route {
            remote: transmit.destination,
            local: transmit.src_ip,
            socket: 0,
        };
        let ecn = transmit.ecn.map_or(0, |ecn| ecn as u8);
        let sent = (self.port).try_send_marked(transmit.contents, transmit.segment_size, ecn, &to);
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            // One peer that cannot be reached must not look like a broken socket: the datagram is
            // lost, and silence ends the link.
            _ => Ok(()),
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let datagrams = ready!(self.inbox.poll(cx, bufs.len().min(meta.len())));
        let mut count = 0;
        for (datagram, (room, meta)) in datagrams.iter().zip(bufs.iter_mut().zip(meta)) {
            let length = datagram.bytes.len().min(room.len());
            if let (Some(room), Some(bytes)) =
                (room.get_mut(..length), datagram.bytes.get(..length))
            {
                room.copy_from_slice(bytes);
            }
            *meta = RecvMeta {
                addr: datagram.remote,
                len: length,
                stride: length,
                ecn: EcnCodepoint::from_bits(datagram.ecn),
                dst_ip: datagram.local,
            };
            count += 1;
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.port.local_addr())
    }

    fn max_transmit_segments(&self) -> usize {
        self.port.max_gso_segments()
    }

    fn may_fragment(&self) -> bool {
        self.port.may_fragment()
    }
}

/// Waits for room in the socket after it was full.
struct Writable {
    port: Arc<UdpPort>,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

impl fmt::Debug for Writable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writable").finish_non_exhaustive()
    }
}

impl UdpPoller for Writable {
    fn poll_writable(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let waiting = this.waiting.get_or_insert_with(|| {
            let port = this.port.clone();
            Box::pin(async move { port.writable().await })
        });
        ready!(waiting.as_mut().poll(cx));
        this.waiting = None;
        Poll::Ready(Ok(()))
    }
}
