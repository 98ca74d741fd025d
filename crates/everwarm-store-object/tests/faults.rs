//! Services that are away, freeze, refuse, ignore conditions or tell another time; and callers that walk away.

mod support;

use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::mark::Tag;
use everwarm_core::store::{Answer, Bytes, Condition, Failure, FailureKind, Grant, Store};
use everwarm_proxy::{Fault, Proxy};
use everwarm_store_object::{Config, Objects};
use support::service::{Service, Ways};
use support::{moto, open, s3, until, wait};

const LONG: Duration = Duration::from_secs(600);

/// A proxy before moto, and a store that asks through it.
fn behind() -> Option<(Proxy, Config)> {
    let mut config = moto()?;
    let endpoint = config.endpoint.take().expect("moto has one");
    let address = endpoint.strip_prefix("http://").expect("moto speaks HTTP");
    let proxy = Proxy::start(address, 7).expect("a free port");
    config.endpoint = Some(format!("http://{}", proxy.address()));
    config.connect_timeout = Duration::from_millis(700);
    Some((proxy, config))
}

fn set(store: &Objects, name: &str, text: &str) -> Result<(), Failure> {
    wait(store.set(name, Bytes::copy_from_slice(text.as_bytes()), None))
}

fn text(store: &Objects, name: &str) -> Result<Option<Bytes>, Failure> {
    Ok(wait(store.get(name))?.map(|found| found.bytes))
}

/// Begins to wait for an answer, and walks away after a moment.
fn abandon<T>(answer: Answer<'_, T>, after: Duration) {
    let mut answer = std::pin::pin!(answer);
    let _ = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    thread::sleep(after);
    let _ = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn a_service_that_is_away_is_found_when_it_comes() {
    let Some((proxy, config)) = behind() else {
        return;
    };
    let store = open(&config);
    proxy.set(Fault::refuse());
    for _ in 0..5 {
        let failure = set(&store, "down", "x").expect_err("it refuses");
        assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
    }
    proxy.calm();
    until("it comes back", || set(&store, "down", "x").is_ok());
    // A connection that was cut while it rested is replaced, and nothing fails.
    proxy.disconnect();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(text(&store, "down").unwrap(), Some(Bytes::from("x")));
    // Cut in the midst of an answer, it is not known what was done.
    proxy.set(Fault::cut(30).down());
    let failure = text(&store, "down").expect_err("it is cut");
    assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
    proxy.calm();
    assert_eq!(text(&store, "down").unwrap(), Some(Bytes::from("x")));
}

#[test]
fn who_walks_away_leaves_no_answer_to_others() {
    let Some((proxy, config)) = behind() else {
        return;
    };
    let store = open(&config);
    set(&store, "one", "1").unwrap();
    set(&store, "two", "2").unwrap();
    proxy.set(Fault::delay(Duration::from_millis(60)).down());
    for round in 0..6 {
        abandon(store.get("one"), Duration::from_millis(15 * round));
        assert_eq!(text(&store, "two").unwrap(), Some(Bytes::from("2")));
    }
    // A whole connection that hangs is given up by who connects.
    proxy.calm();
    proxy.disconnect();
    proxy.set(Fault::hang());
    thread::sleep(Duration::from_millis(50));
    let began = Instant::now();
    let met = thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let mut answer = std::pin::pin!(store.get("one"));
            let mut context = Context::from_waker(Waker::noop());
            while began.elapsed() < Duration::from_millis(300) {
                assert!(
                    answer.as_mut().poll(&mut context).is_pending(),
                    "nobody answered"
                );
                thread::sleep(Duration::from_millis(20));
            }
        });
        asked.join()
    });
    assert!(met.is_ok());
    proxy.calm();
    until("it is asked anew", || text(&store, "one").is_ok());
}

#[test]
fn a_large_value_goes_in_parts_and_comes_back_whole() {
    let Some(config) = moto() else { return };
    let store = open(&config);
    let bytes: Vec<u8> = (0..(33_u32 << 20) / 4).flat_map(u32::to_be_bytes).collect();
    let bytes = Bytes::from(bytes);
    wait(store.set("large", bytes.clone(), Some(LONG))).unwrap();
    let found = wait(store.get("large")).unwrap().expect("it is there");
    assert!(found.bytes == bytes && found.remaining.is_some());
    // What was sent in parts is a write as any other to who compares.
    let conditional = store.conditional().expect("it has it");
    let is = Condition::Version(found.version);
    assert!(
        wait(conditional.set_if("large", Bytes::from("small"), None, is))
            .unwrap()
            .is_some()
    );
    assert_eq!(text(&store, "large").unwrap(), Some(Bytes::from("small")));
    let mut small = config.clone();
    small.max_value = 1 << 20;
    wait(store.set("large", bytes, None)).unwrap();
    let failure = text(&open(&small), "large").expect_err("it is over the limit");
    assert_eq!(failure.kind, FailureKind::Capacity, "{failure}");
}

