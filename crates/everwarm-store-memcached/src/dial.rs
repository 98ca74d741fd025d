//! Connecting: a socket, encryption, the first words. It is done in the background, within one time limit.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use everwarm_core::store::{Failure, FailureKind};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::batch::Batch;
use crate::blocking::Blocking;
use crate::config::{Config, Credentials, Server};
use crate::error::{ended, not_yet, refused, unexpected};
use crate::line::Line;
use crate::replies::{Reply, Said};

/// A peer that says nothing is asked after so long whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long bytes may be on their way before the system takes the connection as broken.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// How a server is connected to.
#[derive(Clone)]
pub(crate) struct Dial {
    pub(crate) server: Server,
    credentials: Option<Credentials>,
    tls: Option<Arc<ClientConfig>>,
    /// How long it may take.
    pub(crate) limit: Duration,
    /// How long an operation may take.
    pub(crate) timeout: Duration,
}

/// A stream for tasks.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Dial {
    /// How this server is connected to.
    pub(crate) fn new(server: &Server, config: &Config, tls: Option<Arc<ClientConfig>>) -> Self {
        Self {
            server: server.clone(),
            credentials: config.credentials.clone(),
            tls,
            limit: config.connect_timeout,
            timeout: config.timeout,
        }
    }

    /// A connection for all tasks; for a task of the store's runtime.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn line(self) -> Result<Line, Failure> {
        let late = not_yet(&self.server, self.limit);
        let dialled = tokio::time::timeout(self.limit, self.dialled()).await;
        dialled.unwrap_or(Err(late))
    }

    async fn dialled(&self) -> Result<Line, Failure> {
        let failed = |error| refused(&self.server, &error);
        let (server, limit) = (self.server.clone(), self.limit);
        let opened = tokio::task::spawn_blocking(move || open(&server, limit)).await;
        let stream = opened.map_err(|_| exit())?.map_err(failed)?;
        stream.set_nonblocking(true).map_err(failed)?;
        // What is encrypted is written by the task alone.
        let near = match self.tls {
            None => stream.try_clone().ok(),
            Some(_) => None,
        };
        let stream = tokio::net::TcpStream::from_std(stream).map_err(failed)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let connector = TlsConnector::from(Arc::clone(tls));
                let name = server_name(&self.server)?;
                Box::new(connector.connect(name, stream).await.map_err(failed)?)
            }
        };
        let line = Line::over(stream, near, &self.server);
        for words in self.first_words() {
            self.greeted(&line.ask(words, self.limit).await?)?;
        }
        Ok(line)
    }

    /// A connection for one thread at a time; it blocks until it is there.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) fn blocking(&self) -> Result<Blocking, Failure> {
        let failed = |error| refused(&self.server, &error);
        let stream = open(&self.server, self.limit).map_err(failed)?;
        let stream = match &self.tls {
            None => crate::blocking::Stream::Plain(stream),
            Some(tls) => {
                let client = ClientConnection::new(Arc::clone(tls), server_name(&self.server)?)
                    .map_err(|error| failed(io::Error::other(error)))?;
                crate::blocking::Stream::Tls(Box::new(StreamOwned::new(client, stream)))
            }
        };
        let mut blocking = Blocking::over(stream, &self.server, self.timeout)?;
        for words in self.first_words() {
            self.greeted(&blocking.exchange(&words, self.limit)?)?;
        }
        Ok(blocking)
    }

    /// Who asks, and whether meta commands are known: each for itself, since whoever is not let in is answered once.
    fn first_words(&self) -> Vec<Batch> {
        let mut words = Vec::new();
        if let Some(Credentials { user, password }) = &self.credentials {
            let said = format!("{user} {password}");
            words.push(format!("set auth 0 0 {}\r\n{said}", said.len()));
        }
        words.push("mn".to_owned());
        let batch = |words: String| {
            let mut batch = Batch::default();
            batch.plain(&words);
            batch
        };
        words.into_iter().map(batch).collect()
    }

    fn greeted(&self, replies: &[Reply]) -> Result<(), Failure> {
        for reply in replies {
            match &reply.said {
                Said::Word => {}
                Said::Refused(failure) => return Err(failure.clone()),
                _ => return Err(unexpected("the first words of a connection")),
            }
        }
        match replies.is_empty() {
            true => Err(ended(&self.server)),
            false => Ok(()),
        }
    }
}

/// Opens a socket; blocks for as long as names are looked up, and for `limit` at most beside that.
fn open(server: &Server, limit: Duration) -> io::Result<TcpStream> {
    let places = (server.host.as_str(), server.port).to_socket_addrs()?;
    let until = Instant::now() + limit;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for place in places {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&place, left) {
            Ok(stream) => return watched(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The same stream, told to write at once and to notice when its peer is gone.
fn watched(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE / 3)
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(stream)
}

/// The name that a server's certificate must have.
fn server_name(server: &Server) -> Result<ServerName<'static>, Failure> {
    ServerName::try_from(server.host.clone())
        .map_err(|error| refused(server, &io::Error::other(error.to_string())))
}

fn exit() -> Failure {
    Failure::new(
        FailureKind::Closed,
        "the process is at its end",
        "close the cache before",
    )
}
