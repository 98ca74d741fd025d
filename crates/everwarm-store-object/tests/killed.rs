//! A service whose process is killed, frozen or started again, which has lost everything then: moto, one for each test. And an answer that
//! never comes to what nobody waits for.

#[path = "support/process.rs"]
mod process;
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use everwarm_core::store::{Bytes, FailureKind, Store};
use everwarm_proxy::{Fault, Proxy};
use process::{Process, within};
use support::{MOTO, open, s3, until, url, wait};

fn moto() -> Option<Process> {
    url("MOTO_PYTHON").map(|python| Process::moto(&python))
}

/// Makes the bucket `second` there.
fn make_second(process: &Process) {
    let endpoint = process.endpoint();
    let place = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(place).expect("it listens");
    let asked =
        "PUT /second HTTP/1.0\r\nHost: s3.us-east-1.amazonaws.com\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(asked.as_bytes()).expect("it listens");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("it answers");
    assert!(said.contains(" 200 "), "{said}");
}

#[test]
fn a_service_that_is_killed_under_load_is_found_again() {
    let Some(mut moto) = moto() else { return };
    let store = open(&s3(&moto.endpoint()));
    process::is_killed_under_load(&mut moto, &store);
}

#[test]
fn a_service_that_freezes_under_load_costs_bounded_time_and_no_connection() {
    let Some(moto) = moto() else { return };
    let mut config = s3(&moto.endpoint());
    config.connections = 4;
    let large = process::values(&["large"], 8 << 20);
    process::is_frozen_under_load(&moto, &open(&config), &large);
}

#[test]
fn what_a_service_has_lost_is_neither_there_nor_valid() {
    let Some(mut moto) = moto() else { return };
    make_second(&moto);
    let mut config = s3(&moto.endpoint());
    let store = open(&config);
    config.bucket = "second".to_owned();
    let second = open(&config);
    wait(second.set("there", Bytes::from("before"), None)).unwrap();
    process::has_lost_everything(&mut moto, &store, |moto| {
        moto.kill();
        moto.again();
    });
    // Of the two buckets moto makes one when it starts.
    for failure in [
        wait(second.get("there")).expect_err("there is no bucket"),
        wait(second.set("there", Bytes::new(), None)).expect_err("there is no bucket"),
        wait(second.counters().unwrap().incr("n", 1, 0, None)).expect_err("there is no bucket"),
    ] {
        assert_eq!(failure.kind, FailureKind::Permanent, "{failure}");
        assert!(failure.hint().contains("make the bucket"), "{failure}");
    }
    make_second(&moto);
    assert_eq!(wait(second.get("there")), Ok(None));
    wait(second.set("there", Bytes::from("after"), None)).unwrap();
}

#[test]
fn an_upload_that_is_given_up_in_vain_leaves_others_a_connection() {
    let Some(endpoint) = url(MOTO) else { return };
    let proxy = Proxy::start(endpoint.trim_start_matches("http://"), 7).expect("a free port");
    let mut config = s3(&format!("http://{}", proxy.address()));
    config.connections = 1;
    config.connect_timeout = Duration::from_secs(1);
    let store = open(&config);
    wait(store.set("small", Bytes::from("1"), None)).unwrap();
    // In the midst of its parts
    proxy.set(Fault::bandwidth(8 << 20).up());
    thread::scope(|scope| {
        let large = Bytes::from(vec![7; 33 << 20]);
        let sending =
            scope.spawn(|| within(Duration::from_secs(1), store.set("large", large, None)));
        thread::sleep(Duration::from_millis(500));
        // all answers are lost, that of giving it up among them.
        proxy.set(Fault::half_open().down());
        sending.join().unwrap().expect_err("it is not done so soon");
    });
    until("it is given up", || proxy.count("half_open") > 0);
    proxy.calm();
    until("others have an answer", || {
        let found = within(Duration::from_millis(600), store.get("small"));
        found.is_ok_and(|found| found.is_some_and(|found| found.bytes == "1"))
    });
}
