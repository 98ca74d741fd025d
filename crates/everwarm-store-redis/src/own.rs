//! Connections that the tasks of one loop ask on, and that this loop reads itself: no other thread is between it and the server.
//!
//! Such a connection is made in the background for a loop that has asked for a while, on the one that all tasks share. Who asks
//! writes, as on any other, and a task of the runtime writes what does not leave at once and looks after the time. Before it says of
//! anything that it is late it reads what has come: a loop that stood still has read nothing.
//!
//! The descriptor is closed only once the loop has let go of it. Who is done with the connection ends both ways of the socket; the loop
//! then reads that nothing more will come.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};

use everwarm_core::store::Failure;
use everwarm_network::patience::{Patience, Wait};
use everwarm_runtime::{Loop, Reading, process_id};
use parking_lot::Mutex;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use crate::address::Address;
use crate::error;
use crate::line::Line;
use crate::renewed::Renewed;
use crate::replies::Replies;
use crate::shared::Shared;
use crate::socket::Socket;

/// How often a loop has asked a server before it has a connection of its own.
const BEFORE: u32 = 32;
/// How often a loop reads before it does something else.
const AT_ONCE: usize = 16;

/// The connections to one server that belong to loops.
#[derive(Default)]
pub(crate) struct Own(Mutex<State>);

#[derive(Default)]
struct State {
    lines: Vec<OfLoop>,
    is_closed: bool,
}

/// That of one loop.
struct OfLoop {
    of: Weak<Loop>,
    asked: u32,
    shared: Arc<Renewed<Shared>>,
}

impl Own {
    /// That of a loop which asks; None as long as it has not asked often enough.
    pub(crate) fn of(&self, asking: &Arc<Loop>, address: &Address) -> Option<Arc<Renewed<Shared>>> {
        let mut state = self.0.lock();
        if state.is_closed || asking.is_over() {
            return None;
        }
        let of = Arc::as_ptr(asking);
        if let Some(line) = state.lines.iter_mut().find(|line| line.of.as_ptr() == of) {
            line.asked = line.asked.saturating_add(1);
            return (line.asked > BEFORE).then(|| Arc::clone(&line.shared));
        }
        let gone: Vec<_> = state
            .lines
            .extract_if(.., |line| line.of.strong_count() == 0)
            .collect();
        state.lines.push(OfLoop {
            of: Arc::downgrade(asking),
            asked: 1,
            shared: Arc::new(Renewed::new(address.to_string())),
        });
        drop(state);
        drop(gone);
        None
    }

    /// Gives up the one that was found useless.
    pub(crate) fn give_up(&self, old: &Arc<Shared>) {
        let lines: Vec<_> = {
            let state = self.0.lock();
            let lines = state.lines.iter();
            lines.map(|line| Arc::clone(&line.shared)).collect()
        };
        lines.iter().for_each(|line| line.give_up(old));
    }

    /// Drops them all, for good.
    pub(crate) fn close(&self) {
        let lines = {
            let mut state = self.0.lock();
            state.is_closed = true;
            std::mem::take(&mut state.lines)
        };
        lines.iter().for_each(|line| line.shared.close());
    }
}

/// Gives a connection on which nothing is under way to a loop, which reads it from then on.
///
/// # Errors
/// If the loop is gone, or the connection is not one that whoever asks may write to.
pub(crate) async fn given(
    shared: Shared,
    to: &Weak<Loop>,
    address: &Address,
) -> Result<Shared, Failure> {
    let ended = || error::ended(address);
    let (socket, server) = shared.left().await.ok_or_else(ended)?;
    let inbox = Inbox::new(&socket);
    let line = Line::new(address, Some(Arc::clone(&socket)), Some(inbox));
    let written = Written::new(&socket).map_err(|error| error::refused(address, &error))?;
    let mut own = Shared::at_work(&line, written);
    own.server = server;
    let read = ReadByLoop {
        line: Some(line),
        socket,
        process: process_id(),
        waits: Mutex::default(),
    };
    to.upgrade().ok_or_else(ended)?.bring(Arc::new(read));
    Ok(own)
}

/// What a loop reads of a connection.
pub(crate) struct Inbox {
    socket: Arc<Socket>,
    replies: Mutex<Replies>,
}

impl Inbox {
    fn new(socket: &Arc<Socket>) -> Self {
        Self {
            socket: Arc::clone(socket),
            replies: Mutex::default(),
        }
    }

