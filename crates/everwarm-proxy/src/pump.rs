//! Bytes go through a connection, as its two streams decide.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::fault::Way;
use crate::shared::Shared;
use crate::stream::{Fate, Step, Stream};

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As connections should.
    Close,
    /// With a reset to both sides.
    Reset,
}

// What is read at once at most; a chunk is no longer.
const CHUNK: usize = 16 * 1024;

// How much may wait in one direction until no more is read.
const WAITING: usize = 1024 * 1024;

// How long a reply waits for another to change places with.
const ALONE: Duration = Duration::from_millis(20);

/// Passes bytes in both directions until both have ended, or one ends the connection.
pub(crate) async fn through(
    shared: &Shared,
    number: u64,
    client: &mut TcpStream,
    server: &mut TcpStream,
) -> End {
    let (client_read, client_write) = client.split();
    let (server_read, server_write) = server.split();
    let up = Pump::new(shared, number, Way::Up).run(client_read, server_write);
    let down = Pump::new(shared, number, Way::Down).run(server_read, client_write);
    match tokio::try_join!(up, down) {
        Ok(_) => End::Close,
        Err(end) => end,
    }
}

/// What waits for its time.
#[derive(Debug)]
enum Act {
    Send(Bytes),
    End(End),
}

/// One direction.
struct Pump<'a> {
    shared: &'a Shared,
    number: u64,
    way: Way,
    stream: Stream,
    changes: watch::Receiver<()>,
    queue: VecDeque<(Instant, Act)>,
    queued: usize,
    held: Option<Bytes>,
    /// Whether more can be read.
    open: bool,
    /// When the latest of the queue is due.
    last: Instant,
}

impl<'a> Pump<'a> {
    fn new(shared: &'a Shared, number: u64, way: Way) -> Self {
        Self {
            shared,
            number,
            way,
            stream: Stream::new(shared.seed(), number, way),
            changes: shared.changes(),
            queue: VecDeque::new(),
            queued: 0,
            held: None,
            open: true,
            last: Instant::now(),
        }
    }

    async fn run(mut self, mut source: ReadHalf<'_>, mut sink: WriteHalf<'_>) -> Result<(), End> {
        let mut buffer = BytesMut::new();
        while self.open || self.busy() {
            buffer.reserve(CHUNK);
            let reads = self.open && self.held.is_none() && self.queued < WAITING;
            let due = self.queue.front().map_or(self.last, |queued| queued.0);
            tokio::select! {
                biased;
                _ = self.changes.changed() => self.reconsider(),
                () = sleep_until(due), if !self.queue.is_empty() => self.act(&mut sink).await?,
                read = source.read_buf(&mut buffer), if reads => match read {
                    Ok(0) => self.open = false,
                    Ok(_) => self.take(buffer.split().freeze()),
                    Err(_) => return Err(End::Reset),
                },
                () = sleep(ALONE), if self.stream.holds() => self.release(),
            }
        }
        // Who is not told of bytes is not told of their end either.
        while self.stream.lost() || self.shared.lasts("freeze", Some(self.way)) {
            let _ = self.changes.changed().await;
        }
        sink.shutdown().await.map_err(|_| End::Reset)
    }

    fn busy(&self) -> bool {
        !self.queue.is_empty() || self.held.is_some() || self.stream.holds()
    }

    fn take(&mut self, chunk: Bytes) {
        let stream = &mut self.stream;
        let fate = self
            .shared
            .decide((self.number, self.way), |faults, befallen| {
                stream.take(chunk, faults, befallen)
            });
        match fate {
            Fate::Held(chunk) => self.held = Some(chunk),
            Fate::Steps(steps) => self.enqueue(steps),
        }
    }

    fn release(&mut self) {
        let stream = &mut self.stream;
        let steps = self
            .shared
            .decide((self.number, self.way), |faults, befallen| {
                stream.release(faults, befallen)
            });
        self.enqueue(steps);
    }

    fn enqueue(&mut self, steps: Vec<Step>) {
        let now = Instant::now();
        for step in steps {
            let act = match step {
                Step::Send { bytes, late, gap } => {
                    self.last = (now + late).max(self.last) + gap;
                    self.queued += bytes.len();
                    Act::Send(bytes)
                }
                Step::Close => Act::End(End::Close),
                Step::Reset => Act::End(End::Reset),
            };
            self.open &= matches!(act, Act::Send(_));
            self.queue.push_back((self.last, act));
        }
    }

    /// Does what is due.
    async fn act(&mut self, sink: &mut WriteHalf<'_>) -> Result<(), End> {
        match self.queue.pop_front() {
            Some((_, Act::Send(bytes))) => {
                self.queued -= bytes.len();
                sink.write_all(&bytes).await.map_err(|_| End::Reset)
            }
            Some((_, Act::End(end))) => Err(end),
            None => Ok(()),
        }
    }

    /// What waits goes on, where the fault that it waits for is lifted.
    fn reconsider(&mut self) {
        if let Some(chunk) = self.held.take() {
            self.take(chunk);
        }
        let slow = ["delay", "bandwidth", "slices"];
        if !slow
            .iter()
            .any(|name| self.shared.lasts(name, Some(self.way)))
        {
            self.last = Instant::now();
            for queued in &mut self.queue {
                queued.0 = self.last;
            }
        }
    }
}
