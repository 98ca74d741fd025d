//! Sockets: how one is opened, and what is set on it.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

use crate::address::Address;

/// A peer that says nothing is asked after so long whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long bytes may be on their way before the system takes the connection as broken.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// An open socket.
pub(crate) enum Socket {
    /// To a host.
    Tcp(TcpStream),
    /// To this machine.
    Unix(UnixStream),
}

impl Socket {
    /// The same socket once more.
    ///
    /// # Errors
    /// If the process has no descriptor left.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
        }
    }

    /// Has nobody wait who writes or reads, whatever else that means.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(true),
            Self::Unix(stream) => stream.set_nonblocking(true),
        }
    }

    /// Writes as much as leaves at once.
    ///
    /// # Errors
    /// `WouldBlock` if nothing does.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => (&*stream).write(bytes),
            Self::Unix(stream) => (&*stream).write(bytes),
        }
    }

    /// Opens a socket; blocks for as long as names are looked up, and for `limit` at most beside that.
    ///
    /// # Errors
    /// The last of those that were met.
    pub(crate) fn open(address: &Address, limit: Duration) -> io::Result<Self> {
        let (host, port) = match address {
            Address::Unix(path) => return UnixStream::connect(path).map(Self::Unix),
            Address::Tcp { host, port } => (host.as_str(), *port),
        };
        let places = (host, port).to_socket_addrs()?;
        let until = Instant::now() + limit;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for place in places {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match TcpStream::connect_timeout(&place, left) {
                Ok(stream) => return watched(stream).map(Self::Tcp),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
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
