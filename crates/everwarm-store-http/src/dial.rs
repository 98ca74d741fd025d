//! Making a connection: a socket, encryption, HTTP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use everwarm_core::store::Failure;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::{lost, not_connected, refused};

/// One side of a connection, on which one thing at a time is asked. The connection ends with it.
pub(crate) type Line = SendRequest<Full<Bytes>>;

/// Bytes that the head of an answer may have.
const HEAD: usize = 64 << 10;

/// Where to, and how.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As it is named in failures.
    pub(crate) place: Arc<str>,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) limit: Duration,
}

impl Dial {
    /// A connection, which lives on the runtime of this process.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn dialled(&self) -> Result<Line, Failure> {
        let dial = self.clone();
        let dialling = everwarm_runtime::handle()?.spawn(async move {
            let late = not_connected(&dial.place, dial.limit);
            let dialled = tokio::time::timeout(dial.limit, dial.connected()).await;
            dialled.unwrap_or(Err(late))
        });
        // It ends without an answer only with the process.
        dialling
            .await
            .unwrap_or_else(|_| Err(crate::error::closed()))
    }

    async fn connected(&self) -> Result<Line, Failure> {
        let failed = |error| refused(&self.place, &error);
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let Some(tls) = &self.tls else {
            return self.speaking(TokioIo::new(stream)).await;
        };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|error| refused(&self.place, &io::Error::other(error)))?;
        let connector = TlsConnector::from(Arc::clone(tls));
        let stream = connector.connect(name, stream).await.map_err(failed)?;
        self.speaking(TokioIo::new(stream)).await
    }

    async fn speaking<S>(&self, stream: S) -> Result<Line, Failure>
    where
        S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD);
        let shaken = builder.handshake(stream).await;
        let (line, connection) = shaken.map_err(|error| lost(&self.place, &error))?;
        // Whoever asks is told of what goes wrong; nobody else asks for it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(line)
    }
}
