//! The connection that all tasks of a process share: what they ask leaves at once, and what comes back is handed out in order.
//!
//! Whoever asks puts bytes behind those that have not left yet, and writes all that there are, as far as they leave at once; the rest is
//! written by one task, which reads. Who walked away stays in his place, so
//! that his replies are not taken for another's; each reply repeats the number of its command, too. The task also says when time is over,
//! by one timer for all who wait. Where nothing at all came for twice the time that the first in the row has, it ends the connection.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use everwarm_core::deadline::allowance;
use everwarm_core::store::Failure;
use everwarm_runtime::process_id;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::batch::Batch;
use crate::config::Server;
use crate::error::{crowded, ended, refused, timed_out};
use crate::replies::{Replies, Reply};

/// Operations that may wait for their replies.
const MOST: usize = 1 << 16;
/// Bytes that are read at once.
pub(crate) const ROOM: usize = 64 << 10;
/// Room that is kept for what is written.
const KEPT: usize = 1 << 20;

/// A connection that all tasks share.
pub(crate) struct Line {
    /// There until it is dropped, or belongs to a parent process.
    row: Option<Arc<Row>>,
    work: JoinHandle<()>,
    process: u32,
}

/// Who asks on a connection.
struct Row {
    server: Server,
    state: Mutex<State>,
    /// Who writes and reads.
    worker: AtomicWaker,
    received: AtomicU64,
}

#[derive(Default)]
struct State {
    unsent: Vec<u8>,
    /// Whether somebody has bytes in hand that go before those.
    is_writing: bool,
    /// The socket, if it is written to as it is.
    near: Option<Arc<TcpStream>>,
    /// Whether the task will look at the time before the first who waits is late.
    is_timed: bool,
    asked: VecDeque<Asked>,
    /// Why it has ended.
    end: Option<Failure>,
}

/// An operation that has not got all of its replies.
struct Asked {
    numbers: VecDeque<Option<u32>>,
    replies: Vec<Reply>,
    began: Instant,
    limit: Duration,
    /// Bytes that had come before it was asked.
    before: u64,
    /// Who waits for it; None once that is over.
    waits: Option<Arc<Waits>>,
}

/// An operation, as who waits for it knows it.
#[derive(Default)]
struct Waits(Mutex<Given>);

#[derive(Default)]
struct Given {
    waker: Option<Waker>,
    replies: Option<Result<Vec<Reply>, Failure>>,
}

impl Waits {
    /// Takes what it came to; who is to be woken.
    fn ends(&self, replies: Result<Vec<Reply>, Failure>) -> Option<Waker> {
        let mut given = self.0.lock();
        given.replies = Some(replies);
        given.waker.take()
    }
}

struct Answered(Arc<Waits>);

impl Future for Answered {
    type Output = Result<Vec<Reply>, Failure>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut given = self.0.0.lock();
        if let Some(replies) = given.replies.take() {
            return Poll::Ready(replies);
        }
        match &mut given.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Line {
    /// A connection over a stream, with its socket, if whoever asks may write to it; a task of this runtime writes and reads it.
    pub(crate) fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        near: Option<TcpStream>,
        server: &Server,
    ) -> Self {
        let state = State {
            near: near.map(Arc::new),
            ..State::default()
        };
        let row = Arc::new(Row {
            server: server.clone(),
            state: Mutex::new(state),
            worker: AtomicWaker::new(),
            received: AtomicU64::new(0),
        });
        Self {
            work: tokio::spawn(Work::new(&row, stream)),
            row: Some(row),
            process: process_id(),
        }
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        let row = self.row.as_ref();
        row.is_none_or(|row| row.state.lock().end.is_some())
    }

