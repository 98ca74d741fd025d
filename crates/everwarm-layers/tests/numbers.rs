//! What metrics count and tracers are told: each operation once, with its end.

mod world;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, FailureKind};
use everwarm_layers::{End, Metrics, Trace, Tracer};
use world::{Gate, World, failed, look, now};

use FailureKind::{Timeout, Transient};

#[test]
fn operations_are_counted_by_verb_and_by_how_they_ended() {
    let metrics = Metrics::new(World::default().clock());
    for verb in Verb::ALL {
        for _ in 0..=verb as usize {
            assert_eq!(now(metrics.around(verb, 0, || Answer::done(7))), Ok(7));
        }
    }
    for kind in [Transient, Timeout, Transient] {
        assert_eq!(
            now(metrics.around(Verb::Write, 0, || failed::<()>(kind))),
            Err(kind)
        );
    }
    let mut answer = metrics.around(Verb::Change, 0, || Gate::default().answer());
    assert_eq!(look(&mut answer), None);
    drop(answer);
    for found in [None, Some(7)] {
        assert_eq!(
            now(metrics.look(Option::is_none, 0, || Answer::done(found))),
            Ok(found)
        );
    }
    let of = |verb| {
        let counted = metrics.counted(verb);
        (
            counted.calls,
            counted.misses,
            counted.abandoned,
            counted.failures,
        )
    };
    assert_eq!(of(Verb::Read), (3, 1, 0, vec![]));
    assert_eq!(
        of(Verb::Write),
        (5, 0, 0, vec![(Transient, 2), (Timeout, 1)])
    );
    assert_eq!(of(Verb::Change), (4, 0, 1, vec![]));
    assert_eq!((of(Verb::All).0, of(Verb::Life).0), (4, 5));
}

#[test]
fn what_comes_later_is_timed_from_when_it_is_looked_at() {
    let world = World::default();
    let metrics = Metrics::new(world.clock());
    for _ in 0..10 {
        let gate = Gate::default();
        let mut answer = metrics.around(Verb::Read, 0, || gate.answer());
        world.pass(Duration::from_secs(1));
        assert_eq!(look(&mut answer), None);
        world.pass(Duration::from_millis(8));
        gate.give(Ok(7));
        assert_eq!(look(&mut answer), Some(Ok(7)));
    }
    let latencies = metrics.counted(Verb::Read).latencies;
    assert_eq!(latencies.total(), 10);
    let median = latencies.quantile(0.5).expect("there are some");
    assert!((8..=10).contains(&median.as_millis()), "{median:?}");
}

#[test]
fn of_answers_that_are_there_one_in_64_is_timed_for_all() {
    let world = World::default();
    let metrics = Metrics::new(world.clock());
    for _ in 0..640 {
        let answer = metrics.around(Verb::Read, 0, || {
            world.pass(Duration::from_micros(3));
            Answer::done(7)
        });
        assert_eq!(now(answer), Ok(7));
    }
    let latencies = metrics.counted(Verb::Read).latencies;
    assert_eq!(latencies.total(), 640);
    let median = latencies.quantile(0.5).expect("there are some");
    assert!((3_000..=3_750).contains(&median.as_nanos()), "{median:?}");
}

/// Writes down what it is told.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Tracer for Notes {
    fn begun(&self, verb: Verb, size: usize) -> u64 {
        let mut notes = self.0.lock().expect("no test panics");
        let number = notes.len();
        notes.push(format!("{number}: {} of {size}", verb.name()));
        number as u64
    }

    fn ended(&self, number: u64, end: End<'_>) {
        let end = match end {
            End::Answered => "answered",
            End::Failed(failure) => failure.kind.name(),
            End::Abandoned => "abandoned",
        };
        self.0
            .lock()
            .expect("no test panics")
            .push(format!("{number} {end}"));
    }
}

#[test]
fn a_tracer_is_told_of_the_beginning_and_the_end_of_each() {
    let notes = Arc::new(Notes::default());
    let trace = Trace::new(Arc::clone(&notes) as Arc<dyn Tracer>);
    assert_eq!(now(trace.around(Verb::Write, 9, || Answer::done(7))), Ok(7));
    let _ = now(trace.around(Verb::Read, 0, || failed::<()>(Timeout)));
    let gate = Gate::default();
    let mut answer = trace.around(Verb::Change, 0, || gate.answer());
    let abandoned = trace.around(Verb::Life, 0, || gate.answer());
    gate.give(Ok(7));
    assert_eq!(look(&mut answer), Some(Ok(7)));
    drop(abandoned);
    drop(answer);
    let told = [
        "0: write of 9",
        "0 answered",
        "2: read of 0",
        "2 timeout",
        "4: change of 0",
        "5: life of 0",
        "4 answered",
        "5 abandoned",
    ];
    assert_eq!(*notes.0.lock().expect("no test panics"), told);
}
