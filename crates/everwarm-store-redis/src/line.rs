//! A connection at work: what is asked on it leaves together, and what comes back is handed out in order.
//!
//! Whoever asks puts bytes behind those that have not left yet. They are written by whoever asked, on his own thread and all that there
//! are at once, as far as they leave at once; the rest by one task, which reads: each reply belongs to the first who still waits for
//! one. The task also says when time is over, by one timer for all who wait. Who walked away stays in his place, so that his replies
//! are not taken for another's. A reply that can be none to what was asked ends the connection: those behind it are not told apart. Where one loop alone asks, it reads, and not the task (`own`).

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::address::Address;
use crate::deadline::Deadline;
use crate::error;
use crate::own::Inbox;
use crate::packed::{Packed, Shape};
use crate::replies::Replies;
use crate::shared::Cut;
use crate::socket::Socket;
use crate::value::Value;

/// Operations that may wait for their replies.
const MOST: usize = 1 << 16;
/// Room that is kept for what is written.
const KEPT: usize = 1 << 20;
/// Who has asked nothing for so long looks whether the connection is still there.
const MOMENT: Duration = Duration::from_millis(5);

/// A connection, as those know it who ask on it.
pub(crate) struct Line {
    pub(crate) address: Address,
    state: Mutex<State>,
    /// Who writes and reads.
    writer: AtomicWaker,
    received: AtomicU64,
    /// What a loop reads, if one does.
    inbox: Option<Inbox>,
}

#[derive(Default)]
struct State {
    unsent: Vec<u8>,
    /// Whether somebody has bytes in hand that go before those.
    is_writing: bool,
    /// The socket, if it is written to as it is.
    near: Option<Arc<Socket>>,
    /// Whether the task will look at the time before the first who waits is late.
    is_timed: bool,
    asked: VecDeque<Asked>,
    /// How many operations have got all of their replies.
    answered: u64,
    /// When somebody asked last.
    used: Option<std::time::Instant>,
    /// Why it has ended.
    end: Option<Failure>,
}

/// An operation that has not got all of its replies.
struct Asked {
    replies: Vec<Value>,
    count: usize,
    shape: Shape,
    deadline: Deadline,
    /// Bytes that had come before it was asked.
    before: u64,
    /// Who waits for it; None once that is over.
    exchange: Option<Arc<Exchange>>,
}

/// An operation, as who waits for it knows it.
#[derive(Default)]
struct Exchange(Mutex<Said>);

#[derive(Default)]
struct Said {
    waker: Option<Waker>,
    replies: Option<Result<Vec<Value>, Cut>>,
}

impl Exchange {
    /// Takes what it came to; who is to be woken.
    fn ends(&self, replies: Result<Vec<Value>, Cut>) -> Option<Waker> {
        let mut said = self.0.lock();
        said.replies = Some(replies);
        said.waker.take()
    }
}

/// The replies to an operation, once they are there.
pub(crate) struct Answered(Arc<Exchange>);

impl Future for Answered {
    type Output = Result<Vec<Value>, Cut>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut said = self.0.0.lock();
        if let Some(replies) = said.replies.take() {
            return Poll::Ready(replies);
        }
        match &mut said.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Wake for Line {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.writes_now() {
            self.writer.wake();
        }
    }
}

impl Line {
    /// A connection to this server, with its socket, if whoever asks may write to it, and with what a loop reads, if one does.
    pub(crate) fn new(
        address: &Address,
        near: Option<Arc<Socket>>,
        inbox: Option<Inbox>,
    ) -> Arc<Self> {
        let state = State {
            near,
            ..State::default()
        };
        Arc::new(Self {
            address: address.clone(),
            state: Mutex::new(state),
            writer: AtomicWaker::new(),
            received: AtomicU64::new(0),
            inbox,
        })
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().end.is_some()
    }

    /// As [`is_over`](Self::is_over), of one that a loop reads: it may have ended while the loop stood still.
    pub(crate) fn is_over_by_now(&self) -> bool {
        let state = self.state.lock();
        let was_used = state.used.is_none_or(|used| used.elapsed() < MOMENT);
        if state.end.is_some() || was_used || !state.asked.is_empty() {
            return state.end.is_some();
        }
        drop(state);
        !self.reads()
    }