    /// Sends commands, and gives one reply to each. To walk away from it leaves nothing behind: the replies find nobody.
    ///
    /// # Errors
    /// If the connection ends before, or so much time is over.
    pub(crate) async fn ask(&self, batch: Batch, limit: Duration) -> Result<Vec<Reply>, Failure> {
        let Some(row) = &self.row else {
            return Ok(Vec::new());
        };
        let waits = Arc::new(Waits::default());
        {
            let mut state = row.state.lock();
            if let Some(why) = &state.end {
                return Err(why.clone());
            }
            if state.asked.len() >= MOST {
                return Err(crowded(&row.server, MOST));
            }
            match state.unsent.is_empty() {
                true => state.unsent = batch.bytes,
                false => state.unsent.extend_from_slice(&batch.bytes),
            }
            state.asked.push_back(Asked {
                replies: Vec::with_capacity(batch.numbers.len()),
                numbers: batch.numbers.into(),
                began: Instant::now(),
                limit,
                before: row.received.load(Ordering::Relaxed),
                waits: Some(Arc::clone(&waits)),
            });
        }
        everwarm_runtime::write_soon(Waker::from(Arc::clone(row)));
        Answered(waits).await
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.process == process_id() {
            self.work.abort();
        } else {
            // The task that it would wake is in the parent alone, and a lock may have been held at the fork.
            std::mem::forget(self.row.take());
        }
    }
}

impl Wake for Row {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.writes_now() {
            self.worker.wake();
        }
    }
}

impl Row {
    /// Writes what has not left yet, as far as it leaves at once; whether the task has nothing to do now.
    fn writes_now(&self) -> bool {
        let mut state = self.state.lock();
        let Some(near) = state.near.clone().filter(|_| !state.is_writing) else {
            return false;
        };
        if state.unsent.is_empty() {
            return state.is_timed;
        }
        state.is_writing = true;
        let mut bytes = std::mem::take(&mut state.unsent);
        drop(state);
        // Not under the lock, which whoever reads takes. What is wrong with the socket the task finds out, too.
        let sent = (&*near).write(&bytes).unwrap_or(0);
        bytes.drain(..sent);
        let mut state = self.state.lock();
        state.is_writing = false;
        bytes.append(&mut state.unsent);
        bytes.shrink_to(KEPT);
        state.unsent = bytes;
        state.unsent.is_empty() && state.is_timed
    }

