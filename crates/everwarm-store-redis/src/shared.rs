//! A connection that all tasks of a process share: what they ask at once leaves at once, and each gets its own reply.

use std::sync::Arc;
use std::time::Instant;

use everwarm_core::store::{Failure, FailureKind};
use everwarm_runtime::process_id;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use crate::address::Address;
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::handshake::Identity;
use crate::line::{Line, Work};
use crate::packed::Packed;
use crate::socket::Socket;
use crate::value::Value;

/// A connection that all tasks share.
pub(crate) struct Shared {
    /// There until it is dropped, or belongs to a parent process.
    line: Option<Arc<Line>>,
    work: JoinHandle<()>,
    silence: Mutex<Silence>,
    process: u32,
    /// The server, once it is known.
    pub(crate) server: Identity,
    /// The number of its reign.
    pub(crate) reign: u64,
    /// The server's clock.
    pub(crate) clock: Clock,
}

/// Why a connection gave no replies.
pub(crate) enum Cut {
    /// It is of no use any more.
    Lost(Failure),
    /// There was no answer in time, on a connection that may yet be of use.
    TimedOut(Failure),
}

impl Shared {
    /// A connection over a stream, with its socket, if whoever asks may write to it; a task of this runtime writes and reads it.
    pub(crate) fn over(
        (stream, near): (
            impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
            Option<Socket>,
        ),
        address: &Address,
    ) -> Self {
        let line = Line::new(address, near.map(Arc::new), None);
        Self::at_work(&line, stream)
    }

    /// A connection whose task writes to this stream, and reads it; to be made within the runtime.
    pub(crate) fn at_work(
        line: &Arc<Line>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        Self {
            work: tokio::spawn(Work::new(line, stream)),
            line: Some(Arc::clone(line)),
            silence: Mutex::new(Silence::default()),
            process: process_id(),
            server: Identity::default(),
            reign: 0,
            clock: Clock::default(),
        }
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.line().is_over()
    }

    /// As [`is_over`](Self::is_over), of one that a loop reads.
    pub(crate) fn is_over_by_now(&self) -> bool {
        self.line().is_over_by_now()
    }

    /// Its socket, which nobody writes to or reads any more, and the server; None where who asks may not write.
    pub(crate) async fn left(mut self) -> Option<(Arc<Socket>, Identity)> {
        let socket = self.line().near()?;
        self.work.abort();
        // That it was ended is what was wanted.
        let _ = (&mut self.work).await;
        Some((socket, std::mem::take(&mut self.server)))
    }

    fn line(&self) -> &Arc<Line> {
        self.line.as_ref().expect("it is there until it is dropped")
    }

    /// Takes note that an operation which began then had no answer, on this or another connection to the same server; whether that
    /// makes two in a row, and it is of no use any more.
    pub(crate) fn missed(&self, began: Instant) -> bool {
        self.silence.lock().missed(began)
    }

    /// Sends commands, and gives one reply to each. To walk away from it leaves nothing behind: the reply finds nobody.
    ///
    /// # Errors
    /// Whether the connection is lost, or time was over.
    pub(crate) async fn exchange(
        &self,
        packed: Packed,
        deadline: &Deadline,
    ) -> Result<Vec<Value>, Cut> {
        match self.line().ask(packed, deadline).await {
            Ok(values) => {
                self.silence.lock().heard();
                Ok(values)
            }
            // One that was not even asked says nothing about the connection.
            Err(Cut::TimedOut(failure))
                if failure.kind == FailureKind::Timeout && self.missed(deadline.began()) =>
            {
                Err(Cut::Lost(failure))
            }
            Err(cut) => Err(cut),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.process == process_id() {
            self.work.abort();
        } else {
            // The task that it would wake is in the parent alone, and a lock may have been held at the fork.
            std::mem::forget(self.line.take());
        }
    }
}

/// Whether a connection answers: two operations in a row that had to do without an answer say that it does not.
#[derive(Default)]
struct Silence {
    missed_at: Option<Instant>,
}

impl Silence {
    fn heard(&mut self) {
        self.missed_at = None;
    }

    /// An operation that began at that time had no answer; whether it began after the end of another that had none.
    fn missed(&mut self, began: Instant) -> bool {
        match self.missed_at {
            Some(before) => began >= before,
            None => {
                self.missed_at = Some(Instant::now());
                false
            }
        }
    }
}
