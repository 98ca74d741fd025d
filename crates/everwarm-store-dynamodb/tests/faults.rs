//! A service that is down, comes back, refuses, is full, has no table, or leaves over what it was asked; and callers that walk away.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Conditional, Entry, Failure, FailureKind, Health, Store,
};
use everwarm_proxy::{Fault, Proxy};
use everwarm_store_dynamodb::{Config, DynamoDb};
use serde_json::{Value, json};
use support::stub::stub;
use support::{DYNALITE, MOTO, at, endpoint, store, wait};

/// A store that asks a server which says what it is told to.
fn told(reply: impl Fn(&str, &Value) -> (u16, String) + Send + Sync + 'static) -> DynamoDb {
    let mut config = at(&stub(reply), "told");
    config.make_table = false;
    DynamoDb::open(config).expect("a store")
}

fn set(store: &DynamoDb, name: &str, text: &'static str) -> Result<(), Failure> {
    wait(store.set(name, Bytes::from(text), None))
}

fn text(store: &DynamoDb, name: &str) -> Result<Option<Bytes>, Failure> {
    Ok(wait(store.get(name))?.map(|found| found.bytes))
}

/// Begins to wait for an answer, and walks away after a moment.
fn abandon<T>(answer: Answer<'_, T>, after: Duration) {
    let mut answer = std::pin::pin!(answer);
    let polled = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    drop(polled);
    thread::sleep(after);
}

#[test]
fn a_service_that_is_down_is_found_when_it_comes_back() {
    let Some(endpoint) = endpoint(DYNALITE) else {
        return;
    };
    let upstream = endpoint.trim_start_matches("http://");
    let proxy = Proxy::start(upstream, 7).expect("a free port");
    let config = at(&format!("http://{}", proxy.address()), "down");
    let store = DynamoDb::open(config).expect("a store");
    set(&store, "name", "before").unwrap();
    for _ in 0..2 {
        proxy.set(Fault::refuse());
        proxy.disconnect();
        for _ in 0..10 {
            let failure = set(&store, "name", "lost").expect_err("it refuses");
            assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
        }
        proxy.calm();
        set(&store, "name", "after").unwrap();
        assert_eq!(text(&store, "name").unwrap(), Some(Bytes::from("after")));
    }
}

#[test]
fn who_walks_away_leaves_no_answer_to_others() {
    let Some(store) = store(DYNALITE, "walked") else {
        return;
    };
    for n in 0..40_u64 {
        set(&store, &format!("n{n}"), "text").unwrap();
    }
    for n in 0..40_u64 {
        let name = format!("n{n}");
        abandon(store.get("other"), Duration::from_micros(n * 40));
        abandon(store.delete("nothing"), Duration::from_micros(n * 15));
        assert_eq!(text(&store, &name).unwrap(), Some(Bytes::from("text")));
    }
}

