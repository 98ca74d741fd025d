//! Decorated functions: one computation for each key, verbs beside them, and what is kept.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::thread;

use everwarm::duration::{mins, secs};
use everwarm::testing::ManualClock;
use everwarm::{ToKey, cached};

use crate::clock::turn;

#[test]
fn equal_arguments_are_one_entry() {
    #[cached]
    fn area(width: u32, height: u32) -> u32 {
        width * height
    }
    assert_eq!((area(2, 3), area(2, 3), area(3, 2)), (6, 6, 6));
    let stats = area::stats();
    assert_eq!((stats.hits, stats.misses, stats.entries), (1, 2, 2));
}

#[test]
fn threads_wait_for_one_computation() {
    static COMPUTED: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn slow(key: &str) -> String {
        COMPUTED.fetch_add(1, Ordering::Relaxed);
        // Until others wait, so that they cannot come too late.
        while slow::stats().followers < 63 {
            thread::yield_now();
        }
        key.to_uppercase()
    }
    let start = Barrier::new(64);
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                start.wait();
                assert_eq!(slow("a"), "A");
            });
        }
    });
    assert_eq!(COMPUTED.load(Ordering::Relaxed), 1);
    assert_eq!(slow::stats().followers, 63);
}

#[test]
fn errors_are_returned_and_not_kept() {
    static COMPUTED: AtomicU32 = AtomicU32::new(0);
    type Parsed = std::result::Result<u8, std::num::ParseIntError>;
    #[cached]
    fn parsed(text: String) -> Parsed {
        COMPUTED.fetch_add(1, Ordering::Relaxed);
        text.parse()
    }
    for _ in 0..2 {
        assert!(parsed("x".to_owned()).is_err());
        assert_eq!(parsed("7".to_owned()), Ok(7));
    }
    assert_eq!(COMPUTED.load(Ordering::Relaxed), 3);
    parsed::prime("y".parse(), "y".to_owned());
    assert!(parsed::peek("y".to_owned()).is_none());
    assert_eq!(parsed::stats().refused, 0);
}

#[test]
fn an_error_goes_to_all_who_wait() {
    #[cached]
    fn failing(id: u8) -> Result<u8, Arc<std::io::Error>> {
        while failing::stats().followers < 7 {
            thread::yield_now();
        }
        Err(Arc::new(std::io::Error::other(format!("no {id}"))))
    }
    let start = Barrier::new(8);
    let errors: Vec<_> = thread::scope(|scope| {
        let call = || {
            start.wait();
            failing(1).expect_err("it fails")
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(call)).collect();
        let ends = threads.into_iter().map(|thread| thread.join());
        ends.map(|end| end.expect("no thread panics")).collect()
    });
    assert!(errors.iter().all(|error| Arc::ptr_eq(error, &errors[0])));
    let stats = failing::stats();
    assert_eq!((stats.computations, stats.entries), (1, 0));
}

#[test]
fn invalidation_wins_over_what_is_being_computed() {
    #[cached(tags = ["loading:{way}"])]
    fn loading(way: u8) -> u8 {
        match way {
            0 => loading::invalidate(way),
            1 => loading::clear(),
            2 => everwarm::invalidate_tags(["loading:2"]),
            _ => loading::prime(9, way),
        }
        way
    }
    for way in 0..3 {
        assert_eq!(loading(way), way);
        assert!(loading::peek(way).is_none(), "{way}");
    }
    assert_eq!((loading(3), loading(3)), (3, 9));
}

#[test]
fn a_cancelled_task_hands_over() {
    static COMPUTED: AtomicU32 = AtomicU32::new(0);
    #[cached]
    async fn waiting(id: u8) -> u8 {
        if COMPUTED.fetch_add(1, Ordering::Relaxed) == 0 {
            std::future::pending().await
        }
        id
    }
    let mut task = Context::from_waker(Waker::noop());
    let mut follower = Box::pin(waiting(1));
    let mut leader = Box::pin(waiting(1));
    assert!(leader.as_mut().poll(&mut task).is_pending());
    assert!(follower.as_mut().poll(&mut task).is_pending());
    assert_eq!(waiting::stats().followers, 1);
    drop(leader);
    assert_eq!(follower.as_mut().poll(&mut task), Poll::Ready(1));
    assert_eq!(COMPUTED.load(Ordering::Relaxed), 2);
}

