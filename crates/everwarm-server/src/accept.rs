//! Connections: taken as long as there is a place, served, and ended.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::others::swept;
use crate::serving::Serving;

/// How long the head of a request may take, and a connection rest.
const REST: Duration = Duration::from_secs(60);
/// How long encryption may take to begin.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Bytes that the head of a request may have.
const HEAD: usize = 64 << 10;
/// After a connection could not be taken: descriptors are short.
const PAUSE: Duration = Duration::from_millis(50);
/// How often what has expired is taken out.
const SWEEP: Duration = Duration::from_secs(60);

/// Whether a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It does not.
    None,
    /// It does, and connections have so long.
    Soon(Duration),
}

/// Where connections come from, and how they are encrypted.
type Door = (TcpListener, Option<Arc<ServerConfig>>);

/// Takes connections until the server ends, and then waits for them.
pub(crate) async fn accept(
    (listener, tls): Door,
    serving: Arc<Serving>,
    places: Arc<Semaphore>,
    mut ending: watch::Receiver<Ending>,
) {
    let mut connections = JoinSet::new();
    connections.spawn(sweep(Arc::clone(&serving), ending.clone()));
    loop {
        while connections.try_join_next().is_some() {}
        let taken = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let taken = tokio::select! {
            taken = taken => taken,
            _ = ending.wait_for(|ending| *ending != Ending::None) => break,
        };
        match taken {
            Some((Ok((stream, _)), place)) => {
                let connection =
                    connection(stream, tls.clone(), Arc::clone(&serving), ending.clone());
                connections.spawn(async move {
                    let _place = place;
                    connection.await;
                });
            }
            Some((Err(_), _)) => tokio::time::sleep(PAUSE).await,
            None => break,
        }
    }
    drop(listener);
    serving.news.end();
    let grace = match *ending.borrow() {
        Ending::Soon(grace) => grace,
        Ending::None => Duration::ZERO,
    };
    let all = async { while connections.join_next().await.is_some() {} };
    // Those that are left are cut.
    drop(tokio::time::timeout(grace, all).await);
    connections.shutdown().await;
}

/// Serves a connection until it ends, or the server does: then what was asked is answered, and no more.
async fn connection(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    serving: Arc<Serving>,
    ending: watch::Receiver<Ending>,
) {
    // An answer waits for nothing that follows it; where that cannot be had it is later.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return speak(TokioIo::new(stream), serving, ending).await;
    };
    let shaking = TlsAcceptor::from(tls).accept(stream);
    // Who does not speak TLS, or too slowly, is not told anything.
    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, shaking).await {
        speak(TokioIo::new(stream), serving, ending).await;
    }
}

async fn speak<S>(stream: S, serving: Arc<Serving>, mut ending: watch::Receiver<Ending>)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let answers = service_fn(move |request: Request<Incoming>| {
        let answer = Arc::clone(&serving).answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(REST)
        .max_buf_size(HEAD);
    let mut connection = std::pin::pin!(builder.serve_connection(stream, answers));
    let is_over = tokio::select! {
        // What went wrong is the client's to find out.
        _ = connection.as_mut() => true,
        _ = ending.wait_for(|ending| *ending != Ending::None) => false,
    };
    if !is_over {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

async fn sweep(serving: Arc<Serving>, mut ending: watch::Receiver<Ending>) {
    let is_over = async {
        // Nobody is left to end it: that is an end, too.
        let _ = ending.wait_for(|ending| *ending != Ending::None).await;
    };
    let sweeps = async {
        loop {
            tokio::time::sleep(SWEEP).await;
            // A store that cannot be swept now is swept the next time.
            let _ = swept(&serving.store).await;
        }
    };
    tokio::select! {
        () = is_over => {}
        () = sweeps => {}
    }
}