    /// The socket, if whoever asks may write to it.
    pub(crate) fn near(&self) -> Option<Arc<Socket>> {
        self.state.lock().near.clone()
    }

    /// Reads what a loop would read, without waiting; whether more may come.
    pub(crate) fn reads(&self) -> bool {
        match &self.inbox {
            Some(inbox) => inbox.read(self),
            None => true,
        }
    }

    /// Asks. To walk away from the answer leaves nothing behind.
    pub(crate) fn ask(self: &Arc<Self>, packed: Packed, deadline: &Deadline) -> Answered {
        let exchange = Arc::new(Exchange::default());
        let answered = Answered(Arc::clone(&exchange));
        let mut state = self.state.lock();
        let refused = match &state.end {
            Some(why) => Some(Cut::Lost(why.clone())),
            None if state.asked.len() >= MOST => Some(Cut::TimedOut(crowded(&self.address))),
            None => None,
        };
        if let Some(cut) = refused {
            drop(state);
            exchange.ends(Err(cut));
            return answered;
        }
        match state.unsent.is_empty() {
            true => state.unsent = packed.bytes,
            false => state.unsent.extend_from_slice(&packed.bytes),
        }
        state.used = Some(deadline.began());
        state.asked.push_back(Asked {
            replies: Vec::with_capacity(packed.count),
            count: packed.count,
            shape: packed.shape,
            deadline: *deadline,
            before: self.received.load(Ordering::Relaxed),
            exchange: Some(exchange),
        });
        drop(state);
        everwarm_runtime::write_soon(Waker::from(Arc::clone(self)));
        answered
    }

    /// The number of the first operation that has not got all of its replies; None if there is none.
    pub(crate) fn awaited(&self) -> Option<u64> {
        let state = self.state.lock();
        (!state.asked.is_empty()).then_some(state.answered)
    }

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
        let sent = near.write(&bytes).unwrap_or(0);
        bytes.drain(..sent);
        let mut state = self.state.lock();
        state.is_writing = false;
        bytes.append(&mut state.unsent);
        bytes.shrink_to(KEPT);
        state.unsent = bytes;
        state.unsent.is_empty() && state.is_timed
    }

    /// Has come to its end: nobody waits any longer.
    pub(crate) fn ends(&self, why: &Failure) {
        let mut state = self.state.lock();
        let gone = std::mem::take(&mut *state);
        state.end = Some(gone.end.unwrap_or_else(|| why.clone()));
        drop(state);
        let waiting = gone.asked.into_iter().filter_map(|asked| asked.exchange);
        let wakers: Vec<_> = waiting
            .filter_map(|exchange| exchange.ends(Err(Cut::Lost(why.clone()))))
            .collect();
        wakers.into_iter().for_each(Waker::wake);
        // A loop may have found out.
        self.writer.wake();
    }

    /// Takes in so many bytes that have come, and hands out the replies that have come whole: who is to be woken.
    pub(crate) fn hand_out(
        &self,
        replies: &mut Replies,
        read: usize,
    ) -> (Vec<Waker>, Result<(), Failure>) {
        self.received.fetch_add(read as u64, Ordering::Relaxed);
        replies.came(read);
        let mut ended = Vec::new();
        let mut state = self.state.lock();
        let taken = loop {
            match replies.next() {
                Ok(Some(Value::Push)) => {}
                Ok(Some(value)) => {
                    let Some(first) = state.asked.front_mut() else {
                        break Err(error::ended(&self.address));
                    };
                    if !first.shape.fits(first.replies.len(), &value) {
                        break Err(error::ended(&self.address));
                    }
                    first.replies.push(value);
                    if first.replies.len() == first.count {
                        ended.extend(state.asked.pop_front());
                        state.answered += 1;
                    }
                }
                Ok(None) => break Ok(()),
                Err(_) => break Err(error::ended(&self.address)),
            }
        };
        drop(state);
        let wakers = ended
            .into_iter()
            .filter_map(|asked| asked.exchange?.ends(Ok(asked.replies)))
            .collect();
        (wakers, taken)
    }

    /// Whether the time is over of the first who waits.
    fn is_late(&self) -> bool {
        let received = self.received.load(Ordering::Relaxed);
        let state = self.state.lock();
        let first = state.asked.iter().find(|asked| asked.exchange.is_some());
        first.is_some_and(|asked| {
            let bytes = received.wrapping_sub(asked.before);
            asked.deadline.left(bytes).is_zero()
        })
    }

    /// Says to those whose time is over that it is; when that is due again.
    fn end_the_late(&self) -> Option<Duration> {
        let received = self.received.load(Ordering::Relaxed);
        let mut wakers = Vec::new();
        let mut due = None;
        let mut state = self.state.lock();
        for asked in &mut state.asked {
            let Some(exchange) = &asked.exchange else {
                continue;
            };
            let bytes = received.wrapping_sub(asked.before);
            let left = asked.deadline.left(bytes);
            if !left.is_zero() {
                // Who was asked later gets his replies later.
                due = Some(left);
                break;
            }
            let failure = error::timed_out(&self.address, asked.deadline.limit(bytes));
            wakers.extend(exchange.ends(Err(Cut::TimedOut(failure))));
            asked.exchange = None;
        }
        state.is_timed = due.is_some();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        due
    }
}

