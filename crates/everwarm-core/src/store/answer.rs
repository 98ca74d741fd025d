//! What a store answers: at once, or later.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Failure;

/// The answer of a store. An embedded store has it at once, and pays for no future; one behind a connection has it later.
/// Either way it can be awaited.
#[must_use = "a store does nothing before its answer is awaited"]
pub enum Answer<'a, T> {
    /// It is there.
    Now(Result<T, Failure>),
    /// It has to be awaited.
    Later(Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>),
    /// It was given.
    Spent,
}

impl<'a, T> Answer<'a, T> {
    /// A success that is there.
    pub const fn done(value: T) -> Self {
        Self::Now(Ok(value))
    }

    /// A failure that is there.
    pub const fn failed(failure: Failure) -> Self {
        Self::Now(Err(failure))
    }

    /// What `future` will say.
    pub fn later(future: impl Future<Output = Result<T, Failure>> + Send + 'a) -> Self {
        Self::Later(Box::pin(future))
    }

    /// The same answer, with another value.
    pub fn map<R>(self, change: impl FnOnce(T) -> R + Send + 'a) -> Answer<'a, R>
    where
        T: Send + 'a,
    {
        match self {
            Self::Now(result) => Answer::Now(result.map(change)),
            Self::Later(future) => Answer::later(async move { future.await.map(change) }),
            Self::Spent => Answer::Spent,
        }
    }

    /// The answer, if it is there: whoever asks an embedded store need not wait.
    pub fn now(self) -> Result<Result<T, Failure>, Self> {
        match self {
            Self::Now(result) => Ok(result),
            other => Err(other),
        }
    }
}

impl<'a, T: Send + 'a> Answer<'a, Vec<T>> {
    /// The answers for all of `items`, one after the other; the first failure ends it.
    pub fn in_turn<I: Sync>(
        items: &'a [I],
        ask: impl Fn(&'a I) -> Answer<'a, T> + Send + 'a,
    ) -> Self {
        let mut values = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            match ask(item) {
                Answer::Now(Ok(value)) => values.push(value),
                Answer::Now(Err(failure)) if at == 0 => return Self::failed(failure),
                Answer::Now(Err(failure)) => return Self::failed(failure.in_part()),
                first => {
                    return Self::later(async move {
                        let first = first.await;
                        values.push(if at == 0 {
                            first
                        } else {
                            first.map_err(Failure::in_part)
                        }?);
                        for item in &items[at + 1..] {
                            values.push(ask(item).await.map_err(Failure::in_part)?);
                        }
                        Ok(values)
                    });
                }
            }
        }
        Self::done(values)
    }
}

// The value is moved out, and never pinned where it lies.
impl<T> Unpin for Answer<'_, T> {}

impl<T> Future for Answer<'_, T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match std::mem::replace(&mut *self, Self::Spent) {
            Self::Now(result) => Poll::Ready(result),
            Self::Later(mut future) => match future.as_mut().poll(context) {
                Poll::Pending => {
                    *self = Self::Later(future);
                    Poll::Pending
                }
                ready => ready,
            },
            Self::Spent => panic!("an answer was awaited after it had been given"),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Answer<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(result) => formatter.debug_tuple("Now").field(result).finish(),
            Self::Later(_) => formatter.write_str("Later"),
            Self::Spent => formatter.write_str("Spent"),
        }
    }
}
