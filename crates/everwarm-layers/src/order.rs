//! The one order of layers: metrics, trace, bulkhead, breaker, retry, timeout, chaos, and the store.
//!
//! Each is where it is for a reason. Metrics and traces see what callers see. A breaker does not see how long an operation waited in
//! the bulkhead, which is no fault of the store's; one that is open ends at once whatever gets a place. It counts a read that was done
//! twice as one. A read that is done again keeps its place in the bulkhead. Each attempt has a time limit of its own. Faults by
//! chance come from where the store's own would.

use std::fmt;
use std::sync::Arc;

use everwarm_core::breaker::State;
use everwarm_core::clock::Clock;
use everwarm_core::draw::Draw;
use everwarm_core::latency::Latencies;
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::Store;

use crate::{
    Breaker, Bulkhead, Chaos, Counted, Layered, Metrics, Options, Retry, Timeout, Timer, Trace,
    Tracer,
};

/// What layers act through.
#[derive(Clone)]
pub struct Means {
    /// The time; a fine clock, of a microsecond or less.
    pub clock: Arc<dyn Clock>,
    /// What passes it.
    pub timer: Arc<dyn Timer>,
    /// Chance.
    pub draw: Arc<dyn Draw>,
    /// Who is told of operations.
    pub tracer: Option<Arc<dyn Tracer>>,
}

/// A store behind its layers.
#[derive(Debug)]
pub struct Wrapped {
    /// The outermost: a store as the one that was wrapped.
    pub store: Arc<dyn Store>,
    /// What the layers do.
    pub watch: Watch,
}

/// Puts the layers of `options` around a store, in their order.
#[must_use]
pub fn wrap(store: Arc<dyn Store>, options: &Options, means: &Means) -> Wrapped {
    let Means {
        clock,
        timer,
        draw,
        tracer,
    } = means;
    let mut stack = Stack(store);
    if let Some(odds) = options.chaos {
        stack.put(Chaos::new(Arc::clone(draw), Arc::clone(timer), odds));
    }
    if let Some(limit) = options.timeout {
        let timer = Arc::clone(timer);
        stack.put(match limit.is_adaptive {
            true => Timeout::adaptive(timer, limit.deadline, Arc::clone(clock)),
            false => Timeout::new(timer, limit.deadline),
        });
    }
    let retry = options.retry.map(|terms| {
        let (clock, timer, draw) = (Arc::clone(clock), Arc::clone(timer), Arc::clone(draw));
        stack.put(Retry::new(terms, clock, timer, draw))
    });
    let bulkhead = options.bulkhead.map(|berths| {
        let (timer, clock) = (Arc::clone(timer), Arc::clone(clock));
        Bulkhead::new(berths, timer, clock)
    });
    let line = bulkhead.as_ref().map(Bulkhead::line).unwrap_or_default();
    let breaker = options.breaker.map(|terms| {
        let breaker = Breaker::new(terms, Arc::clone(clock), Arc::clone(draw));
        stack.put(breaker.behind(line))
    });
    let bulkhead = bulkhead.map(|layer| stack.put(layer));
    if let Some(tracer) = tracer {
        stack.put(Trace::new(Arc::clone(tracer)));
    }
    let metrics = options
        .metrics
        .then(|| stack.put(Metrics::new(Arc::clone(clock))));
    Wrapped {
        store: stack.0,
        watch: Watch {
            metrics,
            breaker,
            bulkhead,
            retry,
        },
    }
}

/// A store and the layers around it so far.
struct Stack(Arc<dyn Store>);

impl Stack {
    fn put<L: Layer + 'static>(&mut self, layer: L) -> Arc<L> {
        let layer = Arc::new(layer);
        self.0 = Arc::new(Layered::new(Arc::clone(&self.0), Arc::clone(&layer)));
        layer
    }
}

/// Looks at the layers around a store. It is a handle: clones look at the same.
#[derive(Clone, Default)]
pub struct Watch {
    metrics: Option<Arc<Metrics>>,
    breaker: Option<Arc<Breaker>>,
    bulkhead: Option<Arc<Bulkhead>>,
    retry: Option<Arc<Retry>>,
}

impl Watch {
    /// What is counted of a verb; nothing where there are no metrics.
    #[must_use]
    pub fn counted(&self, verb: Verb) -> Counted {
        let counted = self.metrics.as_ref().map(|metrics| metrics.counted(verb));
        counted.unwrap_or_default()
    }

    /// How long operations on entries took.
    #[must_use]
    pub fn latencies(&self) -> Latencies {
        let of = |verb| self.counted(verb).latencies;
        of(Verb::Read).and(&of(Verb::Write)).and(&of(Verb::Change))
    }

    /// What the breaker does with calls, if there is one.
    #[must_use]
    pub fn breaker(&self) -> Option<State> {
        self.breaker.as_ref().map(|breaker| breaker.state())
    }

    /// How many operations the breaker and the bulkhead did not let through.
    #[must_use]
    pub fn refused(&self) -> (u64, u64) {
        let breaker = self.breaker.as_ref().map_or(0, |layer| layer.refused());
        let bulkhead = self.bulkhead.as_ref().map_or(0, |layer| layer.refused());
        (breaker, bulkhead)
    }

    /// How many reads were done a second time.
    #[must_use]
    pub fn again(&self) -> u64 {
        self.retry.as_ref().map_or(0, |retry| retry.again())
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Watch")
            .field("breaker", &self.breaker())
            .field("refused", &self.refused())
            .field("again", &self.again())
            .finish_non_exhaustive()
    }
}