/// The task of a connection: it writes and reads until the connection is lost or the task is dropped.
pub(crate) struct Work<S> {
    line: Arc<Line>,
    stream: S,
    unsent: Vec<u8>,
    /// How many bytes of these have left.
    sent: usize,
    /// Whether it is this task that has bytes in hand.
    is_writing: bool,
    is_to_flush: bool,
    replies: Replies,
    timer: Pin<Box<Sleep>>,
    /// When the timer wakes, if it does.
    due: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Work<S> {
    /// The work on this line; to be made within the runtime.
    pub(crate) fn new(line: &Arc<Line>, stream: S) -> Self {
        Self {
            line: Arc::clone(line),
            stream,
            unsent: Vec::new(),
            sent: 0,
            is_writing: false,
            is_to_flush: false,
            replies: Replies::default(),
            timer: Box::pin(sleep_until(Instant::now())),
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
                let mut state = self.line.state.lock();
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
            let mut buffer = ReadBuf::new(self.replies.room());
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => {
                    return Poll::Ready(error::ended(&self.line.address));
                }
                Ok(()) => {}
                Err(failed) => return Poll::Ready(error::refused(&self.line.address, &failed)),
            }
            let read = buffer.filled().len();
            let (wakers, taken) = self.line.hand_out(&mut self.replies, read);
            wakers.into_iter().for_each(Waker::wake);
            if let Err(failure) = taken {
                return Poll::Ready(failure);
            }
        }
    }

