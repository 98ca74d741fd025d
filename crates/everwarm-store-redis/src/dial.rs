//! Connecting: a socket, encryption, the first words. It is done in the background, within one time limit.

use std::sync::{Arc, Weak};
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind};
use everwarm_runtime::Loop;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::address::Address;
use crate::blocking::{Blocking, server_name};
use crate::deadline::Deadline;
use crate::error::{self, not_yet, refused, unexpected};
use crate::handshake::{Greeting, Handshake, Identity, Protocol};
use crate::own;
use crate::packed::Packed;
use crate::shared::{Cut, Shared};
use crate::socket::Socket;
use crate::value::Value;

/// How the servers of one kind are connected to.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    /// What is said first.
    pub(crate) handshake: Handshake,
    /// How it is encrypted.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// How long it may take.
    pub(crate) limit: Duration,
}

/// A stream for tasks.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Dial {
    /// A connection for all tasks; for a task of the store's runtime.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn shared(self, address: Address) -> Result<Shared, Failure> {
        let limit = self.limit;
        let late = not_yet(&address.to_string(), limit);
        let dialled = tokio::time::timeout(limit, self.dialled(address)).await;
        dialled.unwrap_or(Err(late))
    }

    /// A connection for the tasks of one loop, which reads it itself; for a task of the store's runtime.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn own(self, address: Address, of: Weak<Loop>) -> Result<Shared, Failure> {
        let shared = self.shared(address.clone()).await?;
        own::given(shared, &of, &address).await
    }

    async fn dialled(self, address: Address) -> Result<Shared, Failure> {
        let deadline = Deadline::after(self.limit, 0);
        for protocol in [Protocol::Resp3, Protocol::Resp2] {
            let (stream, near) = self.stream(&address).await?;
            let mut shared = Shared::over((stream, near), &address);
            let words = Packed::from(&self.handshake.pipeline(protocol));
            let replies = shared.exchange(words, &deadline).await;
            let replies = replies.map_err(|cut| match cut {
                Cut::Lost(failure) | Cut::TimedOut(failure) => failure,
            })?;
            if let Some(server) = self.greeted(&address, protocol, &replies)? {
                shared.server = server;
                return Ok(shared);
            }
        }
        Err(unexpected("the first words of a connection"))
    }

    /// A stream for tasks, encrypted, on which nothing was said yet; and its socket, for whoever is near, if nothing encrypts what is
    /// written to it.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn stream(
        &self,
        address: &Address,
    ) -> Result<(Box<dyn Stream>, Option<Socket>), Failure> {
        let failed = |error| refused(address, &error);
        let (place, limit) = (address.clone(), self.limit);
        let opened = tokio::task::spawn_blocking(move || Socket::open(&place, limit)).await;
        let socket = opened.map_err(|_| ended())?.map_err(failed)?;
        socket.set_nonblocking().map_err(failed)?;
        let near = socket.try_clone().ok();
        let stream = match socket {
            Socket::Unix(stream) => {
                let stream = tokio::net::UnixStream::from_std(stream).map_err(failed)?;
                return Ok((Box::new(stream), near));
            }
            Socket::Tcp(stream) => tokio::net::TcpStream::from_std(stream).map_err(failed)?,
        };
        match &self.tls {
            None => Ok((Box::new(stream), near)),
            Some(tls) => {
                let connector = TlsConnector::from(Arc::clone(tls));
                let stream = connector.connect(server_name(address)?, stream).await;
                Ok((Box::new(stream.map_err(failed)?), None))
            }
        }
    }

    /// A connection for one thread at a time; it blocks until it is there.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) fn blocking(&self, address: &Address) -> Result<Blocking, Failure> {
        let deadline = Deadline::after(self.limit, 0);
        for protocol in [Protocol::Resp3, Protocol::Resp2] {
            let socket = Socket::open(address, deadline.left(0).max(Duration::from_millis(1)))
                .map_err(|error| refused(address, &error))?;
            let mut line = Blocking::over(socket, address, self.tls.clone())?;
            let words = Packed::from(&self.handshake.pipeline(protocol));
            let replies = line.exchange(&words, &deadline)?;
            if let Some(server) = self.greeted(address, protocol, &replies)? {
                line.server = server;
                return Ok(line);
            }
        }
        Err(unexpected("the first words of a connection"))
    }

    /// The server, or `None` if it does not speak this protocol.
    fn greeted(
        &self,
        address: &Address,
        protocol: Protocol,
        replies: &[Value],
    ) -> Result<Option<Identity>, Failure> {
        match self.handshake.greeted(protocol, replies)? {
            Greeting::Ready(server) => Ok(Some(server)),
            Greeting::Older => Ok(None),
            Greeting::Astray => Err(error::ended(address)),
        }
    }
}

fn ended() -> Failure {
    Failure::new(
        FailureKind::Closed,
        "the process is at its end",
        "close the cache before",
    )
}