#[test]
fn none_is_kept_unless_it_is_not_to_be() {
    #[cached]
    fn kept(id: u8) -> Option<u8> {
        (id > 9).then_some(id)
    }
    #[cached(cache_none = false)]
    fn anew(id: u8) -> Option<u8> {
        (id > 9).then_some(id)
    }
    #[cached(cache_none = false)]
    fn tried(id: u8) -> Result<Option<u8>, ()> {
        Ok(anew::uncached(id))
    }
    for _ in 0..2 {
        assert_eq!((kept(1), anew(1), tried(1)), (None, None, Ok(None)));
        assert_eq!(
            (kept(10), anew(10), tried(10)),
            (Some(10), Some(10), Ok(Some(10)))
        );
    }
    let computed = [kept::stats(), anew::stats(), tried::stats()].map(|stats| stats.computations);
    assert_eq!(computed, [2, 3, 3]);
    assert_eq!((anew::stats().refused, tried::stats().refused), (2, 2));
}

#[test]
fn verbs_take_the_arguments_of_a_call() {
    #[cached(tags = ["sku:{sku}", "all"])]
    fn price(sku: &str, #[allow(unused)] net: bool) -> u32 {
        sku.len() as u32
    }
    assert!(price::peek("lamp", true).is_none());
    price::prime(30, "lamp", true);
    assert_eq!((price("lamp", true), price("lamp", false)), (30, 4));
    let seen = price::peek("lamp", true).expect("it is there");
    assert_eq!((seen.value, seen.ttl), (30, None));
    assert_eq!(
        seen.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(),
        ["sku:lamp", "all"]
    );
    assert_eq!(price::refresh("lamp", true), 4);
    assert_eq!(price("lamp", true), 4);
    price::prime(30, "lamp", true);
    price::invalidate("lamp", true);
    assert_eq!(price("lamp", true), 4);
    assert_eq!(price::uncached("chair", true), 5);
    price::clear();
    assert_eq!(price::stats().entries, 0);
}

#[test]
fn tags_reach_all_functions() {
    #[cached(tags = ["person:{id}"])]
    fn name(id: u64) -> String {
        format!("name {id}")
    }
    #[cached(tags = ["person:{person.id}", "list"], key = "{person.id}")]
    fn orders(person: &Person) -> usize {
        person.orders.len()
    }
    struct Person {
        id: u64,
        orders: Vec<u64>,
    }
    let person = Person {
        id: 7,
        orders: vec![1],
    };
    name(7);
    name(8);
    assert_eq!(orders(&person), 1);
    assert_eq!(
        orders(&Person {
            id: 7,
            orders: vec![]
        }),
        1,
        "the key is the id"
    );
    everwarm::invalidate_tags(["person:7"]);
    assert!(name::peek(7).is_none() && orders::peek(&person).is_none());
    assert!(name::peek(8).is_some());
}

#[test]
fn a_manual_clock_holds_all_functions_and_ttl_and_jitter_count() {
    #[cached(ttl = "5m")]
    fn page(id: u8) -> u8 {
        id
    }
    #[cached(ttl = 300, jitter = 0.5)]
    fn spread(id: u16) -> u16 {
        id
    }
    let _turn = turn();
    let clock = ManualClock::new();
    let _held = clock.hold_functions();
    page(1);
    (0..100).for_each(|id| _ = spread(id));
    let left: Vec<_> = (0..100).filter_map(|id| spread::peek(id)?.ttl).collect();
    assert!(left.iter().all(|ttl| (mins(5) / 2..=mins(5)).contains(ttl)));
    assert!(left.iter().any(|ttl| *ttl < secs(250)));
    assert_eq!(page::peek(1).and_then(|seen| seen.ttl), Some(mins(5)));
    clock.advance(mins(5) - secs(1));
    page(1);
    assert_eq!(page::stats().hits, 1);
    clock.advance(secs(1));
    page(1);
    assert_eq!((page::stats().hits, page::stats().expired), (1, 1));
}

