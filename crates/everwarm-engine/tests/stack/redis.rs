//! Two processes over one Redis: what one invalidates, deletes or computes, the other knows of.

use std::io::Write as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use everwarm_core::key::prefix;
use everwarm_core::using::Read;
use everwarm_engine::stack::{Event, Fetched, Options, Place, Seat, Sleeper, Spot, Stack, Written};
use everwarm_engine::{Parker, Ticker};

use crate::tiers::{Ledger, meta, place, tags, text, tier};

const VARIABLES: [&str; 3] = [
    "EVERWARM_TEST_REDIS",
    "EVERWARM_TEST_REDIS_SENTINEL",
    "EVERWARM_TEST_REDIS_CLUSTER",
];
/// Within which others know, while messages flow.
const KNOWN_WITHIN: Duration = Duration::from_millis(500);

/// How a process waits for its stores.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// It lets them block its thread.
    Blocking,
    /// It is woken when they have answered.
    Woken,
}

struct Process {
    stack: Arc<Stack>,
    namespace: String,
    way: Way,
}

/// The URL in a variable; without one the test is left out, loudly, and fails where nothing may be left out.
fn url(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "{variable} is not set"
        );
        let line = format!("LEFT OUT: a test that needs {variable}\n");
        drop(std::io::stderr().write_all(line.as_bytes()));
    }
    url
}

/// Runs a test over every kind of place, in both ways.
fn everywhere(test: &str, run: impl Fn([Process; 2])) {
    for variable in VARIABLES {
        let Some(url) = url(variable) else {
            continue;
        };
        for way in [Way::Blocking, Way::Woken] {
            let namespace = format!("{test}-{way:?}-{}", std::process::id());
            run([(); 2].map(|()| Process::new(&url, &namespace, way)));
        }
    }
}

