//! A connection on which a thread asks and waits by itself.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use everwarm_core::store::Failure;
use everwarm_network::patience::{Patience, Wait};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::SockRef;

use crate::address::Address;
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::error;
use crate::handshake::Identity;
use crate::packed::Packed;
use crate::replies::Replies;
use crate::socket::Socket;
use crate::value::Value;

/// How long after its last use a connection is taken to be as it was.
const MOMENT: Duration = Duration::from_millis(5);
/// For how long a thread is blocked at most before it may look around, as for signals.
const SLICE: Duration = Duration::from_millis(50);

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
    replies: Replies,
    limits: Limits,
    patience: Patience,
    used: Instant,
    address: Address,
    /// The server, once it is known.
    pub(crate) server: Identity,
    /// The number of its reign.
    pub(crate) reign: u64,
    /// The server's clock.
    pub(crate) clock: Clock,
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
            replies: Replies::default(),
            limits: Limits::default(),
            patience: Patience::default(),
            used: Instant::now(),
            address: address.clone(),
            server: Identity::default(),
            reign: 0,
            clock: Clock::default(),
        })
    }

    /// Sends commands, and reads one reply to each.
    ///
    /// # Errors
    /// Whatever it is, the connection must not be used again.
    pub(crate) fn exchange(
        &mut self,
        packed: &Packed,
        deadline: &Deadline,
    ) -> Result<Vec<Value>, Failure> {
        let mut asked = Asked::default();
        loop {
            if let Some(replies) = self.go_on(packed, deadline, &mut asked)? {
                return Ok(replies);
            }
        }
    }

    /// Goes on with what is asked, for a moment; one reply to each command once all of them are there. Until then the connection is
    /// of no use to anybody else.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    pub(crate) fn go_on(
        &mut self,
        packed: &Packed,
        deadline: &Deadline,
        asked: &mut Asked,
    ) -> Result<Option<Vec<Value>>, Failure> {
        let begun = Instant::now();
        loop {
            let met = match self.step(packed, deadline, asked) {
                Ok(true) => {
                    self.used = Instant::now();
                    return Ok(Some(std::mem::take(&mut asked.replies)));
                }
                Ok(false) => None,
                Err(Met::Nothing(error)) => Some(error.kind()),
                Err(Met::Failure(failure)) => return Err(failure),
            };
            if deadline.left(asked.received).is_zero() {
                let limit = deadline.limit(asked.received);
                return Err(error::timed_out(&self.address, limit));
            }
            if met == Some(io::ErrorKind::Interrupted) || begun.elapsed() >= SLICE {
                return Ok(None);
            }
        }
    }

    /// Writes what is left to write, and reads, once each; whether all replies are there.
    fn step(
        &mut self,
        packed: &Packed,
        deadline: &Deadline,
        asked: &mut Asked,
    ) -> Result<bool, Met> {
        let mut timed = Timed {
            stream: &mut self.stream,
            limits: &mut self.limits,
            left: deadline.left(asked.received),
        };
        let met = |error| Met::new(error, &self.address);
        if asked.sent < packed.bytes.len() {
            asked.sent += timed.write(&packed.bytes[asked.sent..]).map_err(met)?;
            if asked.sent < packed.bytes.len() {
                return Ok(false);
            }
        }
        if !asked.is_flushed {
            timed.flush().map_err(met)?;
            asked.is_flushed = true;
            asked.wait = Some(self.patience.wait(&*timed.stream.socket()));
        }
        let read = timed.read(self.replies.room()).map_err(met)?;
        if let Some(wait) = asked.wait.take() {
            self.patience.came(&wait);
        }
        asked.received += read as u64;
        self.replies.came(read);
        let ended = || Met::Failure(error::ended(&self.address));
        if read == 0 {
            return Err(ended());
        }
        while asked.replies.len() < packed.count {
            match self.replies.next().map_err(|_| ended())? {
                Some(Value::Push) => {}
                Some(value) => asked.replies.push(value),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Whether nothing came since the last reply: neither an end nor bytes that nobody asked for. What was used a moment ago is not
    /// looked at.
    pub(crate) fn is_quiet(&self) -> bool {
        if !self.replies.is_empty() {
            return false;
        }
        if self.used.elapsed() < MOMENT {
            return true;
        }
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

/// How long the system lets a socket's reads and writes wait. To say it anew costs as much as to read.
#[derive(Default)]
struct Limits {
    read: Duration,
    write: Duration,
}

/// Whether a limit will do for what has so much time left: it may be a little longer.
fn will_do(limit: Duration, left: Duration) -> bool {
    limit <= left + left / 8 && limit >= left - left / 8
}

/// What was asked on a connection, as far as it has come.
#[derive(Default)]
pub(crate) struct Asked {
    sent: usize,
    is_flushed: bool,
    /// Until something has come.
    wait: Option<Wait>,
    received: u64,
    replies: Vec<Value>,
}

/// Why a step was none.
enum Met {
    /// Nothing can be sent or has come for now, or a signal has.
    Nothing(io::Error),
    /// The end of the connection.
    Failure(Failure),
}

impl Met {
    fn new(error: io::Error, address: &Address) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Self::Nothing(error),
            _ => Self::Failure(error::refused(address, &error)),
        }
    }
}

/// A stream whose reads and writes end when there is no time left, or a moment is over.
struct Timed<'a> {
    stream: &'a mut Stream,
    limits: &'a mut Limits,
    left: Duration,
}

impl Timed<'_> {
    /// For how long the system may let it wait. What rounds to nothing would mean for ever.
    fn slice(&self) -> Duration {
        self.left.clamp(Duration::from_micros(1), SLICE)
    }

    fn bound_write(&mut self) -> io::Result<()> {
        let slice = self.slice();
        if !will_do(self.limits.write, slice) {
            self.stream.socket().set_write_timeout(Some(slice))?;
            self.limits.write = slice;
        }
        Ok(())
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let slice = self.slice();
        if !will_do(self.limits.read, slice) {
            self.stream.socket().set_read_timeout(Some(slice))?;
            self.limits.read = slice;
        }
        self.stream.io().read(bytes)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bound_write()?;
        self.stream.io().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bound_write()?;
        self.stream.io().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const LONG: Duration = Duration::from_secs(20);
    /// Far less than the time limit, for a loaded machine.
    const SOON: Duration = Duration::from_secs(2);

    fn connected() -> (Blocking, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("descriptors");
        let address = Address::Unix("/run/redis.sock".into());
        let over = Blocking::over(Socket::Unix(ours), &address, None);
        (over.expect("no encryption"), theirs)
    }

    fn ping() -> Packed {
        let mut packed = Packed::default();
        packed.word("PING");
        packed
    }

    #[test]
    fn a_thread_looks_around_and_goes_on_where_it_was() {
        let (mut line, mut server) = connected();
        let (packed, deadline) = (ping(), Deadline::after(LONG, 0));
        let mut asked = Asked::default();
        for part in ["", "+PO", "NG\r"] {
            server.write_all(part.as_bytes()).expect("it is read");
            let went = line.go_on(&packed, &deadline, &mut asked);
            assert_eq!(went.expect("there is time"), None);
        }
        assert!(deadline.began().elapsed() < SOON);
        server.write_all(b"\n").expect("it is read");
        let replies = line.exchange_on(&packed, &deadline, &mut asked);
        assert_eq!(replies, [Value::SimpleString("PONG".into())]);
        assert!(line.is_quiet());
        let mut heard = vec![0; packed.bytes.len()];
        server.read_exact(&mut heard).expect("it was asked once");
        assert_eq!(heard, packed.bytes);
    }

    #[test]
    fn what_cannot_be_sent_at_once_is_sent_by_and_by() {
        let (mut line, mut server) = connected();
        let mut packed = Packed::default();
        packed.words("ECHO", ["x".repeat(4 << 20)]);
        let (deadline, mut asked) = (Deadline::after(LONG, packed.bytes.len()), Asked::default());
        let went = line.go_on(&packed, &deadline, &mut asked);
        assert_eq!(went.expect("there is time"), None);
        let length = packed.bytes.len();
        let hears = thread::spawn(move || {
            let mut heard = vec![0; length];
            server.read_exact(&mut heard).expect("all of it comes");
            server.write_all(b":1\r\n").expect("it is read");
            (heard, server)
        });
        let replies = line.exchange_on(&packed, &deadline, &mut asked);
        assert_eq!(replies, [Value::Int(1)]);
        let (heard, _server) = hears.join().expect("it ends");
        assert!(heard == packed.bytes);
    }

    #[test]
    fn a_time_limit_ends_it_between_two_looks() {
        let (mut line, _server) = connected();
        let deadline = Deadline::after(SLICE / 5, 0);
        let failure = line.exchange(&ping(), &deadline).expect_err("it is silent");
        assert_eq!(failure.kind, everwarm_core::store::FailureKind::Timeout);
        assert!(failure.to_string().contains("10ms"), "{failure}");
    }

    impl Blocking {
        fn exchange_on(
            &mut self,
            packed: &Packed,
            deadline: &Deadline,
            asked: &mut Asked,
        ) -> Vec<Value> {
            loop {
                let went = self.go_on(packed, deadline, asked);
                if let Some(replies) = went.expect("there is time") {
                    return replies;
                }
            }
        }
    }
}