    /// Reads what has come, and hands it out; whether more may come.
    pub(crate) fn read(&self, line: &Line) -> bool {
        let mut wakers = Vec::new();
        let read = self.read_to(line, &mut wakers);
        // Not under the lock: who is woken may wait for the interpreter, which who reads may have.
        wakers.into_iter().for_each(Waker::wake);
        read.inspect_err(|why| line.ends(why)).is_ok()
    }

    fn read_to(&self, line: &Line, wakers: &mut Vec<Waker>) -> Result<(), Failure> {
        let mut replies = self.replies.lock();
        for _ in 0..AT_ONCE {
            let room = replies.room();
            let most = room.len();
            let read = match self.socket.read(room) {
                Ok(0) => return Err(error::ended(&line.address)),
                Ok(read) => read,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => break,
                    io::ErrorKind::Interrupted => continue,
                    _ => return Err(error::refused(&line.address, &error)),
                },
            };
            let (woken, taken) = line.hand_out(&mut replies, read);
            wakers.extend(woken);
            taken?;
            if read < most {
                break;
            }
        }
        Ok(())
    }
}

/// A connection, as the loop has it that reads it.
struct ReadByLoop {
    /// There until it is dropped, or belongs to a parent process.
    line: Option<Arc<Line>>,
    socket: Arc<Socket>,
    process: u32,
    /// Locked by the loop's thread only.
    waits: Mutex<Waits>,
}

/// How a loop waits for answers.
#[derive(Default)]
struct Waits {
    patience: Patience,
    /// The first operation that has no answer, by its number.
    first: Option<(u64, Wait)>,
}

impl Reading for ReadByLoop {
    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn read(&self) -> bool {
        let Some(line) = &self.line else {
            return false;
        };
        let goes_on = line.reads();
        let awaited = line.awaited();
        let mut waits = self.waits.lock();
        if let Some((_, wait)) = waits.first.take_if(|(number, _)| awaited != Some(*number)) {
            waits.patience.came(&wait);
        }
        goes_on
    }

    fn asked(&self) {
        let mut waits = self.waits.lock();
        let Waits { patience, first } = &mut *waits;
        let awaited = self.line.as_ref().and_then(|line| line.awaited());
        first.take_if(|(number, _)| awaited != Some(*number));
        if let (Some(number), None) = (awaited, &first) {
            *first = Some((number, patience.begin()));
        }
    }

    fn looks(&self) -> bool {
        let waits = self.waits.lock();
        waits.first.as_ref().is_some_and(|(_, wait)| wait.looks())
    }
}

impl Drop for ReadByLoop {
    fn drop(&mut self) {
        let Some(line) = self.line.take() else {
            return;
        };
        if self.process == process_id() {
            line.ends(&error::ended(&line.address));
        } else {
            // The task that it would wake is in the parent alone, and a lock may have been held at the fork.
            std::mem::forget(line);
        }
    }
}

/// A socket that is written to here, and read elsewhere. Who drops it ends the connection.
struct Written(AsyncFd<Arc<Socket>>);

impl Written {
    /// To be made within the runtime.
    fn new(socket: &Arc<Socket>) -> io::Result<Self> {
        #[expect(
            deprecated,
            reason = "a shared socket is what its descriptor says, for as long as it is there"
        )]
        let written = AsyncFd::with_interest(Arc::clone(socket), Interest::WRITABLE)?;
        Ok(Self(written))
    }
}

impl AsyncRead for Written {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Written {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(context))?;
            if let Ok(written) = guard.try_io(|socket| socket.get_ref().write(bytes)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.get_ref().end())
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // One that has ended already is no concern.
        let _ = self.0.get_ref().end();
    }
}