#[test]
fn conditions_that_are_ignored_are_noticed_and_refused() {
    let service = Service::start(Ways {
        is_careless: true,
        ..Ways::default()
    });
    let store = open(&s3(&service.endpoint));
    set(&store, "a", "1").unwrap();
    assert_eq!(text(&store, "a").unwrap(), Some(Bytes::from("1")));
    let tags = [Tag([1; 16])];
    let refused = [
        wait(store.leases().unwrap().lease("a", 5, LONG)).expect_err("leases"),
        wait(store.counters().unwrap().incr("n", 1, 0, None)).expect_err("counters"),
        wait(
            store
                .conditional()
                .unwrap()
                .set_if("a", Bytes::new(), None, Condition::Present),
        )
        .expect_err("conditional"),
        wait(store.touch().unwrap().expire("a", None)).expect_err("touch"),
        wait(store.generations().unwrap().begin("s", &tags, None)).expect_err("generations"),
        wait(store.suspending().unwrap().suspend("s", &tags, LONG)).expect_err("suspend"),
    ];
    for failure in refused {
        assert_eq!(failure.kind, FailureKind::Capability, "{failure}");
    }
    assert_eq!(wait(store.sweep()), Ok(0));
    assert_eq!(text(&store, "a").unwrap(), Some(Bytes::from("1")));
    assert!(wait(store.delete("a")).unwrap());
    let report = wait(store.health().unwrap().report(false)).unwrap();
    assert!(
        report
            .remarks
            .iter()
            .any(|remark| remark.about == "conditions" && remark.is_trouble)
    );
}

#[test]
fn what_it_costs() {
    let service = Service::start(Ways {
        date: Some("Sun, 22 Nov 2026 12:00:00 GMT"),
        ..Ways::default()
    });
    let store = open(&s3(&service.endpoint));
    let leases = store.leases().unwrap();
    let generations = store.generations().unwrap();
    let tags = [Tag([1; 16])];
    // What is tried and asked once by each process.
    wait(leases.lease("first", 5, LONG)).unwrap();
    wait(generations.begin("s", &tags, None)).unwrap();
    let asks = |what: &str, work: &dyn Fn(), expected: &[&str]| {
        service.asked();
        work();
        let mut asked = service.asked();
        asked.sort();
        assert_eq!(asked, expected, "{what}");
    };
    let (touch, counters) = (store.touch().unwrap(), store.counters().unwrap());
    let is_there = || assert!(wait(store.delete("a")).unwrap());
    let nothing = || assert!(!wait(store.delete("a")).unwrap());
    let leased = || assert!(wait(leases.set_leased("b", 5, Bytes::new(), None)).unwrap());
    asks(
        "set",
        &|| done(store.set("a", Bytes::new(), Some(LONG))),
        &["PUT e"],
    );
    asks("get", &|| done(store.get("a")), &["GET e"]);
    asks(
        "touch",
        &|| done(touch.expire("a", None)),
        &["GET e", "PUT e"],
    );
    asks("delete", &is_there, &["DELETE e", "GET e"]);
    asks("delete of nothing", &nothing, &["GET e"]);
    asks("lease", &|| done(leases.lease("b", 5, LONG)), &["PUT e"]);
    asks("set_leased", &leased, &["GET e", "PUT e"]);
    asks(
        "begin",
        &|| done(generations.begin("s", &tags, None)),
        &["GET g"],
    );
    asks(
        "get_with",
        &|| done(generations.get_with("b", "s", &tags)),
        &["GET e", "GET g"],
    );
    asks(
        "invalidate",
        &|| done(generations.invalidate("s", &tags)),
        &["GET g", "PUT g"],
    );
    asks(
        "incr",
        &|| done(counters.incr("n", 1, 0, None)),
        &["GET e", "PUT e"],
    );
}

fn done<T>(answer: Answer<'_, T>) {
    assert!(wait(answer).is_ok());
}

