//! quinn's tasks, and what each of them holds: the place of a connection that came in is taken
//! until the task that drives it ends.
//!
//! A connection that is closed goes on taking memory while packets of it may still come (RFC 9000
//! section 10.2): three time-outs for loss, of which the peer says a part, so up to 50 s. The
//! library tells nobody when that is over. It does end the task then, which it had our runtime
//! begin.

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use std::any::Any;
use std::cell::Cell;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

type Held = Arc<dyn Any + Send + Sync>;

thread_local! {
    /// For the task that begins next on this thread.
    static NEXT: Cell<Option<Held>> = const { Cell::new(None) };
}

/// Tokio, with tasks that hold something.
#[derive(Debug)]
pub struct Drivers;

/// The task that `begin` has begun holds that; it is dropped when there is none. It must not wait
/// for anything: then the task would be another one's.
pub fn holding<T>(held: Held, begin: impl FnOnce() -> T) -> T {
    NEXT.set(Some(held));
    let begun = begin();
    NEXT.set(None);
    begun
}

impl Runtime for Drivers {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let held = NEXT.take();
        tokio::spawn(async move {
            task.await;
            drop(held);
        });
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_task_holds_what_it_was_begun_with_until_it_ends() {
        let held = Arc::new(());
        let (end, ended) = oneshot::channel::<()>();
        holding(held.clone(), || {
            Drivers.spawn(Box::pin(async move { drop(ended.await) }));
        });
        // Tasks that begin later hold nothing.
        Drivers.spawn(Box::pin(std::future::pending()));
        assert_eq!(Arc::strong_count(&held), 2);
        end.send(()).unwrap();
        while Arc::strong_count(&held) == 2 {
            tokio::task::yield_now().await;
        }
        // Nothing was begun.
        holding(held.clone(), || {});
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
