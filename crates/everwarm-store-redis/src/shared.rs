//! A connection that all tasks of a process share: what they ask at once leaves at once, and each gets its own reply.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use everwarm_core::store::Failure;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, RedisConnectionInfo, RedisResult, Value};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;

use crate::address::Address;
use crate::deadline::Deadline;
use crate::error;

/// Operations that may be on their way to the task that writes them.
const QUEUE: usize = 1024;

/// A connection that all tasks share.
pub(crate) struct Shared {
    /// There until it is dropped, or belongs to a parent process.
    connection: Option<MultiplexedConnection>,
    writer: AbortHandle,
    received: Arc<AtomicU64>,
    silence: Mutex<Silence>,
    process: u32,
    /// The server's run.
    pub(crate) server: Box<str>,
}

/// Why a connection gave no replies.
pub(crate) enum Cut {
    /// It is of no use any more.
    Lost(Failure),
    /// Time was over, on a connection that may yet be of use.
    TimedOut(Failure),
}

impl Shared {
    /// A connection over a stream; a task of this runtime writes and reads it.
    ///
    /// # Errors
    /// None that is expected: nothing is said on it yet.
    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: &Address,
    ) -> Result<Self, Failure> {
        let received = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            stream,
            received: Arc::clone(&received),
        };
        // The handshake is ours, the same on all connections, and so are the time limits.
        let info = RedisConnectionInfo::default()
            .set_protocol(redis::ProtocolVersion::RESP2)
            .set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let (connection, writing) = MultiplexedConnection::new_with_config(&info, counted, config)
            .await
            .map_err(|error| error::lost(address, &error))?;
        Ok(Self {
            connection: Some(connection),
            writer: tokio::spawn(writing).abort_handle(),
            received,
            silence: Mutex::new(Silence::default()),
            process: std::process::id(),
            server: Box::default(),
        })
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.writer.is_finished()
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
        pipeline: &Pipeline,
        (address, deadline): (&Address, &Deadline),
    ) -> Result<Vec<Value>, Cut> {
        let before = self.received.load(Ordering::Relaxed);
        let received = || self.received.load(Ordering::Relaxed).wrapping_sub(before);
        let done = deadline.within(self.send(pipeline), received).await;
        match done.map_err(Cut::Lost)? {
            Some(Ok(values)) => {
                self.silence.lock().heard();
                Ok(values)
            }
            Some(Err(error)) => Err(Cut::Lost(error::lost(address, &error))),
            None => {
                let failure = error::timed_out(address, deadline.limit(received()));
                Err(if self.missed(deadline.began()) {
                    Cut::Lost(failure)
                } else {
                    Cut::TimedOut(failure)
                })
            }
        }
    }

    fn send(&self, pipeline: &Pipeline) -> impl Future<Output = RedisResult<Vec<Value>>> {
        let connection = self.connection.clone();
        async move {
            let mut connection = connection.expect("it is there until it is dropped");
            connection
                .send_packed_commands(pipeline, 0, pipeline.len())
                .await
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            self.writer.abort();
        } else {
            // The task that it would wake is in the parent alone, and a lock of its runtime may have been held at the fork.
            std::mem::forget(self.connection.take());
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

/// A stream that counts what it brings.
struct Counted<S> {
    stream: S,
    received: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let more = (buffer.filled().len() - before) as u64;
        self.received.fetch_add(more, Ordering::Relaxed);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