/// What stands for Google here is of our own making: it shows that the words are those that were meant, and no more.
#[test]
fn conditions_are_said_in_googles_words() {
    let service = Service::start(Ways::default());
    let mut config = s3(&service.endpoint);
    config.service = everwarm_store_object::Service::Google;
    config.credentials = everwarm_store_object::Credentials::Anonymous;
    let store = open(&config);
    let conditional = store.conditional().unwrap();
    let first = conditional.set_if("a", Bytes::from("1"), None, Condition::Absent);
    let first = wait(first).unwrap().expect("there was nothing");
    let again = conditional.set_if("a", Bytes::from("2"), None, Condition::Absent);
    assert_eq!(wait(again).unwrap(), None);
    let second = conditional.set_if("a", Bytes::from("2"), None, Condition::Version(first));
    assert!(wait(second).unwrap().is_some());
    assert!(!wait(conditional.delete_if("a", first)).unwrap());
    assert_eq!(text(&store, "a").unwrap(), Some(Bytes::from("2")));
    let leases = store.leases().unwrap();
    assert_eq!(wait(leases.lease("b", 5, LONG)), Ok(Grant::Granted));
    assert!(matches!(
        wait(leases.lease("b", 6, LONG)),
        Ok(Grant::Held(_))
    ));
    assert_eq!(
        wait(leases.set_leased("b", 5, Bytes::from("3"), None)),
        Ok(true)
    );
    assert_eq!(text(&store, "b").unwrap(), Some(Bytes::from("3")));
    assert_eq!(wait(store.counters().unwrap().incr("n", 5, 1, None)), Ok(6));
    assert!(wait(store.delete("n")).unwrap());
    let report = wait(store.health().unwrap().report(false)).unwrap();
    assert!(
        report
            .facts
            .contains(&("conditions", "of writes and deletes".into()))
    );
}

#[test]
fn a_machine_whose_clock_is_wrong_goes_by_the_services() {
    // It is years behind what this machine takes for the time.
    let ways = Ways {
        date: Some("Sun, 06 Nov 1994 08:49:37 GMT"),
        ..Ways::default()
    };
    let service = Service::start(ways);
    let config = s3(&service.endpoint);
    let [one, other] = [open(&config), open(&config)];
    wait(one.set("a", Bytes::from("1"), Some(LONG))).unwrap();
    // One that knew nothing of it yet reads the same deadline by the same clock.
    let found = wait(other.get("a")).unwrap().expect("it has not expired");
    let left = found.remaining.expect("it has an end");
    assert!(
        left <= LONG && left > LONG - Duration::from_secs(3),
        "{left:?}"
    );
    assert_eq!(
        wait(other.leases().unwrap().lease("b", 7, LONG)).unwrap(),
        Grant::Granted
    );
    let Grant::Held(left) = wait(one.leases().unwrap().lease("b", 8, LONG)).unwrap() else {
        panic!("two hold the same lease");
    };
    assert!(left > LONG - Duration::from_secs(3), "{left:?}");
    let report = wait(one.health().unwrap().report(false)).unwrap();
    assert!(report.remarks.iter().any(|remark| remark.about == "clock"));
}

#[test]
fn refusals_are_of_their_kind() {
    for (status, code, kind) in [
        ("403 Forbidden", "AccessDenied", FailureKind::Authentication),
        (
            "401 Unauthorized",
            "Unauthorized",
            FailureKind::Authentication,
        ),
        ("404 Not Found", "NoSuchBucket", FailureKind::Permanent),
        ("503 Slow Down", "SlowDown", FailureKind::Transient),
        (
            "500 Internal Server Error",
            "InternalError",
            FailureKind::Transient,
        ),
        ("429 Too Many Requests", "Busy", FailureKind::Transient),
        (
            "413 Content Too Large",
            "EntityTooLarge",
            FailureKind::Capacity,
        ),
        (
            "301 Moved Permanently",
            "PermanentRedirect",
            FailureKind::Permanent,
        ),
        (
            "400 Bad Request",
            "AuthorizationHeaderMalformed",
            FailureKind::Permanent,
        ),
    ] {
        let service = Service::start(Ways {
            refuses: Some((status, code)),
            ..Ways::default()
        });
        let store = open(&s3(&service.endpoint));
        for failure in [
            set(&store, "name", "value").expect_err(code),
            text(&store, "name").expect_err(code),
        ] {
            assert_eq!(failure.kind, kind, "{status}: {failure}");
            // What a service says may hold names and signatures.
            assert!(!failure.to_string().contains(code), "{failure}");
        }
    }
}

#[test]
fn what_somebody_else_wrote_is_not_taken_for_an_entry() {
    let Some(config) = moto() else { return };
    let store = open(&config);
    set(&store, "a", "1").unwrap();
    let mut other = config.clone();
    // A key of the one is below the prefix of the other.
    other.prefix = format!("{}/e/a", config.prefix);
    set(&open(&other), "b", "2").unwrap();
    assert_eq!(text(&store, "a").unwrap(), Some(Bytes::from("1")));
    assert_eq!(text(&store, "a/e/b").unwrap(), None);
    // Names are not taken for what a service says of itself.
    assert_eq!(text(&store, "NoSuchBucket SlowDown 413 ").unwrap(), None);
}