impl Process {
    fn new(url: &str, namespace: &str, way: Way) -> Self {
        let patient = if url.contains('?') { "&" } else { "?" };
        let store =
            everwarm_store_redis::open(&format!("{url}{patient}timeout=5s")).expect("a store");
        let options = Options::new(Ticker::system(), Arc::new(Sleeper::new()));
        let stack = Stack::new(
            vec![tier(store)],
            Arc::new(Ledger),
            namespace.into(),
            options,
        );
        let process = Self {
            stack: stack.expect("a stack"),
            namespace: namespace.to_owned(),
            way,
        };
        drop(process.lead("first", &[]));
        // What was missed before it began is over once it hears everything.
        let store = process.stack.last_store();
        let is_heard = || {
            store
                .notify()
                .is_some_and(|notify| notify.silence() < KNOWN_WITHIN)
        };
        let began = Instant::now();
        while !is_heard() {
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "nothing is heard"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        process.wait(process.stack.watch());
        process
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let parker = Parker::new();
        let waker = parker.waker();
        let mut context = Context::from_waker(&waker);
        let mut poll = || match self.way {
            Way::Blocking => everwarm_runtime::waiting(|| future.as_mut().poll(&mut context)),
            Way::Woken => future.as_mut().poll(&mut context),
        };
        let began = Instant::now();
        loop {
            if let Poll::Ready(value) = poll() {
                return value;
            }
            while !parker.park(Duration::from_secs(1)) {
                assert!(
                    began.elapsed() < Duration::from_secs(30),
                    "nobody wakes who waits"
                );
            }
        }
    }

    fn place(&self, key: &str) -> Place {
        let name = format!("{}{key}", prefix(&[&self.namespace, "price", ""]));
        Place::from(Spot {
            name: name.into(),
            ..Spot::clone(&place(key))
        })
    }

    /// The value, or the seat of who computes it.
    fn fetched(&self, key: &str, names: &[&str]) -> Result<String, Box<Seat>> {
        let fetch = self.stack.fetch(self.place(key), tags(names), Read::Any);
        match self.wait(fetch) {
            Fetched::Found(stored) => Ok(text(&stored)),
            Fetched::Lead(seat) => Err(Box::new(seat)),
            other => panic!("{other:?}"),
        }
    }

    /// The value, if there is one, for who computes nothing.
    fn got(&self, key: &str, names: &[&str]) -> Option<String> {
        let got = self.stack.get(self.place(key), tags(names), Read::Any);
        self.wait(got).map(|stored| text(&stored))
    }

    fn lead(&self, key: &str, names: &[&str]) -> Seat {
        *self.fetched(key, names).expect_err("there is nothing")
    }

    fn settle(&self, seat: Seat, value: &str, names: &[&str]) -> Written {
        self.wait(self.stack.settle(seat, value.into(), meta(names)))
    }

    fn fill(&self, key: &str, value: &str, names: &[&str]) {
        let seat = self.lead(key, names);
        assert_eq!(self.settle(seat, value, names), Written::Stored);
    }

    /// Looks for what others did until it is told of this; how long that took.
    fn watched(&self, is_it: impl Fn(&Event) -> bool) -> Duration {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            let told = self.wait(self.stack.watch());
            if told.iter().any(&is_it) {
                return began.elapsed();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it was told of nothing");
    }
}

#[test]
fn what_one_computes_the_other_finds() {
    everywhere("finds", |[one, other]| {
        one.fill("k", "1", &["a"]);
        assert_eq!(other.fetched("k", &["a"]).ok().as_deref(), Some("1"));
    });
}

#[test]
fn what_one_invalidates_is_a_miss_in_the_other() {
    everywhere("misses", |[one, other]| {
        one.fill("k", "1", &["a"]);
        one.fill("b", "2", &["b"]);
        assert!(other.fetched("k", &["a"]).is_ok() && other.fetched("b", &["b"]).is_ok());
        one.wait(one.stack.invalidate(tags(&["a"])));
        drop(other.lead("k", &["a"]));
        assert!(other.fetched("b", &["b"]).is_ok());
        one.wait(one.stack.clear());
        drop(other.lead("b", &["b"]));
    });
}

#[test]
fn what_is_read_alone_is_held_against_all_of_its_tags() {
    everywhere("read", |[one, other]| {
        one.fill("k", "1", &["a"]);
        one.fill("b", "2", &["b"]);
        one.fill("c", "3", &["c"]);
        // That it has a tag is told by the entry, and the marker is asked for then.
        assert_eq!(other.got("k", &[]).as_deref(), Some("1"));
        one.wait(one.stack.invalidate(tags(&["a", "b"])));
        assert_eq!(other.got("k", &["a"]), None);
        assert_eq!(other.got("b", &[]), None);
        assert_eq!(other.got("c", &["c"]).as_deref(), Some("3"));
        one.wait(one.stack.clear());
        assert_eq!(other.got("c", &["c"]), None);
        assert_eq!(other.got("nothing", &[]), None);
    });
}

#[test]
fn what_began_before_an_invalidation_stays_out() {
    everywhere("overtaken", |[one, other]| {
        let seat = other.lead("k", &["a"]);
        one.wait(one.stack.invalidate(tags(&["a"])));
        assert_eq!(other.settle(seat, "old", &["a"]), Written::Overtaken);
        // Gives its lease back.
        other.wait(other.stack.watch());
        drop(other.lead("k", &["a"]));
        let seat = other.lead("deleted", &["a"]);
        one.wait(one.stack.delete(one.place("deleted")));
        assert_eq!(other.settle(seat, "old", &["a"]), Written::Lost);
    });
}

#[test]
fn memory_is_told_within_half_a_second() {
    everywhere("told", |[one, other]| {
        other.fill("k", "1", &["a"]);
        let key = |place: &Place| Event::Key((&*place.name).into());
        let deleted = key(&one.place("k"));
        one.wait(one.stack.delete(one.place("k")));
        let shortest = other.watched(|event| *event == deleted);
        one.wait(one.stack.invalidate(tags(&["a"])));
        let tag = Event::Tag("a".into());
        let shortest = other.watched(|event| *event == tag).min(shortest);
        assert!(shortest < KNOWN_WITHIN, "it took {shortest:?}");
    });
}

#[test]
fn one_of_two_computes() {
    everywhere("leases", |[one, other]| {
        let seat = one.lead("k", &[]);
        let waiting = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| other.fetched("k", &[]).ok());
            std::thread::sleep(Duration::from_millis(50));
            assert_eq!(one.settle(seat, "1", &[]), Written::Stored);
            waiting.join().expect("no panic")
        });
        assert_eq!(waiting.as_deref(), Some("1"));
    });
}