    /// Looks whether somebody has waited for too long, and sees to it that this is done again.
    fn poll_time(&mut self, context: &mut Context<'_>) {
        loop {
            if self.due.is_some() && self.timer.as_mut().poll(context).is_pending() {
                return;
            }
            if self.line.is_late() {
                // A loop that stood still has not read what has come in time.
                self.line.reads();
            }
            self.due = self.line.end_the_late().map(|left| Instant::now() + left);
            match self.due {
                Some(due) => self.timer.as_mut().reset(due),
                None => return,
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Work<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.line.writer.register(context.waker());
        if self.line.is_over() {
            return Poll::Ready(());
        }
        if let Poll::Ready(Err(failed)) = self.poll_write(context) {
            self.line.ends(&error::refused(&self.line.address, &failed));
            return Poll::Ready(());
        }
        if let Poll::Ready(failure) = self.poll_read(context) {
            self.line.ends(&failure);
            return Poll::Ready(());
        }
        self.poll_time(context);
        Poll::Pending
    }
}

impl<S> Drop for Work<S> {
    fn drop(&mut self) {
        self.line.ends(&error::ended(&self.line.address));
    }
}

fn crowded(address: &Address) -> Failure {
    Failure::new(
        FailureKind::Capacity,
        format!("{MOST} operations wait for {address}"),
        "bound them with `bulkhead`, or see whether the server is overloaded",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    /// More than a socket takes at once.
    const LARGE: usize = 4 << 20;

    fn packed(byte: u8, length: usize) -> Packed {
        Packed {
            bytes: vec![byte; length],
            count: 1,
            ..Packed::default()
        }
    }

    #[test]
    fn who_asks_writes_and_the_task_writes_what_does_not_leave_at_once() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let socket = Socket::Unix(near.try_clone().unwrap());
        let line = Line::new(
            &Address::Unix("nowhere".into()),
            Some(Arc::new(socket)),
            None,
        );
        let deadline = Deadline::after(Duration::from_secs(60), 0);

        let first = line.ask(packed(b'a', 9), &deadline);
        let mut bytes = vec![0; 9];
        // There is no task yet.
        far.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, [b'a'; 9]);
        let large = line.ask(packed(b'b', LARGE), &deadline);
        let last = line.ask(packed(b'c', 9), &deadline);

        let _inside = runtime.enter();
        let stream = tokio::net::UnixStream::from_std(near).unwrap();
        runtime.spawn(Work::new(&line, stream));
        let mut bytes = vec![0; LARGE + 9];
        far.read_exact(&mut bytes).unwrap();
        assert!(bytes[..LARGE].iter().all(|byte| *byte == b'b'));
        assert_eq!(bytes[LARGE..], [b'c'; 9]);

        far.write_all(b"+1\r\n+2\r\n+3\r\n").unwrap();
        for (asked, text) in [(first, "1"), (large, "2"), (last, "3")] {
            let said = runtime.block_on(asked).ok().expect("it is answered");
            assert_eq!(said, [Value::SimpleString(text.into())]);
        }
        drop(far);
        let later = runtime.block_on(line.ask(packed(b'd', 1), &deadline));
        assert!(matches!(later, Err(Cut::Lost(_))));
    }

    #[test]
    fn a_reply_too_many_ends_the_connection_for_all_behind_it() {
        let line = Line::new(&Address::Unix("nowhere".into()), None, None);
        let deadline = Deadline::after(Duration::from_secs(60), 0);
        let ask = |keys: &[&str]| {
            let mut read = Packed::default();
            read.words("MGET", keys.iter().copied());
            line.ask(read, &deadline)
        };
        let asked = [ask(&["a", "b"]), ask(&["c", "d"]), ask(&["e", "f"])];
        // The second reply was one of two, until its length was damaged.
        let said = b"*2\r\n$-1\r\n$-1\r\n*1\r\n$-1\r\n$-1\r\n*2\r\n$-1\r\n$-1\r\n";
        let mut replies = Replies::default();
        replies.room()[..said.len()].copy_from_slice(said);
        let (_, taken) = line.hand_out(&mut replies, said.len());
        line.ends(&taken.expect_err("it is none to what was asked"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let [first, second, third] = asked.map(|asked| runtime.block_on(asked));
        assert!(first.is_ok_and(|values| values == [Value::Array(vec![Value::Nil; 2])]));
        for behind in [second, third] {
            assert!(matches!(behind, Err(Cut::Lost(_))));
        }
    }

    #[test]
    fn who_waits_for_too_long_is_told_though_the_task_wrote_nothing() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (near, _far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let socket = Socket::Unix(near.try_clone().unwrap());
        let line = Line::new(
            &Address::Unix("nowhere".into()),
            Some(Arc::new(socket)),
            None,
        );
        let _inside = runtime.enter();
        let stream = tokio::net::UnixStream::from_std(near).unwrap();
        runtime.spawn(Work::new(&line, stream));
        for _ in 0..2 {
            let deadline = Deadline::after(Duration::from_millis(2), 0);
            let late = runtime.block_on(line.ask(packed(b'a', 9), &deadline));
            assert!(matches!(late, Err(Cut::TimedOut(_))));
        }
    }
}