    /// Has come to its end: nobody waits any longer.
    fn ends(&self, why: &Failure) {
        let mut state = self.state.lock();
        let gone = std::mem::take(&mut *state);
        state.end = Some(gone.end.unwrap_or_else(|| why.clone()));
        drop(state);
        let waiting = gone.asked.into_iter().filter_map(|asked| asked.waits);
        let wakers: Vec<_> = waiting
            .filter_map(|waits| waits.ends(Err(why.clone())))
            .collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Hands out the replies that have come whole; who is to be woken.
    ///
    /// # Errors
    /// If one is no reply, or the reply to something else.
    fn hand_out(&self, replies: &mut Replies) -> (Vec<Waker>, Result<(), Failure>) {
        let mut over = Vec::new();
        let mut state = self.state.lock();
        let taken = loop {
            let reply = match replies.next() {
                Ok(Some(reply)) => reply,
                Ok(None) => break Ok(()),
                Err(_) => break Err(ended(&self.server)),
            };
            let Some(first) = state.asked.front_mut() else {
                break Err(ended(&self.server));
            };
            let number = first.numbers.pop_front().flatten();
            if !is_reply_to(&reply, number) {
                break Err(ended(&self.server));
            }
            first.replies.push(reply);
            if first.numbers.is_empty() {
                over.extend(state.asked.pop_front());
            }
        };
        drop(state);
        let wakers = over
            .into_iter()
            .filter_map(|asked| asked.waits?.ends(Ok(asked.replies)))
            .collect();
        (wakers, taken)
    }

    /// Says to those whose time is over that it is; when that is due again, and from when on the first in the row is unanswered.
    fn end_the_late(&self) -> (Option<Instant>, Option<(Instant, Duration)>) {
        let now = Instant::now();
        let received = self.received.load(Ordering::Relaxed);
        let (mut wakers, mut due) = (Vec::new(), None);
        let mut state = self.state.lock();
        let first = state.asked.front().map(|asked| (asked.began, asked.limit));
        for asked in &mut state.asked {
            let Some(waits) = &asked.waits else {
                continue;
            };
            // Large values may take longer than small ones.
            let since = usize::try_from(received.wrapping_sub(asked.before));
            let limit = asked.limit + allowance(since.unwrap_or(0));
            let at = asked.began + limit;
            if at > now {
                // Who was asked later is late later, but for larger values.
                due = Some(at);
                break;
            }
            wakers.extend(waits.ends(Err(timed_out(&self.server, limit))));
            asked.waits = None;
        }
        state.is_timed = first.is_some();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        (due, first)
    }
}

/// Whether a reply answers the command of this number: what is refused, and what has no key, repeats none.
pub(crate) fn is_reply_to(reply: &Reply, number: Option<u32>) -> bool {
    reply.number.is_none() || reply.number == number
}

/// The task of a connection: it writes and reads until the connection is lost or the task is dropped.
struct Work<S> {
    row: Arc<Row>,
    stream: S,
    unsent: Vec<u8>,
    /// How many bytes of these have left.
    sent: usize,
    /// Whether it is this task that has bytes in hand.
    is_writing: bool,
    is_to_flush: bool,
    replies: Replies,
    room: Box<[u8]>,
    /// When something came last.
    heard: Instant,
    timer: Pin<Box<Sleep>>,
    /// When the timer wakes, if it does.
    due: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Work<S> {
    fn new(row: &Arc<Row>, stream: S) -> Self {
        let now = Instant::now();
        Self {
            row: Arc::clone(row),
            stream,
            unsent: Vec::new(),
            sent: 0,
            is_writing: false,
            is_to_flush: false,
            replies: Replies::default(),
            room: vec![0; ROOM].into(),
            heard: now,
            timer: Box::pin(sleep_until(now)),
            due: None,
        }
    }

    /// Writes all that there is to write.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.sent == self.unsent.len() {
                self.unsent.clear();
                self.unsent.shrink_to(KEPT);
                self.sent = 0;
                let mut state = self.row.state.lock();
                if state.is_writing && !self.is_writing {
                    // Whoever does that calls this task if anything is left.
                    break;
                }
                std::mem::swap(&mut self.unsent, &mut state.unsent);
                self.is_writing = !self.unsent.is_empty();
                state.is_writing = self.is_writing;
            }
            if self.unsent.is_empty() {
                break;
            }
            let stream = Pin::new(&mut self.stream);
            let sent = ready!(stream.poll_write(context, &self.unsent[self.sent..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
            self.is_to_flush = true;
        }
        if self.is_to_flush {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.is_to_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads all that has come; ready once the connection has ended.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Failure> {
        loop {
            let mut buffer = ReadBuf::new(&mut self.room);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => {
                    return Poll::Ready(ended(&self.row.server));
                }
                Ok(()) => {}
                Err(error) => return Poll::Ready(refused(&self.row.server, &error)),
            }
            self.heard = Instant::now();
            let read = buffer.filled().len() as u64;
            self.row.received.fetch_add(read, Ordering::Relaxed);
            self.replies.feed(buffer.filled());
            let (wakers, taken) = self.row.hand_out(&mut self.replies);
            wakers.into_iter().for_each(Waker::wake);
            if let Err(failure) = taken {
                return Poll::Ready(failure);
            }
        }
    }

    /// Looks whether somebody has waited for too long, and sees to it that this is done again; ready once nothing came for too long.
    fn poll_time(&mut self, context: &mut Context<'_>) -> Poll<Failure> {
        loop {
            if self.due.is_some() && self.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let (due, first) = self.row.end_the_late();
            self.due = match first {
                None => None,
                Some((began, limit)) => {
                    let silent = began.max(self.heard) + 2 * limit;
                    if silent <= Instant::now() {
                        return Poll::Ready(timed_out(&self.row.server, 2 * limit));
                    }
                    Some(due.map_or(silent, |due| due.min(silent)))
                }
            };
            match self.due {
                Some(due) => self.timer.as_mut().reset(due),
                None => return Poll::Pending,
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Work<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.row.worker.register(context.waker());
        let over = match self.poll_write(context) {
            Poll::Ready(Err(error)) => Poll::Ready(refused(&self.row.server, &error)),
            _ => self.poll_read(context),
        };
        let over = match over {
            Poll::Pending => self.poll_time(context),
            over => over,
        };
        over.map(|failure| self.row.ends(&failure))
    }
}

impl<S> Drop for Work<S> {
    fn drop(&mut self) {
        self.row.ends(&ended(&self.row.server));
    }
}
