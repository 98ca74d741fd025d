//! The layer of spans: a listener is told of the beginning and the end of each operation.

use std::sync::Arc;

use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Failure};

/// Who is told of operations, such as what sends spans to a collector.
pub trait Tracer: Send + Sync {
    /// An operation begins; the number comes back with its end.
    fn begun(&self, verb: Verb, size: usize) -> u64;

    /// An operation has ended. It is called once for each that began.
    fn ended(&self, number: u64, end: End<'_>);
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<'a> {
    /// With an answer.
    Answered,
    /// With a failure.
    Failed(&'a Failure),
    /// Nobody waited for it.
    Abandoned,
}

/// Tells a [`Tracer`] of every operation.
pub struct Trace {
    tracer: Arc<dyn Tracer>,
}

impl Trace {
    /// Tells `tracer`.
    #[must_use]
    pub fn new(tracer: Arc<dyn Tracer>) -> Self {
        Self { tracer }
    }
}

impl Layer for Trace {
    fn around<'a, T: Send + 'a>(
        &'a self,
        verb: Verb,
        size: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        let span = Span {
            tracer: &*self.tracer,
            number: Some(self.tracer.begun(verb, size)),
        };
        match attempt().now() {
            Ok(result) => {
                span.ended(&result);
                Answer::Now(result)
            }
            Err(later) => Answer::later(async move {
                let result = later.await;
                span.ended(&result);
                result
            }),
        }
    }
}

/// An operation that has begun. Dropped before its end, it was abandoned.
struct Span<'a> {
    tracer: &'a dyn Tracer,
    number: Option<u64>,
}

impl Span<'_> {
    fn ended<T>(mut self, result: &Result<T, Failure>) {
        self.tell(result.as_ref().map_or_else(End::Failed, |_| End::Answered));
    }

    fn tell(&mut self, end: End<'_>) {
        if let Some(number) = self.number.take() {
            self.tracer.ended(number, end);
        }
    }
}

impl Drop for Span<'_> {
    fn drop(&mut self) {
        self.tell(End::Abandoned);
    }
}
