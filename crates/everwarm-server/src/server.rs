//! A server that runs, and its end.

use std::fmt;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind, Store};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::accept::{Ending, accept};
use crate::news::News;
use crate::options::Options;
use crate::serving::Serving;

/// Room for the bodies of this many requests of the largest size.
const BODIES: u64 = 4;

/// A server that runs. Dropping it ends it at once.
pub struct Server {
    address: SocketAddr,
    is_encrypted: bool,
    end: watch::Sender<Ending>,
    runs: Option<JoinHandle<()>>,
    process: u32,
}

/// Serves a store, on the runtime of this process, until the server is ended or dropped.
///
/// # Errors
/// `Permanent` for options that cannot be meant and files that cannot be used, `Transient` for an address that is taken.
pub fn serve(store: Arc<dyn Store>, options: Options) -> Result<Server, Failure> {
    let runtime = everwarm_runtime::handle()?;
    let tls = options.identity.as_ref();
    let tls = tls.map(crate::tls::configured).transpose()?;
    let listener = listener(&options)?;
    let failed = |error| cannot_listen(&options.listen, &error);
    let address = listener.local_addr().map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(failed)?
    };
    let is_encrypted = tls.is_some();
    let room = options.max_body.saturating_mul(BODIES).div_ceil(1 << 10);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let serving = Arc::new(Serving {
        store,
        news: News::default(),
        run: run(),
        tokens: options.tokens,
        max_body: options.max_body,
        patience: options.patience,
        room: Semaphore::new(room.clamp(1 << 10, Semaphore::MAX_PERMITS)),
    });
    let (end, ended) = watch::channel(Ending::None);
    let places = Arc::new(Semaphore::new(options.connections.max(1)));
    let runs = runtime.spawn(accept((listener, tls), serving, places, ended));
    Ok(Server {
        address,
        is_encrypted,
        end,
        runs: Some(runs),
        process: std::process::id(),
    })
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the store that it serves.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Takes no connection any more, and lets those that are there end what they are at: for as long as `grace`, then they are cut.
    pub async fn end(mut self, grace: Duration) {
        self.end.send_replace(Ending::Soon(grace));
        if let Some(runs) = self.runs.take() {
            // It ends otherwise with the process alone.
            drop(runs.await);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(runs) = self.runs.take() else {
            return;
        };
        if self.process == std::process::id() {
            runs.abort();
        } else {
            // The task is in the parent alone.
            std::mem::forget(runs);
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

fn listener(options: &Options) -> Result<TcpListener, Failure> {
    let addresses = options.listen.to_socket_addrs();
    let addresses: Vec<_> = addresses
        .map_err(|error| {
            Failure::new(
                FailureKind::Permanent,
                format!("{:?} is no address to listen at: {error}", options.listen),
                "write a host and a port: 127.0.0.1:8080",
            )
        })?
        .collect();
    let is_own = addresses.iter().all(|address| address.ip().is_loopback());
    if !is_own && options.tokens.is_empty() && !options.is_open {
        return Err(Failure::new(
            FailureKind::Permanent,
            format!(
                "without a token everybody may ask who reaches {}",
                options.listen
            ),
            "give a token (--token-env NAME or --token-file PATH), listen at 127.0.0.1, or say --open",
        ));
    }
    TcpListener::bind(&*addresses).map_err(|error| cannot_listen(&options.listen, &error))
}

fn cannot_listen(at: &str, error: &std::io::Error) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("nobody can listen at {at}: {error}"),
        "end what listens there, or name another port; 0 is a free one",
    )
}

/// A number of this run, not 0.
fn run() -> String {
    use std::hash::BuildHasher;
    let number = std::hash::RandomState::new().hash_one(std::process::id());
    format!("{:x}", number.max(1))
}
