//! Servers that take more at once than others, or less: a value is judged by the one that it goes to, also before anything was asked.

mod support;

use everwarm_core::store::{Bytes, Entry, FailureKind, Store};
use everwarm_store_sql::Mysql;
use support::wait;

const MIB: usize = 1 << 20;
/// What a server takes at once, and bytes of the largest value that it takes then.
const SERVERS: [(usize, usize); 4] = [
    (16 * MIB, 8 * MIB - 65_536),
    (64 * MIB, 32 * MIB - 65_536),
    (4 * MIB, 2 * MIB - 65_536),
    (MIB, MIB / 2 - 65_536),
];

fn open() -> Option<Mysql> {
    let config = support::mysql_apart("packets")?;
    Some(Mysql::open(config).expect("a store"))
}

/// Bytes of which each has an escape.
fn zeros(length: usize) -> Bytes {
    vec![0; length].into()
}

/// One after another, since there is one server.
#[test]
fn what_a_server_takes_is_what_it_says() {
    if open().is_none() {
        return;
    }
    for (packet, largest) in SERVERS {
        support::set_packet(packet);
        the_first_call_is_judged_by_the_server(largest);
        a_lot_goes_to_a_server_that_takes_it(largest);
    }
    a_connection_has_what_it_was_made_with();
    support::set_packet(16 * MIB);
}

fn the_first_call_is_judged_by_the_server(largest: usize) {
    let refuses = open().expect("it was there before");
    let before = support::received();
    let failure = wait(refuses.set("name", zeros(largest + 1), None)).expect_err("it is too large");
    assert_eq!(failure.kind, FailureKind::Capacity, "{failure}");
    assert!(failure.hint().contains("max_allowed_packet"));
    let sent = support::received() - before;
    assert!(
        sent < 100_000,
        "{sent} bytes were sent of a value that is refused"
    );
    assert_eq!(refuses.limits().largest_value, largest as u64);

    let takes = open().expect("it was there before");
    let promised = takes.limits().largest_value;
    assert!(
        promised > 500 * MIB as u64,
        "{promised}: nobody has said yet that it is so little"
    );
    wait(takes.set("name", zeros(largest), None)).unwrap();
    assert_eq!(takes.limits().largest_value, largest as u64);
    let found = wait(takes.get("name")).unwrap().expect("it was set");
    assert!(found.bytes == zeros(largest));
}

fn a_lot_goes_to_a_server_that_takes_it(largest: usize) {
    if largest < 2 * MIB - 65_536 {
        return;
    }
    let store = open().expect("it was there before");
    let names: Vec<String> = (0..100).map(|n| format!("lot-{n}")).collect();
    let entries: Vec<Entry<'_>> = names
        .iter()
        .map(|name| Entry {
            name,
            bytes: zeros(40_000),
            ttl: None,
        })
        .collect();
    wait(store.set_many(&entries)).unwrap();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = wait(store.get_many(&names)).unwrap();
    assert!(found.iter().all(Option::is_some));
}

fn a_connection_has_what_it_was_made_with() {
    support::set_packet(16 * MIB);
    let store = open().expect("it was there before");
    wait(store.ping()).unwrap();
    support::set_packet(MIB);
    wait(store.set("name", zeros(7 * MIB), None)).unwrap();
    let fresh = open().expect("it was there before");
    let failure = wait(fresh.set("name", zeros(7 * MIB), None)).expect_err("it is too large");
    assert_eq!(failure.kind, FailureKind::Capacity, "{failure}");
}
