//! Connections are taken, refused, or left hanging.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::pump::{End, through};
use crate::shared::Shared;

// Longer than any test's crowd of clients.
const BACKLOG: u32 = 1024;

const PAUSE: Duration = Duration::from_millis(1);

/// Takes connections, for ever.
pub(crate) async fn listen(shared: Arc<Shared>, mut listener: TcpListener, upstream: SocketAddr) {
    let mut changes = shared.changes();
    loop {
        if shared.befalls("refuse", 0) {
            listener = refuse(&shared, listener, &mut changes).await;
        }
        tokio::select! {
            biased;
            _ = changes.changed() => {}
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => take(&shared, client, upstream),
                // No descriptor is free, or the client is gone again.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

/// Refuses connections until it is lifted. The port stays ours: it is bound, and nobody listens.
async fn refuse(
    shared: &Shared,
    listener: TcpListener,
    changes: &mut watch::Receiver<()>,
) -> TcpListener {
    let address = listener.local_addr();
    drop(listener);
    let bound = persist(|| {
        let address = address
            .as_ref()
            .map_err(|error| io::Error::from(error.kind()))?;
        bind(*address)
    })
    .await;
    shared.note(|state| state.closed = true);
    while shared.lasts("refuse", None) {
        let _ = changes.changed().await;
    }
    let mut bound = Some(bound);
    let listener = persist(|| match (bound.take(), &address) {
        (Some(bound), _) => bound.listen(BACKLOG),
        (None, Ok(address)) => bind(*address)?.listen(BACKLOG),
        (None, Err(error)) => Err(error.kind().into()),
    })
    .await;
    shared.note(|state| state.closed = false);
    listener
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Tries until it succeeds: the port may be somebody's for the instant between two of our sockets.
async fn persist<T>(mut what: impl FnMut() -> io::Result<T>) -> T {
    loop {
        if let Ok(done) = what() {
            return done;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Begins a connection, with the next number.
fn take(shared: &Arc<Shared>, client: TcpStream, upstream: SocketAddr) {
    let mut number = 0;
    shared.note(|state| {
        state.accepted += 1;
        number = state.accepted;
        state.open.insert(number);
    });
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        connection(&shared, number, client, upstream).await;
        shared.note(|state| {
            state.open.remove(&number);
        });
    });
}

/// A connection from its begin to its end.
async fn connection(shared: &Shared, number: u64, mut client: TcpStream, upstream: SocketAddr) {
    let mut server = None;
    let end = tokio::select! {
        end = served(shared, number, &mut client, (upstream, &mut server)) => end,
        () = disconnected(shared, number) => End::Reset,
    };
    if end == End::Reset {
        for socket in [Some(&client), server.as_ref()].into_iter().flatten() {
            let _ = socket.set_zero_linger();
        }
    }
}

async fn served(
    shared: &Shared,
    number: u64,
    client: &mut TcpStream,
    (upstream, server): (SocketAddr, &mut Option<TcpStream>),
) -> End {
    if shared.befalls("hang", number) {
        let mut changes = shared.changes();
        while shared.lasts("hang", None) {
            let _ = changes.changed().await;
        }
    }
    let Ok(connected) = TcpStream::connect(upstream).await else {
        return End::Reset;
    };
    let server = server.insert(connected);
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    through(shared, number, client, server).await
}

/// Comes back when a connection is to be reset.
async fn disconnected(shared: &Shared, number: u64) {
    let mut changes = shared.changes();
    while shared.state().disconnected < number {
        let _ = changes.changed().await;
    }
}
