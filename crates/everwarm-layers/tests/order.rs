//! All layers at once, in their order: a store behind them that the test makes fail, hang and come back.

mod world;

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use everwarm_core::breaker::State;
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Bytes, FailureKind, Info, Store};
use everwarm_layers::{
    Berths, End, Layered, Limit, Means, Odds, Options, Tracer, Wishes, Wrapped, wrap,
};
use world::shelf::Shelf;
use world::{World, failed, look, now};

const DEADLINE: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);

/// What the store does now.
#[derive(Clone, Default)]
struct Weather(Arc<(AtomicU8, AtomicUsize)>);

const FINE: u8 = 0;
const FAILING: u8 = 1;
const HANGING: u8 = 2;
/// Answers when it is looked at a second time.
const SLOW: u8 = 3;

impl Weather {
    fn is(&self, weather: u8) {
        self.0.0.store(weather, Ordering::SeqCst);
    }

    /// How often the store was asked.
    fn asked(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl Layer for Weather {
    fn around<'a, T: Send + 'a>(
        &'a self,
        _: Verb,
        _: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        self.0.1.fetch_add(1, Ordering::SeqCst);
        match self.0.0.load(Ordering::SeqCst) {
            FINE => attempt(),
            FAILING => failed(FailureKind::Transient),
            SLOW => Answer::later(async move {
                let mut looks = 0;
                poll_fn(|_| {
                    looks += 1;
                    match looks {
                        1 => Poll::Pending,
                        _ => Poll::Ready(()),
                    }
                })
                .await;
                attempt().await
            }),
            _ => Answer::later(std::future::pending()),
        }
    }
}

/// A store behind the layers that these options name, and its weather.
fn behind(options: &Options, means: &Means) -> (Wrapped, Weather) {
    let weather = Weather::default();
    let store = Layered::new(Shelf::default(), weather.clone());
    (wrap(Arc::new(store), options, means), weather)
}

fn calls(wrapped: &Wrapped) -> u64 {
    Verb::ALL
        .iter()
        .map(|verb| wrapped.watch.counted(*verb).calls)
        .sum()
}

#[test]
fn a_store_that_hangs_costs_its_deadline_until_the_breaker_opens_and_then_nothing() {
    let world = World::default();
    let (wrapped, weather) = behind(&Options::of(DEADLINE), &world.means());
    weather.is(HANGING);
    for _ in 0..10 {
        let mut answer = wrapped.store.get("name");
        assert_eq!(look(&mut answer), None);
        world.pass(DEADLINE);
        assert_eq!(look(&mut answer), Some(Err(FailureKind::Timeout)));
    }
    assert_eq!(wrapped.watch.breaker(), Some(State::Open));
    let asked = weather.asked();
    for _ in 0..100 {
        let answer = wrapped.store.set("name", Bytes::new(), None);
        assert!(matches!(answer.now(), Ok(Err(failure)) if failure.kind == FailureKind::Transient));
    }
    assert_eq!(weather.asked(), asked);
    assert_eq!(wrapped.watch.refused(), (100, 0));
    assert_eq!(calls(&wrapped), 110, "metrics see what callers see");
    // It comes back, and is asked again within a second.
    weather.is(FINE);
    world.pass(SECOND);
    for _ in 0..3 {
        assert_eq!(now(wrapped.store.set("name", Bytes::new(), None)), Ok(()));
    }
    assert_eq!(wrapped.watch.breaker(), Some(State::Closed));
}

#[test]
fn what_others_did_is_heard_whatever_becomes_of_other_operations() {
    let world = World::default();
    let options = Options {
        bulkhead: Some(Options::berths(1, DEADLINE)),
        ..Options::of(DEADLINE)
    };
    let (wrapped, weather) = behind(&options, &world.means());
    let notify = wrapped.store.notify().expect("it tells of others");
    let heard = || now(notify.messages(0)).map(|heard| heard.messages.len());
    // It takes its time as anything does, and no more; that says nothing of other operations.
    weather.is(HANGING);
    for _ in 0..30 {
        let mut answer = notify.messages(0);
        assert_eq!(look(&mut answer).map(|told| told.is_ok()), None);
        world.pass(DEADLINE);
        assert_eq!(
            look(&mut answer).map(|told| told.map(drop)),
            Some(Err(FailureKind::Timeout))
        );
    }
    weather.is(FAILING);
    assert_eq!(heard(), Err(FailureKind::Transient), "and is not repeated");
    assert_eq!(wrapped.watch.again(), 0);
    assert_eq!(wrapped.watch.breaker(), Some(State::Closed));
    // Nor does it say that a store works that does not.
    for _ in 0..10 {
        let _ = now(wrapped.store.delete("name"));
        weather.is(FINE);
        assert_eq!(heard(), Ok(1));
        weather.is(FAILING);
    }
    assert_eq!(wrapped.watch.breaker(), Some(State::Open));
    weather.is(FINE);
    assert_eq!(heard(), Ok(1), "an open breaker keeps nothing from it");
    world.pass(SECOND);
    for _ in 0..10 {
        assert_eq!(heard(), Ok(1));
    }
    assert_ne!(
        wrapped.watch.breaker(),
        Some(State::Closed),
        "only a trial can tell"
    );
    assert_eq!(wrapped.watch.refused(), (0, 0));
    assert_eq!(wrapped.watch.counted(Verb::Listen).calls, 52);
    assert_eq!(wrapped.watch.counted(Verb::Read).calls, 0);
    // One who has all places keeps nothing from it either.
    weather.is(HANGING);
    let mut others: Vec<_> = (0..30).map(|_| wrapped.store.get("name")).collect();
    others.iter_mut().for_each(|answer| drop(look(answer)));
    weather.is(FINE);
    assert_eq!(heard(), Ok(1));
}

#[test]
fn a_read_that_is_done_again_is_one_call_for_the_breaker_and_two_for_the_store() {
    let world = World::default();
    let (wrapped, weather) = behind(&Options::of(DEADLINE), &world.means());
    weather.is(FAILING);
    for _ in 0..9 {
        let mut answer = wrapped.store.get("name");
        assert_eq!(look(&mut answer), None);
        world.pass(DEADLINE / 5);
        assert_eq!(look(&mut answer), Some(Err(FailureKind::Transient)));
    }
    assert_eq!(wrapped.watch.again(), 9);
    assert_eq!(weather.asked(), 18);
    assert_eq!(wrapped.watch.breaker(), Some(State::Closed));
    assert_eq!(
        now(wrapped.store.delete("name")),
        Err(FailureKind::Transient)
    );
    assert_eq!(wrapped.watch.breaker(), Some(State::Open));
}

#[test]
fn what_the_bulkhead_refuses_is_not_held_against_the_store() {
    let world = World::default();
    let berths = Berths {
        waiting: 4,
        ..Options::berths(1, DEADLINE)
    };
    let options = Options {
        bulkhead: Some(berths),
        ..Options::of(DEADLINE)
    };
    let (wrapped, weather) = behind(&options, &world.means());
    weather.is(HANGING);
    let mut answers: Vec<_> = (0..30).map(|_| wrapped.store.get("name")).collect();
    let refused: Vec<_> = answers.iter_mut().filter_map(look).collect();
    assert!(
        refused
            .iter()
            .all(|result| *result == Err(FailureKind::Capacity))
    );
    assert_eq!(wrapped.watch.refused(), (0, 25));
    assert_eq!(weather.asked(), 30, "asked for, and not awaited");
    assert_eq!(wrapped.watch.breaker(), Some(State::Closed));
}

#[test]
fn time_in_the_line_is_not_held_against_the_store() {
    let world = World::default();
    let options = Options {
        bulkhead: Some(Options::berths(1, DEADLINE)),
        ..Options::of(DEADLINE)
    };
    let (wrapped, weather) = behind(&options, &world.means());
    weather.is(SLOW);
    let mut answers: Vec<_> = (0..40).map(|_| wrapped.store.delete("name")).collect();
    let begun = world.clock().now();
    while !answers.is_empty() {
        answers.retain_mut(|answer| match look(answer) {
            Some(result) => {
                assert_eq!(result.map(drop), Ok(()));
                false
            }
            None => true,
        });
        world.pass(DEADLINE / 10);
        assert!(world.clock().now().since(begun) < 2 * SECOND);
    }
    assert!(world.clock().now().since(begun) > 2 * DEADLINE);
    assert_eq!(wrapped.watch.refused(), (0, 0));
    assert_eq!(wrapped.watch.breaker(), Some(State::Closed));
}

/// Writes down what it is told.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Tracer for Notes {
    fn begun(&self, verb: Verb, _: usize) -> u64 {
        self.0
            .lock()
            .expect("no test panics")
            .push(verb.name().to_owned());
        0
    }

    fn ended(&self, _: u64, end: End<'_>) {
        let mut notes = self.0.lock().expect("no test panics");
        notes.push(match end {
            End::Failed(failure) => failure.kind.name().to_owned(),
            End::Answered | End::Abandoned => "ended".to_owned(),
        });
    }
}

#[test]
fn traces_tell_of_what_the_breaker_fails() {
    let world = World::default();
    let notes = Arc::new(Notes::default());
    let means = Means {
        tracer: Some(Arc::clone(&notes) as Arc<dyn Tracer>),
        ..world.means()
    };
    let (wrapped, weather) = behind(&Options::of(DEADLINE), &means);
    weather.is(FAILING);
    for _ in 0..11 {
        let _ = now(wrapped.store.delete("name"));
    }
    assert_eq!(weather.asked(), 10);
    let told = notes.0.lock().expect("no test panics");
    assert_eq!(told.len(), 22);
    assert_eq!(told[20..], ["change", "transient"]);
}

#[test]
fn faults_by_chance_are_met_by_the_layers_around_them() {
    let world = World::default();
    let options = Options {
        chaos: Some(Odds {
            error: 1.0,
            ..Odds::default()
        }),
        ..Options::of(DEADLINE)
    };
    let means = Means {
        draw: world::draw(0.7),
        ..world.means()
    };
    let (wrapped, weather) = behind(&options, &means);
    for _ in 0..10 {
        assert_eq!(
            now(wrapped.store.delete("name")),
            Err(FailureKind::Transient)
        );
    }
    assert_eq!(wrapped.watch.breaker(), Some(State::Open));
    assert_eq!(weather.asked(), 0);
}

#[test]
fn an_answer_that_is_there_stays_there_behind_all_layers() {
    let world = World::default();
    let (wrapped, _) = behind(&Options::of(DEADLINE), &world.means());
    let store = &wrapped.store;
    let set = store.set("name", Bytes::from_static(b"value"), None);
    assert!(matches!(set, Answer::Now(Ok(()))));
    assert!(matches!(store.get("name"), Answer::Now(Ok(Some(_)))));
    assert!(matches!(store.delete("name"), Answer::Now(Ok(true))));
    let counters = store.counters().expect("memory has them");
    assert!(matches!(counters.incr("n", 1, 0, None), Answer::Now(Ok(1))));
}

#[test]
fn each_option_puts_its_layer_there() {
    let world = World::default();
    let all = Options::of(DEADLINE);
    let off = Options::off();
    let fails = |options: &Options| {
        let (wrapped, weather) = behind(options, &world.means());
        weather.is(FAILING);
        let mut answers: Vec<_> = (0..10).map(|_| wrapped.store.get("name")).collect();
        let at_once = answers.iter_mut().filter_map(look).count();
        drop(answers);
        (wrapped, at_once)
    };
    let (wrapped, at_once) = fails(&off);
    assert_eq!(
        (wrapped.watch.breaker(), at_once, calls(&wrapped)),
        (None, 10, 0)
    );
    let only = Options {
        breaker: all.breaker,
        ..off
    };
    assert_eq!(fails(&only).0.watch.breaker(), Some(State::Open));
    let only = Options {
        retry: all.retry,
        ..off
    };
    assert_eq!(fails(&only).1, 0, "they are done again later");
    let only = Options {
        metrics: true,
        ..off
    };
    assert_eq!(calls(&fails(&only).0), 10);
    let only = Options {
        bulkhead: Some(Berths {
            waiting: 0,
            ..Options::berths(0, DEADLINE)
        }),
        ..off
    };
    assert_eq!(fails(&only).0.watch.refused(), (0, 10));
    let only = Options {
        timeout: Some(Limit {
            deadline: DEADLINE,
            is_adaptive: false,
        }),
        ..off
    };
    let (wrapped, weather) = behind(&only, &world.means());
    weather.is(HANGING);
    let mut answer = wrapped.store.get("name");
    assert_eq!(look(&mut answer), None);
    world.pass(DEADLINE);
    assert_eq!(look(&mut answer), Some(Err(FailureKind::Timeout)));
}

#[test]
fn an_adaptive_limit_is_learnt_and_a_fixed_one_is_not() {
    for is_adaptive in [true, false] {
        let world = World::default();
        let options = Options {
            timeout: Some(Limit {
                deadline: DEADLINE,
                is_adaptive,
            }),
            ..Options::off()
        };
        let quick = everwarm_conformance::Later::new(Shelf::default(), Duration::ZERO);
        let weather = Weather::default();
        let store = Layered::new(quick, weather.clone());
        let wrapped = wrap(Arc::new(store), &options, &world.means());
        for _ in 0..100 {
            assert_eq!(
                everwarm_conformance::wait(wrapped.store.get("name")),
                Ok(None)
            );
        }
        weather.is(HANGING);
        let mut answer = wrapped.store.get("name");
        assert_eq!(look(&mut answer), None);
        world.pass(Duration::from_millis(6));
        assert_eq!(look(&mut answer).is_some(), is_adaptive);
    }
}

#[test]
fn defaults_are_all_for_stores_behind_a_connection_and_none_for_embedded_ones() {
    let info = |kind, embedded| Info {
        kind,
        embedded,
        ..Shelf::default().info()
    };
    assert_eq!(Options::defaults(&info("disk", true)), Options::off());
    assert_eq!(
        Options::defaults(&info("redis", false)),
        Options::of(DEADLINE)
    );
    assert_eq!(
        Options::defaults(&info("postgres", false)),
        Options::of(5 * DEADLINE)
    );
    assert_eq!(
        Options::defaults(&info("s3", false)),
        Options::of(2 * SECOND)
    );
}

#[test]
fn wishes_go_before_the_kind_of_the_store() {
    let info = |embedded| Info {
        embedded,
        ..Shelf::default().info()
    };
    let all = Options::of(DEADLINE);
    let none = Wishes {
        breaker: Some(false),
        retry: Some(false),
        bulkhead: Some(None),
        deadline: None,
    };
    let bare = Options {
        breaker: None,
        retry: None,
        bulkhead: None,
        ..all
    };
    assert_eq!(Options::wished(&info(false), &none), bare);
    let deadline = Wishes {
        deadline: Some(SECOND),
        ..Wishes::default()
    };
    let fixed = Options {
        timeout: Some(Limit {
            deadline: SECOND,
            is_adaptive: false,
        }),
        ..Options::of(SECOND)
    };
    assert_eq!(Options::wished(&info(false), &deadline), fixed);
    assert_eq!(Options::wished(&info(true), &deadline), Options::off());
    let some = Wishes {
        breaker: Some(true),
        retry: Some(true),
        bulkhead: Some(Some(7)),
        deadline: None,
    };
    let expected = Options {
        bulkhead: Some(Options::berths(7, DEADLINE)),
        timeout: None,
        ..all
    };
    assert_eq!(Options::wished(&info(true), &some), expected);
}

#[test]
fn what_looks_at_layers_shows_itself() {
    let world = World::default();
    let (wrapped, _) = behind(&Options::of(DEADLINE), &world.means());
    let shown = format!("{:?}", wrapped.watch);
    assert!(
        shown.contains("Closed") && shown.contains("refused"),
        "{shown}"
    );
    let _: &dyn fmt::Debug = &wrapped;
}
