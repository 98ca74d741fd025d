//! A service whose process is killed, frozen or started again, which has lost everything then: dynalite or moto, one for each test. And
//! answers that never come to what is asked for all.

#[path = "../../everwarm-store-object/tests/support/process.rs"]
mod process;
mod support;

use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use everwarm_core::store::{Bytes, FailureKind, Store};
use everwarm_store_dynamodb::{Config, DynamoDb};
use process::{Process, within};
use serde_json::json;
use support::stub::stub;
use support::{at, endpoint, until, wait};

/// How long somebody waits before walking away.
const SOON: Duration = Duration::from_millis(300);
const EVER: Duration = Duration::from_secs(600);
/// Who gives credentials, to the process that another test starts.
const GIVER: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const MACHINES: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
/// What kind of failure that process is to see.
const KIND: &str = "KIND_OF_FAILURE";

fn dynalite() -> Option<Process> {
    let program = endpoint("DYNALITE")?;
    let words = ["node", &program, "--host", "127.0.0.1", "--port", "%PORT%"];
    let at_once = ["--createTableMs", "0", "--deleteTableMs", "0"];
    Some(Process::start(&[&words[..], &at_once].concat()))
}

fn open(config: &Config) -> DynamoDb {
    DynamoDb::open(config.clone()).expect("a store")
}

#[test]
fn a_service_that_is_killed_under_load_is_found_again() {
    let Some(mut dynalite) = dynalite() else {
        return;
    };
    // Its table is gone with it, and made again.
    let store = open(&at(&dynalite.endpoint(), "killed"));
    process::is_killed_under_load(&mut dynalite, &store);
}

#[test]
fn a_service_that_freezes_under_load_costs_bounded_time_and_no_connection() {
    // dynalite ends itself when a connection is reset.
    let Some(python) = endpoint("MOTO_PYTHON") else {
        return;
    };
    let moto = Process::moto(&python);
    let mut config = at(&moto.endpoint(), "frozen");
    config.connections = 4;
    let names: Vec<String> = (0..25).map(|n| format!("large-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let large = process::values(&names, 380_000);
    process::is_frozen_under_load(&moto, &open(&config), &large);
}

#[test]
fn what_a_service_has_lost_is_neither_there_nor_valid() {
    let Some(mut dynalite) = dynalite() else {
        return;
    };
    let mut config = at(&dynalite.endpoint(), "lost");
    let store = open(&config);
    config.make_table = false;
    let other = open(&config);
    process::has_lost_everything(&mut dynalite, &store, |dynalite| {
        assert!(wait(other.get("there")).unwrap().is_some());
        dynalite.kill();
        dynalite.again();
        for failure in [
            wait(other.get("there")).expect_err("there is no table"),
            wait(other.set("there", Bytes::new(), None)).expect_err("there is no table"),
        ] {
            assert_eq!(failure.kind, FailureKind::Permanent, "{failure}");
            assert!(failure.hint().contains("create-table"), "{failure}");
        }
    });
    // The one that may has made it.
    assert_eq!(wait(other.get("there")), Ok(None));
}

#[test]
fn a_table_whose_making_is_not_answered_is_made_later() {
    let (asked, is_made) = (AtomicUsize::new(0), AtomicBool::new(false));
    let endpoint = stub(move |operation, _| match operation {
        "CreateTable" if asked.fetch_add(1, Ordering::SeqCst) == 0 => {
            thread::sleep(EVER);
            unreachable!("the test is over");
        }
        "CreateTable" => {
            is_made.store(true, Ordering::SeqCst);
            (200, "{}".to_owned())
        }
        "DescribeTable" => (200, json!({"Table": {"TableStatus": "ACTIVE"}}).to_string()),
        "GetItem" if !is_made.load(Ordering::SeqCst) => (
            400,
            json!({"__type": "x#ResourceNotFoundException"}).to_string(),
        ),
        _ => (200, "{}".to_owned()),
    });
    let store = open(&at(&endpoint, "made"));
    let failure = within(SOON, store.get("name")).expect_err("nobody answers");
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    until("it is made", || within(SOON, store.get("name")) == Ok(None));
}

#[test]
fn credentials_that_are_not_answered_are_asked_for_again() {
    let asked = AtomicUsize::new(0);
    let giver = stub(move |_, _| {
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            thread::sleep(EVER);
        }
        let keys = json!({
            "AccessKeyId": "id",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": "2100-01-01T00:00:00Z",
        });
        (200, keys.to_string())
    });
    // Where credentials are is said by variables, and those are a process's.
    let this = std::env::current_exe().expect("it runs");
    let part = ["--exact", "the_part_of_who_has_no_keys", "--ignored"];
    let mut command = Command::new(this);
    let command = command.args(part).env_clear().env(GIVER, giver);
    let ended = command.env("AWS_EC2_METADATA_DISABLED", "true").status();
    assert!(ended.expect("it can be started").success());
}

#[test]
fn who_gives_credentials_and_is_away_is_no_lack_of_them() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}", listener.local_addr().expect("an address"))
    };
    let silent = stub(|_, _| {
        thread::sleep(EVER);
        unreachable!("the test is over");
    });
    let busy = stub(|_, _| (503, "{}".to_owned()));
    let refuses = stub(|_, _| (403, "{}".to_owned()));
    let this = std::env::current_exe().expect("it runs");
    let failure = |giver: &[(&str, &str)], kind: FailureKind| {
        let part = ["--exact", "the_part_of_who_gets_no_keys", "--ignored"];
        let mut command = Command::new(&this);
        let command = command.args(part).env_clear().env(KIND, kind.name());
        let ended = command.envs(giver.iter().copied()).status();
        assert!(ended.expect("it can be started").success(), "{giver:?}");
    };
    let off = ("AWS_EC2_METADATA_DISABLED", "true");
    for away in [&closed, &silent, &busy] {
        failure(&[(GIVER, away.as_str()), off], FailureKind::Transient);
    }
    failure(&[(MACHINES, closed.as_str())], FailureKind::Transient);
    failure(
        &[(GIVER, refuses.as_str()), off],
        FailureKind::Authentication,
    );
    failure(&[off], FailureKind::Authentication);
}

#[test]
#[ignore = "it is what the process does that another test starts"]
fn the_part_of_who_gets_no_keys() {
    let Ok(kind) = std::env::var(KIND) else {
        return;
    };
    let mut config = at("http://127.0.0.1:1", "keys");
    config.keys = None;
    let failure = wait(open(&config).get("name")).expect_err("there are no keys");
    assert_eq!(failure.kind.name(), kind, "{failure}");
}

#[test]
#[ignore = "it is what the process does that another test starts"]
fn the_part_of_who_has_no_keys() {
    if std::env::var(GIVER).is_err() {
        return;
    }
    let endpoint = stub(|_, _| (200, "{}".to_owned()));
    let mut config = at(&endpoint, "keys");
    config.keys = None;
    let store = open(&config);
    let failure = within(SOON, store.get("name")).expect_err("nobody answers");
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    until("it has keys", || {
        within(SOON, store.get("name")) == Ok(None)
    });
}
