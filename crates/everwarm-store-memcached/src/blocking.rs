//! A connection on which a thread asks and waits by itself.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use everwarm_core::deadline::allowance;
use everwarm_core::store::Failure;
use everwarm_network::patience::{Patience, Wait};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustls::{ClientConnection, StreamOwned};

use crate::batch::Batch;
use crate::config::Server;
use crate::error::{ended, refused, timed_out};
use crate::line::{ROOM, is_reply_to};
use crate::replies::{Replies, Reply};

/// How long after its last use a connection is taken to be as it was.
const MOMENT: Duration = Duration::from_millis(5);
/// For how long a thread is blocked at most before it may look around, as for signals.
const SLICE: Duration = Duration::from_millis(50);

/// A socket, encrypted or not.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

trait Io: Read + Write {}

impl<S: Read + Write> Io for S {}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }

    fn io(&mut self) -> &mut dyn Io {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream,
        }
    }
}

/// A connection that one thread at a time uses. One that failed is never used again, so that no reply is left for another.
pub(crate) struct Blocking {
    stream: Stream,
    replies: Replies,
    room: Box<[u8]>,
    patience: Patience,
    used: Instant,
    server: Server,
}

/// What was asked on a connection, as far as it has come.
pub(crate) struct Asked {
    began: Instant,
    limit: Duration,
    sent: usize,
    received: usize,
    is_flushed: bool,
    /// Until something has come.
    wait: Option<Wait>,
    numbers: VecDeque<Option<u32>>,
    replies: Vec<Reply>,
}

impl Asked {
    /// Nothing yet, of commands that may take so long.
    pub(crate) fn new(batch: &Batch, limit: Duration) -> Self {
        Self {
            began: Instant::now(),
            limit,
            sent: 0,
            received: 0,
            is_flushed: false,
            wait: None,
            numbers: batch.numbers.iter().copied().collect(),
            replies: Vec::with_capacity(batch.numbers.len()),
        }
    }
}

/// Why a step was none.
enum Met {
    /// Nothing can be sent or has come for now, or a signal has.
    Nothing(io::ErrorKind),
    /// The end of the connection.
    Failure(Failure),
}

impl Blocking {
    /// A connection over an open socket, for operations that may take so long.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn over(stream: Stream, server: &Server, limit: Duration) -> Result<Self, Failure> {
        // What rounds to nothing would mean for ever.
        let slice = limit.clamp(Duration::from_millis(1), SLICE);
        let socket = stream.socket();
        let timed = socket.set_read_timeout(Some(slice));
        let timed = timed.and_then(|()| socket.set_write_timeout(Some(slice)));
        timed.map_err(|error| refused(server, &error))?;
        Ok(Self {
            stream,
            replies: Replies::default(),
            room: vec![0; ROOM].into(),
            patience: Patience::default(),
            used: Instant::now(),
            server: server.clone(),
        })
    }

    /// Sends commands, and reads one reply to each.
    ///
    /// # Errors
    /// Whatever it is, the connection must not be used again.
    pub(crate) fn exchange(
        &mut self,
        batch: &Batch,
        limit: Duration,
    ) -> Result<Vec<Reply>, Failure> {
        let mut asked = Asked::new(batch, limit);
        loop {
            if let Some(replies) = self.go_on(batch, &mut asked)? {
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
        batch: &Batch,
        asked: &mut Asked,
    ) -> Result<Option<Vec<Reply>>, Failure> {
        let begun = Instant::now();
        loop {
            let met = match self.step(batch, asked) {
                Ok(true) => {
                    self.used = Instant::now();
                    return Ok(Some(std::mem::take(&mut asked.replies)));
                }
                Ok(false) => None,
                Err(Met::Nothing(kind)) => Some(kind),
                Err(Met::Failure(failure)) => return Err(failure),
            };
            // Large values may take longer than small ones.
            let limit = asked.limit + allowance(asked.received);
            if asked.began.elapsed() >= limit {
                return Err(timed_out(&self.server, limit));
            }
            if met == Some(io::ErrorKind::Interrupted) || begun.elapsed() >= SLICE {
                return Ok(None);
            }
        }
    }

    /// Writes what is left to write, and reads, once each; whether all replies are there.
    fn step(&mut self, batch: &Batch, asked: &mut Asked) -> Result<bool, Met> {
        let server = &self.server;
        let met = |error: io::Error| match error.kind() {
            kind @ (io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Met::Nothing(kind),
            _ => Met::Failure(refused(server, &error)),
        };
        let io = self.stream.io();
        while asked.sent < batch.bytes.len() {
            let sent = io.write(&batch.bytes[asked.sent..]).map_err(met)?;
            if sent == 0 {
                return Err(Met::Failure(ended(server)));
            }
            asked.sent += sent;
        }
        if !asked.is_flushed {
            io.flush().map_err(met)?;
            asked.is_flushed = true;
            asked.wait = Some(self.patience.wait(self.stream.socket()));
        }
        let read = self.stream.io().read(&mut self.room).map_err(met)?;
        if let Some(wait) = asked.wait.take() {
            self.patience.came(&wait);
        }
        if read == 0 {
            return Err(Met::Failure(ended(server)));
        }
        asked.received += read;
        self.replies.feed(&self.room[..read]);
        while !asked.numbers.is_empty() {
            let next = self.replies.next();
            match next.map_err(|_| Met::Failure(ended(server)))? {
                Some(reply) => {
                    if !is_reply_to(&reply, asked.numbers.pop_front().flatten()) {
                        return Err(Met::Failure(ended(server)));
                    }
                    asked.replies.push(reply);
                }
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
        let looked = rustix::net::recv(self.stream.socket(), &mut [0; 1], flags);
        looked == Err(Errno::AGAIN)
    }
}