#[test]
fn max_entries_is_the_bound() {
    #[cached(max_entries = 8)]
    fn one(id: u32) -> u32 {
        id
    }
    (0..100).for_each(|id| _ = one(id));
    assert_eq!((one::stats().entries, one::stats().evicted), (8, 92));
}

#[derive(ToKey)]
enum Unit {
    Each,
    Pack(u8),
}

struct Shop<T> {
    id: u8,
    currency: T,
}

impl<T: std::fmt::Debug> Shop<T> {
    #[cached(key = "{self.id}{sku}{unit}", tags = ["shop:{self.id}"])]
    fn price(&self, sku: &str, unit: &Unit) -> String {
        let count = match unit {
            Unit::Each => 1,
            Unit::Pack(count) => *count,
        };
        format!("{count} {sku} {:?}", self.currency)
    }

    #[cached(key = "{id}")]
    async fn label(self: Arc<Self>, id: u64) -> String {
        format!("{id} {}", self.id)
    }
}

#[test]
fn methods_are_told_apart_by_what_the_key_names() {
    let (one, two) = (
        Shop {
            id: 1,
            currency: "EUR",
        },
        Shop {
            id: 2,
            currency: "USD",
        },
    );
    assert_eq!(one.price("lamp", &Unit::Each), "1 lamp \"EUR\"");
    assert_eq!(two.price("lamp", &Unit::Each), "1 lamp \"USD\"");
    assert_eq!(one.price("lamp", &Unit::Pack(6)), "6 lamp \"EUR\"");
    let of_bytes = Shop {
        id: 1,
        currency: b'E',
    };
    assert_eq!(of_bytes.price("lamp", &Unit::Each), "1 lamp 69");
    assert_eq!(Shop::<u8>::price_stats().computations, 4);
    one.price_invalidate("lamp", &Unit::Each);
    assert!(one.price_peek("lamp", &Unit::Each).is_none());
    assert!(two.price_peek("lamp", &Unit::Each).is_some());
    everwarm::invalidate_tags(["shop:2"]);
    assert!(two.price_peek("lamp", &Unit::Each).is_none());

    let (one, two) = (Arc::new(one), Arc::new(two));
    assert_eq!(pollster::block_on(one.label(9)), "9 1");
    assert_eq!(
        pollster::block_on(two.label(9)),
        "9 1",
        "the instance is no part of the key"
    );
}

#[test]
fn tasks_need_no_runtime() {
    #[cached]
    async fn profile(id: u64, fields: Vec<String>) -> Result<Arc<String>, Arc<std::fmt::Error>> {
        Ok(Arc::new(format!("{id} {}", fields.join(" "))))
    }
    let fields = || vec!["name".to_owned()];
    let first = pollster::block_on(profile(1, fields())).expect("it is computed");
    let second = pollster::block_on(profile(1, fields())).expect("it is there");
    assert!(Arc::ptr_eq(&first, &second));
    let anew = pollster::block_on(profile::refresh(1, fields())).expect("it is computed");
    assert!(!Arc::ptr_eq(&first, &anew));
    profile::invalidate(1, fields());
    assert_eq!(profile::stats().entries, 0);
    fn is_send<T: Send>(task: T) -> T {
        task
    }
    assert!(pollster::block_on(is_send(profile(2, fields()))).is_ok());
}

#[test]
#[should_panic(expected = "asks for the key that it is to give\nhint: compute it from other keys")]
fn a_computation_that_asks_for_itself_panics() {
    #[cached]
    fn circle(id: u8) -> u8 {
        circle(id)
    }
    circle(1);
}

#[test]
fn what_is_beyond_a_key_is_computed_every_time() {
    #[cached]
    fn length(lists: &[Vec<u64>]) -> usize {
        lists.iter().map(Vec::len).sum()
    }
    let large = vec![vec![u64::MAX; 1 << 20]; 2];
    assert_eq!((length(&large), length(&large)), (2 << 20, 2 << 20));
    let stats = length::stats();
    assert_eq!((stats.bypass, stats.errors, stats.entries), (2, 2, 0));
    let error = length::key(&large).expect_err("it is too large");
    assert!(
        error
            .to_string()
            .contains("hint: name what tells calls apart"),
        "{error}"
    );
    length::invalidate(&large);
    assert!(length::peek(&large).is_none());
}
