//! Somebody between a client and a server, who loses datagrams or takes them elsewhere.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;

pub struct Middle {
    /// What the client believes to be the server.
    pub address: SocketAddr,
    server: Arc<Mutex<SocketAddr>>,
    /// What the client sent last.
    last: Arc<Mutex<Vec<u8>>>,
}

impl Middle {
    /// Passes on the datagrams of the client for which that is true, and all of the server.
    pub async fn start(
        server: SocketAddr,
        passes: impl FnMut(&[u8]) -> bool + Send + 'static,
    ) -> Self {
        let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let middle = Self {
            address: near.local_addr().unwrap(),
            server: Arc::new(Mutex::new(server)),
            last: Arc::default(),
        };
        let (server, last) = (middle.server.clone(), middle.last.clone());
        tokio::spawn(pass((near, far), server, last, passes));
        middle
    }

    /// What the client sends goes there from now on.
    pub fn switch_to(&self, server: SocketAddr) {
        *self.server.lock().unwrap() = server;
    }

    /// What the client sent last.
    pub fn last(&self) -> Vec<u8> {
        self.last.lock().unwrap().clone()
    }
}

async fn pass(
    (near, far): (UdpSocket, UdpSocket),
    server: Arc<Mutex<SocketAddr>>,
    last: Arc<Mutex<Vec<u8>>>,
    mut passes: impl FnMut(&[u8]) -> bool,
) {
    let mut client = None;
    let (mut one, mut other) = ([0; 2_000], [0; 2_000]);
    loop {
        tokio::select! {
            Ok((length, from)) = near.recv_from(&mut one) => {
                client = Some(from);
                *last.lock().unwrap() = one[..length].to_vec();
                let to = *server.lock().unwrap();
                if passes(&one[..length]) {
                    far.send_to(&one[..length], to).await.unwrap();
                }
            }
            Ok((length, _)) = far.recv_from(&mut other) => {
                let _ = near.send_to(&other[..length], client.unwrap()).await;
            }
        }
    }
}
