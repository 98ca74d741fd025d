//! Each layer keeps the contract of layers, and a store keeps its own behind each of them and behind all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use everwarm_conformance::{Fixture, Later, ManualClock, later};
use everwarm_core::breaker::Terms as BreakerTerms;
use everwarm_core::clock::Clock;
use everwarm_core::draw::{Draw, FixedDraw};
use everwarm_core::layer::Verb;
use everwarm_core::retry::Terms as RetryTerms;
use everwarm_core::store::Store;
use everwarm_layers::{
    Breaker, Bulkhead, End, Layered, Limit, Means, Metrics, Options, Retry, Timeout, Timer, Trace,
    Tracer, wrap,
};
use everwarm_memory::{Bounds, MemoryStore};

const DEADLINE: Duration = Duration::from_millis(50);

/// Time as it passes.
struct Real;

impl Timer for Real {
    fn after(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move { later(span, Ok(())).await.expect("it was told so") })
    }
}

#[derive(Default)]
struct Spans(AtomicU64);

impl Tracer for Spans {
    fn begun(&self, _: Verb, _: usize) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn ended(&self, _: u64, _: End<'_>) {}
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::default())
}

fn draw(unit: f64) -> Arc<dyn Draw> {
    Arc::new(FixedDraw(unit))
}

fn metrics() -> Metrics {
    Metrics::new(clock())
}

fn trace() -> Trace {
    Trace::new(Arc::new(Spans::default()))
}

/// One that draws no conclusions from what the suite makes fail.
fn lenient() -> BreakerTerms {
    BreakerTerms {
        least: u32::MAX,
        ..BreakerTerms::of(DEADLINE)
    }
}

fn breaker() -> Breaker {
    Breaker::new(lenient(), clock(), draw(0.5))
}

fn bulkhead() -> Bulkhead {
    Bulkhead::new(Options::berths(4, 100 * DEADLINE), Arc::new(Real), clock())
}

fn retry() -> Retry {
    Retry::new(RetryTerms::of(DEADLINE), clock(), Arc::new(Real), draw(0.1))
}

fn timeout() -> Timeout<Real> {
    Timeout::adaptive(Real, 40 * DEADLINE, clock())
}

fn all(store: impl Store + 'static) -> Arc<dyn Store> {
    let options = Options {
        breaker: Some(lenient()),
        // A busy machine may be slower than what was learnt from an idle one.
        timeout: Some(Limit {
            deadline: 40 * DEADLINE,
            is_adaptive: false,
        }),
        ..Options::of(40 * DEADLINE)
    };
    let means = Means {
        clock: clock(),
        timer: Arc::new(Real),
        draw: draw(0.5),
        tracer: Some(Arc::new(Spans::default())),
    };
    wrap(Arc::new(store), &options, &means).store
}

fn memory(fixture: &Fixture) -> MemoryStore {
    let bounds = Bounds::entries(100_000.try_into().expect("not zero"));
    let clock = fixture.clock();
    fixture
        .once(|| MemoryStore::with_clock(bounds, clock))
        .handle()
}

macro_rules! suites {
    ($($layer:ident)*) => {
        $(mod $layer {
            mod layer {
                everwarm_conformance::layer!(super::super::$layer());
            }

            mod around_memory {
                use super::super::{$layer, Layered, memory};

                everwarm_conformance::store!(
                    |fixture| Layered::new(memory(fixture), $layer());
                    counters, conditional, leases, scan, touch, generations, notify, suspend, health
                );
            }
        })*
    };
}

suites!(metrics trace breaker bulkhead retry timeout);

mod all_around_memory {
    use super::{all, memory};

    everwarm_conformance::store!(
        |fixture| all(memory(fixture));
        counters, conditional, leases, scan, touch, generations, notify, suspend, health
    );
}

mod all_around_what_answers_later {
    use super::{Duration, Later, all, memory};

    everwarm_conformance::store!(|fixture| {
        all(Later::new(memory(fixture), Duration::from_micros(50)))
    });
}