#[test]
fn what_is_left_over_is_asked_for_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let store = told(move |operation, body| {
        counted.fetch_add(1, Ordering::SeqCst);
        let (table, of_table) = body["RequestItems"]
            .as_object()
            .and_then(|tables| tables.iter().next())
            .expect("a lot");
        // It takes three at a time.
        match operation {
            "BatchGetItem" => {
                let keys = of_table["Keys"].as_array().expect("keys");
                let (taken, left) = keys.split_at(keys.len().min(3));
                let item = |key: &Value| {
                    let mut item = key.clone();
                    item["b"] = json!({"B": "dGV4dA=="});
                    item["v"] = json!({"N": "7"});
                    item["d"] = json!({"N": "9000000000000000"});
                    item
                };
                let items: Vec<Value> = taken.iter().map(item).collect();
                let over = match left {
                    [] => json!({}),
                    left => json!({table: {"Keys": left, "ConsistentRead": true}}),
                };
                let said = json!({"Responses": {table: items}, "UnprocessedKeys": over});
                (200, said.to_string())
            }
            "BatchWriteItem" => {
                let writes = of_table.as_array().expect("writes");
                assert!(writes.len() <= 25);
                let left = &writes[writes.len().min(3)..];
                let over = match left {
                    [] => json!({}),
                    left => json!({table: left}),
                };
                (200, json!({"UnprocessedItems": over}).to_string())
            }
            other => panic!("{other} is not asked for"),
        }
    });
    let names: Vec<String> = (0..10).map(|n| format!("shop:{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = wait(store.get_many(&names)).unwrap();
    assert!(
        found
            .iter()
            .all(|found| found.as_ref().is_some_and(|found| found.bytes == "text"))
    );
    assert_eq!(asked.swap(0, Ordering::SeqCst), 4);
    let entries: Vec<Entry<'_>> = names
        .iter()
        .map(|&name| Entry {
            name,
            bytes: Bytes::from("text"),
            ttl: None,
        })
        .collect();
    wait(store.set_many(&entries)).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[test]
fn what_is_left_over_each_time_is_given_up() {
    let store = told(|_, body| {
        let said = json!({"Responses": {}, "UnprocessedKeys": body["RequestItems"]});
        (200, said.to_string())
    });
    let failure = wait(store.get_many(&["a", "b"])).expect_err("nothing is read");
    assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
    assert!(failure.hint().contains("on demand"), "{failure}");
}

#[test]
fn what_it_refuses_has_its_kind_and_none_of_its_words() {
    for (status, exception, kind) in [
        (
            400,
            "ProvisionedThroughputExceededException",
            FailureKind::Transient,
        ),
        (400, "ThrottlingException", FailureKind::Transient),
        (500, "InternalServerError", FailureKind::Transient),
        (503, "", FailureKind::Transient),
        (
            400,
            "UnrecognizedClientException",
            FailureKind::Authentication,
        ),
        (400, "ExpiredTokenException", FailureKind::Authentication),
        (400, "AccessDeniedException", FailureKind::Authentication),
        (403, "", FailureKind::Authentication),
        (400, "UnknownOperationException", FailureKind::Capability),
        (400, "ValidationException", FailureKind::Permanent),
    ] {
        let store = told(move |_, _| {
            let kind = format!("com.amazonaws.dynamodb.v20120810#{exception}");
            (
                status,
                json!({"__type": kind, "message": "secret words"}).to_string(),
            )
        });
        let failure = set(&store, "name", "text").expect_err(exception);
        assert_eq!(failure.kind, kind, "{exception}: {failure}");
        assert!(!failure.to_string().contains("secret"), "{failure}");
        assert!(!failure.hint().is_empty());
    }
    let store = told(|_, _| (200, "<html>".to_owned()));
    let failure = text(&store, "name").expect_err("it is no answer");
    assert_eq!(failure.kind, FailureKind::Corruption, "{failure}");
}

#[test]
fn reads_may_be_late_only_where_that_was_said() {
    for (url, expected) in [("", true), ("&consistent=false", false)] {
        let seen = Arc::new(AtomicUsize::new(9));
        let noted = Arc::clone(&seen);
        let endpoint = stub(move |_, body| {
            let is_consistent = body["ConsistentRead"] == true;
            noted.store(usize::from(is_consistent), Ordering::SeqCst);
            (200, "{}".to_owned())
        });
        let url = format!("dynamodb://a:b@table?endpoint={endpoint}{url}");
        let store = DynamoDb::open(Config::from_url(&url).unwrap()).unwrap();
        assert_eq!(text(&store, "name").unwrap(), None);
        assert_eq!(seen.load(Ordering::SeqCst), usize::from(expected));
    }
}

#[test]
fn a_missing_table_is_told_with_what_makes_it() {
    let Some(endpoint) = endpoint(DYNALITE) else {
        return;
    };
    let mut config = at(&endpoint, "missing");
    config.make_table = false;
    let table = config.table.clone();
    let store = DynamoDb::open(config).unwrap();
    let failure = text(&store, "name").expect_err("there is no table");
    assert_eq!(failure.kind, FailureKind::Permanent, "{failure}");
    let hint = failure.hint();
    assert!(hint.contains(&format!("aws dynamodb create-table --table-name {table} ")));
    assert!(
        hint.contains(&format!("--endpoint-url {endpoint}")) && hint.contains("make_table=true")
    );
}

#[test]
fn a_table_that_it_made_deletes_what_has_expired() {
    let Some(store) = store(MOTO, "expiring") else {
        return;
    };
    set(&store, "name", "text").unwrap();
    let report = wait(Health::report(&store, true)).unwrap();
    let fact = |name| {
        let fact = report.facts.iter().find(|(known, _)| *known == name);
        format!("{:?}", fact.expect(name).1)
    };
    assert!(fact("ttl").contains("ENABLED"), "{}", fact("ttl"));
    assert!(fact("billing").contains("PAY_PER_REQUEST"));
    assert!(report.remarks.is_empty(), "{:?}", report.remarks);
}

#[test]
fn an_item_that_is_full_is_refused_before_it_is_sent() {
    let store = told(|operation, _| panic!("{operation} was sent"));
    let most = usize::try_from(store.limits().largest_value).unwrap();
    let large = Bytes::from(vec![7; most + 1]);
    let failure = wait(store.set("name", large.clone(), None)).expect_err("it is too large");
    assert_eq!(failure.kind, FailureKind::Capacity, "{failure}");
    let condition = everwarm_core::store::Condition::Absent;
    let failure = wait(store.set_if("name", large, None, condition)).expect_err("too large");
    assert_eq!(failure.kind, FailureKind::Capacity, "{failure}");
}
