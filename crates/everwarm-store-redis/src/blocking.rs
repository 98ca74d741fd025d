//! A connection on which a thread asks and waits by itself.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::Failure;
use redis::{Parser, Pipeline, Value};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::SockRef;

use crate::address::Address;
use crate::deadline::Deadline;
use crate::error;
use crate::socket::Socket;

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

trait Io: Read + Write {}

impl<S: Read + Write> Io for S {}

impl Stream {
    fn socket(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Unix(stream) => SockRef::from(stream),
            Self::Tls(stream) => SockRef::from(&stream.sock),
        }
    }

    fn io(&mut self) -> &mut dyn Io {
        match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
            Self::Tls(stream) => stream,
        }
    }
}

/// A connection that one thread at a time uses. One that failed is never used again, so that no reply is left for another.
pub(crate) struct Blocking {
    stream: Stream,
    parser: Parser,
    address: Address,
    /// The server's run, once it is known.
    pub(crate) server: Box<str>,
}

impl Blocking {
    /// A connection over an open socket, encrypted if that is wanted.
    ///
    /// # Errors
    /// If it cannot be encrypted.
    pub(crate) fn over(
        socket: Socket,
        address: &Address,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, Failure> {
        let stream = match (socket, tls) {
            (Socket::Unix(stream), _) => Stream::Unix(stream),
            (Socket::Tcp(stream), None) => Stream::Tcp(stream),
            (Socket::Tcp(stream), Some(tls)) => {
                let client = ClientConnection::new(tls, server_name(address)?)
                    .map_err(|error| error::refused(address, &io::Error::other(error)))?;
                Stream::Tls(Box::new(StreamOwned::new(client, stream)))
            }
        };
        Ok(Self {
            stream,
            parser: Parser::new(),
            address: address.clone(),
            server: Box::default(),
        })
    }

    /// Sends commands, and reads one reply to each.
    ///
    /// # Errors
    /// Whatever it is, the connection must not be used again.
    pub(crate) fn exchange(
        &mut self,
        pipeline: &Pipeline,
        deadline: &Deadline,
    ) -> Result<Vec<Value>, Failure> {
        let mut timed = Timed {
            stream: &mut self.stream,
            deadline,
            received: 0,
        };
        let written = timed.write_all(&pipeline.get_packed_pipeline());
        let refused = |error: &io::Error| error::refused(&self.address, error);
        written
            .and_then(|()| timed.flush())
            .map_err(|error| refused(&error))?;
        let mut replies = Vec::with_capacity(pipeline.len());
        while replies.len() < pipeline.len() {
            match self.parser.parse_value(&mut timed) {
                Ok(Value::Push { .. }) => {}
                Ok(value) => replies.push(value),
                Err(error) => return Err(error::lost(&self.address, &error)),
            }
        }
        Ok(replies)
    }

    /// Whether nothing came since the last reply: neither an end nor bytes that nobody asked for.
    pub(crate) fn is_quiet(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let looked = rustix::net::recv(&*self.stream.socket(), &mut [0; 1], flags);
        looked == Err(Errno::AGAIN)
    }
}

/// The name that a server's certificate must have.
///
/// # Errors
/// If it can be in none.
pub(crate) fn server_name(address: &Address) -> Result<ServerName<'static>, Failure> {
    let host = match address {
        Address::Tcp { host, .. } => host.clone(),
        Address::Unix(_) => "localhost".to_owned(),
    };
    ServerName::try_from(host)
        .map_err(|error| error::refused(address, &io::Error::other(error.to_string())))
}

/// A stream whose reads and writes end with the deadline.
struct Timed<'a> {
    stream: &'a mut Stream,
    deadline: &'a Deadline,
    received: u64,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.left(self.received);
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // What rounds to nothing would mean for ever.
        Ok(Some(left.max(Duration::from_micros(1))))
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.socket().set_read_timeout(self.left()?)?;
        let read = self.stream.io().read(bytes)?;
        self.received += read as u64;
        Ok(read)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.socket().set_write_timeout(self.left()?)?;
        self.stream.io().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.socket().set_write_timeout(self.left()?)?;
        self.stream.io().flush()
    }
}
