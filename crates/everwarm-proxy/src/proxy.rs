//! The handle of a proxy, and the thread behind it.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use crate::deeds::Deed;
use crate::fault::Fault;
use crate::listen::listen;
use crate::shared::{Shared, State};

/// A proxy in front of a server, on a thread and with a runtime of its own. Dropping it ends its connections.
///
/// Without faults it passes on what it gets. What was read before a fault was set may be on its way still.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Dropped, it stops the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    process: u32,
}

impl Proxy {
    /// A proxy on a free port of 127.0.0.1. The same seed decides the same, where connections come in the same order and their bytes
    /// in the same chunks.
    ///
    /// # Errors
    /// If the name of the server is not known, or there is no port, descriptor or thread.
    pub fn start(upstream: impl ToSocketAddrs, seed: u64) -> io::Result<Self> {
        Self::start_at("127.0.0.1:0", upstream, seed)
    }

    /// As [`start`](Self::start), at an address of one's own.
    ///
    /// # Errors
    /// As `start`, and if the address is taken.
    pub fn start_at(
        address: impl ToSocketAddrs,
        upstream: impl ToSocketAddrs,
        seed: u64,
    ) -> io::Result<Self> {
        let mut found = upstream.to_socket_addrs()?;
        let upstream = found.next().ok_or(io::ErrorKind::NotFound)?;
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let shared = Arc::new(Shared::new(seed));
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let thread = Builder::new()
            .name("everwarm-proxy".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = listen(serving, listener, upstream) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            shared,
            address,
            stop: Some(stop),
            thread: Some(thread),
            process: std::process::id(),
        })
    }

    /// Where clients find it.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts a fault in force, in the place of one of its kind and direction, beside the others.
    pub fn set(&self, fault: Fault) {
        self.shared.change(|state| state.faults.set(fault));
        self.listens_as_wanted();
    }

    /// Lifts the faults of a kind, by its name, in both directions.
    pub fn lift(&self, name: &str) {
        self.shared.change(|state| state.faults.lift(name));
        self.listens_as_wanted();
    }

    /// Lifts all faults. What was held or late goes on its way at once; what is lost stays lost, and a half-open connection silent.
    pub fn calm(&self) {
        self.shared.change(|state| state.faults.calm());
        self.listens_as_wanted();
    }

    fn listens_as_wanted(&self) {
        self.shared
            .wait_while(|state| state.closed != state.faults.lasts("refuse", None));
    }

    /// Resets all open connections, and waits until they are.
    pub fn disconnect(&self) {
        let mut until = 0;
        self.shared.change(|state| {
            until = state.accepted;
            state.disconnected = until;
        });
        self.shared
            .wait_while(|state| state.open.first().is_some_and(|&number| number <= until));
    }

    /// How often a kind of fault has befallen, by its name.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.state(|state| state.deeds.count(name))
    }

    /// What has befallen, oldest first; the latest 10,000.
    #[must_use]
    pub fn log(&self) -> Vec<Deed> {
        self.state(|state| state.deeds.latest())
    }

    /// How many connections were taken.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.state(|state| state.accepted)
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state(|state| state.open.len())
    }

    fn state<T>(&self, of: impl FnOnce(&State) -> T) -> T {
        of(&self.shared.state())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let (stop, thread) = (self.stop.take(), self.thread.take());
        if self.process != std::process::id() {
            // A forked child has the handle and not the thread, which may have held any lock.
            std::mem::forget((stop, thread));
            return;
        }
        drop(stop);
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}