impl Socket {
    /// Reads what has come.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has.
    fn read(&self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => (&*stream).read(room),
            Self::Unix(stream) => (&*stream).read(room),
        }
    }

    /// Ends both ways of the connection, for whoever has the socket.
    fn end(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::pin::pin;
    use std::time::Duration;

    use tokio::runtime::{Builder, Runtime};

    use crate::deadline::Deadline;
    use crate::packed::Packed;
    use crate::shared::Cut;
    use crate::value::Value;

    struct World {
        runtime: Runtime,
        asking: Arc<Loop>,
        own: Shared,
        read: Arc<dyn Reading>,
        far: UnixStream,
    }

    fn world() -> World {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        far.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let address = Address::Unix("nowhere".into());
        let asking = Arc::new(Loop::default());
        let own = runtime.block_on(async {
            let socket = Socket::Unix(near.try_clone().unwrap());
            let stream = tokio::net::UnixStream::from_std(near).unwrap();
            let shared = Shared::over((stream, Some(socket)), &address);
            given(shared, &Arc::downgrade(&asking), &address).await
        });
        let read = asking.take().pop().expect("it was brought");
        World {
            runtime,
            own: own.expect("the loop is there"),
            asking,
            read,
            far,
        }
    }

    fn packed() -> Packed {
        Packed {
            bytes: b"PING\r\n".to_vec(),
            count: 1,
            ..Packed::default()
        }
    }

    fn hears(far: &mut UnixStream) {
        let mut bytes = [0; 6];
        far.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"PING\r\n");
    }

    fn polled<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_asks_has_the_answer_once_the_loop_has_read_it() {
        let mut world = world();
        let deadline = Deadline::after(Duration::from_secs(60), 0);
        for is_second in [false, true] {
            let mut asked = pin!(world.own.exchange(packed(), &deadline));
            assert!(polled(asked.as_mut()).is_pending());
            hears(&mut world.far);
            assert!(world.read.read());
            assert!(!world.read.looks());
            world.read.asked();
            // Both ways are tried one after the other. A look may be over by now.
            assert!(is_second || !world.read.looks());
            world.far.write_all(b"+PO").unwrap();
            assert!(world.read.read() && polled(asked.as_mut()).is_pending());
            world.far.write_all(b"NG\r\n").unwrap();
            assert!(world.read.read());
            let Poll::Ready(Ok(replies)) = polled(asked) else {
                panic!("it is answered");
            };
            assert_eq!(replies, [Value::SimpleString("PONG".into())]);
        }
    }

    #[test]
    fn what_came_while_the_loop_stood_still_is_not_late() {
        let mut world = world();
        let deadline = Deadline::after(Duration::from_millis(100), 0);
        let mut asked = pin!(world.own.exchange(packed(), &deadline));
        assert!(polled(asked.as_mut()).is_pending());
        hears(&mut world.far);
        world.far.write_all(b"+PONG\r\n").unwrap();
        assert!(world.runtime.block_on(asked).is_ok());

        let deadline = Deadline::after(Duration::from_millis(2), 0);
        let late = world
            .runtime
            .block_on(world.own.exchange(packed(), &deadline));
        assert!(matches!(late, Err(Cut::TimedOut(_))));
    }

    #[test]
    fn what_does_not_leave_at_once_leaves_later() {
        const LARGE: usize = 4 << 20;
        let mut world = world();
        let deadline = Deadline::after(Duration::from_secs(60), 0);
        let large = Packed {
            bytes: vec![b'a'; LARGE],
            count: 1,
            ..Packed::default()
        };
        let mut asked = pin!(world.own.exchange(large, &deadline));
        assert!(polled(asked.as_mut()).is_pending());
        let mut heard = vec![0; LARGE];
        world.far.read_exact(&mut heard).unwrap();
        world.far.write_all(b"+1\r\n").unwrap();
        assert!(world.read.read() && polled(asked).is_ready());
    }

    #[test]
    fn who_is_done_with_it_ends_it_for_the_server_and_for_the_loop() {
        let World {
            own, read, mut far, ..
        } = world();
        drop(own);
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
        assert!(!read.read());
    }

    #[test]
    fn a_loop_that_lets_go_of_it_ends_it() {
        let mut world = world();
        world.asking.end();
        drop(world.read);
        assert!(world.own.is_over());
        assert_eq!(world.far.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn one_that_ended_while_the_loop_stood_still_is_not_asked_on() {
        let mut world = world();
        let deadline = Deadline::after(Duration::from_secs(60), 0);
        {
            let mut asked = pin!(world.own.exchange(packed(), &deadline));
            assert!(polled(asked.as_mut()).is_pending());
            hears(&mut world.far);
            world.far.write_all(b"+PONG\r\n").unwrap();
            assert!(world.read.read() && polled(asked).is_ready());
        }
        std::thread::sleep(Duration::from_millis(10));
        assert!(!world.own.is_over_by_now());
        drop(world.far);
        assert!(world.own.is_over_by_now());
    }
}
