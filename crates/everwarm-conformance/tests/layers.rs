//! Behind a layer a store keeps the contract, with every facet; and the suite of layers finds planted faults.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everwarm_conformance::{Fixture, Harness, Kept, Later, Outcome, around, layer};
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Failure, FailureKind, Store};
use everwarm_layers::{Layered, Timeout, Timer};
use everwarm_memory::{Bounds, MemoryStore};

/// Nothing is ever over.
struct Patient;

impl Timer for Patient {
    fn after(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(pending())
    }
}

fn memory(fixture: &Fixture) -> MemoryStore {
    let bounds = Bounds::entries(100_000.try_into().expect("not zero"));
    let clock = fixture.clock();
    fixture
        .once(|| MemoryStore::with_clock(bounds, clock))
        .handle()
}

fn timeout() -> Timeout<Patient> {
    Timeout::new(Patient, Timeout::<Patient>::NEAR)
}

mod around_memory {
    use super::{Layered, memory, timeout};

    everwarm_conformance::store!(
        |fixture| Layered::new(memory(fixture), timeout());
        counters, conditional, leases, scan, touch, generations, notify, suspend, health
    );
}

mod around_what_answers_later {
    use super::{Duration, Later, Layered, memory, timeout};

    everwarm_conformance::store!(|fixture| {
        let later = Later::new(memory(fixture), Duration::from_micros(50));
        Layered::new(later, timeout())
    });
}

/// A layer with a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Faulty {
    RepeatsAll,
    RepeatsFailures,
    HidesKinds,
    WaitsForTheAbandoned,
    AnswersNothing,
}

/// The abandoned operation that the next one waits for.
static BUSY: Mutex<bool> = Mutex::new(false);

/// Holds off the other test that has such an operation, and begins without one.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    *BUSY.lock().expect("whole") = false;
    alone
}

impl Layer for Faulty {
    fn around<'a, T: Send + 'a>(
        &'a self,
        _: Verb,
        _: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        let failed = |text| Answer::failed(Failure::new(FailureKind::Transient, text, ""));
        match self {
            Self::RepeatsAll => {
                drop(attempt());
                attempt()
            }
            Self::RepeatsFailures => match attempt() {
                Answer::Now(Err(_)) => attempt(),
                answer => answer,
            },
            Self::HidesKinds => match attempt() {
                Answer::Now(Err(_)) => failed("something"),
                answer => answer,
            },
            Self::WaitsForTheAbandoned => {
                let mut busy = BUSY.lock().expect("whole");
                if *busy {
                    return failed("busy");
                }
                *busy = true;
                drop(busy);
                let answer = attempt();
                Answer::later(async {
                    let answer = answer.await;
                    *BUSY.lock().expect("whole") = false;
                    answer
                })
            }
            Self::AnswersNothing => failed("nothing"),
        }
    }
}

type Check = fn(&Faulty) -> Kept;

#[test]
fn planted_faults_are_found() {
    let _alone = alone();
    let faults: [(Faulty, Check); 5] = [
        (Faulty::RepeatsAll, layer::a_success_ends_the_attempts),
        (Faulty::RepeatsFailures, layer::a_change_is_made_once),
        (Faulty::HidesKinds, layer::a_lasting_failure_passes),
        (
            Faulty::WaitsForTheAbandoned,
            layer::an_abandoned_operation_leaves_no_trace,
        ),
        (Faulty::AnswersNothing, layer::an_answer_passes_as_it_is),
    ];
    for (fault, promise) in faults {
        assert!(promise(&fault).is_err(), "{fault:?} is not found");
    }
}

/// What becomes of a promise of layers around memory.
fn around_memory(name: &str, wrap: impl Fn(Arc<dyn Store>) -> Arc<dyn Store>) -> Option<Outcome> {
    around::check(&Harness::new(memory), name, &wrap)
}

#[test]
fn layers_keep_what_they_promise_of_a_store() {
    for name in around::promises() {
        let wrap = |store| Arc::new(Layered::new(store, timeout())) as Arc<dyn Store>;
        assert_eq!(around_memory(name, wrap), Some(Outcome::Kept), "{name}");
    }
    assert_eq!(around_memory("everything_is_fine", |store| store), None);
}

#[test]
fn around_a_store_planted_faults_are_found() {
    for (fault, name) in [
        (Faulty::AnswersNothing, "what_a_store_answers_passes"),
        (Faulty::HidesKinds, "how_a_store_fails_is_what_callers_hear"),
        (Faulty::RepeatsFailures, "a_change_is_made_once"),
        (Faulty::RepeatsAll, "a_success_ends_the_attempts"),
        (
            Faulty::WaitsForTheAbandoned,
            "who_walks_away_stands_in_nobodys_way",
        ),
    ] {
        let _alone = alone();
        let wrap = |store| Arc::new(Layered::new(store, fault)) as Arc<dyn Store>;
        let outcome = around_memory(name, wrap);
        assert!(
            matches!(outcome, Some(Outcome::Broken(_))),
            "{fault:?} is not found: {outcome:?}"
        );
    }
}
