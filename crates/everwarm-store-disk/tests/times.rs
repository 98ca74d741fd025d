//! The store's time over restarts, and what is left after the machine ended.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{Bytes, Durability, Store};
use everwarm_store_disk::{Config, Disk, Times};
use support::{Hands, Machine, SECOND, get, now, set};

const FIRST: Machine = Machine {
    boot: 1,
    running: Duration::from_secs(1_000),
    date: Duration::from_secs(1_800_000_000),
};

fn open(path: &Path, machine: Machine) -> Disk {
    Disk::open_with(Config::new(path), Arc::new(machine) as Arc<dyn Times>).unwrap()
}

#[test]
fn a_date_that_is_set_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    now(open(directory.path(), FIRST).set("name", Bytes::from("value"), Some(100 * SECOND)))
        .unwrap();
    for date in [0, 1, 1_900_000_000, 4_000_000_000] {
        let date = Duration::from_secs(date);
        let later = Machine {
            running: FIRST.running + 40 * SECOND,
            date,
            ..FIRST
        };
        let found = now(open(directory.path(), later).get("name"))
            .unwrap()
            .unwrap();
        assert_eq!(found.remaining, Some(60 * SECOND));
    }
}

#[test]
fn time_goes_on_over_a_restart_and_never_back() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path(), FIRST);
    now(disk.set("short", Bytes::from("value"), Some(100 * SECOND))).unwrap();
    now(disk.set("long", Bytes::from("value"), Some(1_000 * SECOND))).unwrap();
    now(disk.close()).unwrap();
    let restarted = Machine {
        boot: 2,
        running: SECOND,
        date: FIRST.date + 300 * SECOND,
    };
    let disk = open(directory.path(), restarted);
    assert_eq!(get(&disk, "short"), None);
    assert_eq!(
        now(disk.get("long")).unwrap().unwrap().remaining,
        Some(700 * SECOND)
    );
    set(&disk, "another", b"value");
    now(disk.close()).unwrap();
    // A clock that lost its battery brings nothing back.
    let without_date = Machine {
        boot: 3,
        running: SECOND,
        date: Duration::ZERO,
    };
    let disk = open(directory.path(), without_date);
    assert_eq!(get(&disk, "short"), None);
    assert_eq!(
        now(disk.get("long")).unwrap().unwrap().remaining,
        Some(700 * SECOND)
    );
    assert!(disk.doubts().is_empty());
}

#[test]
fn a_clock_that_turns_back_holds_nothing_up() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Hands::new();
    let disk = Disk::open_by(Config::new(directory.path()), Arc::clone(&clock) as _).unwrap();
    clock.advance(1_000 * SECOND);
    now(disk.set("name", Bytes::from("value"), Some(10 * SECOND))).unwrap();
    let far_back = Duration::from_nanos(u64::MAX - 900_000_000_000 + 1);
    clock.advance(far_back);
    assert!(now(disk.get("name")).unwrap().unwrap().remaining <= Some(10 * SECOND));
    clock.advance(11 * SECOND);
    assert_eq!(get(&disk, "name"), None);
}

#[test]
fn a_machine_that_ended_in_between_leaves_nothing_and_it_is_said() {
    let directory = tempfile::tempdir().unwrap();
    set(&open(directory.path(), FIRST), "name", b"value");
    let restarted = Machine { boot: 2, ..FIRST };
    let disk = open(directory.path(), restarted);
    assert_eq!(get(&disk, "name"), None);
    assert_eq!(disk.doubts().len(), 1);
    assert!(
        disk.doubts()[0].contains("the machine ended"),
        "{:?}",
        disk.doubts()
    );
    assert!(open(directory.path(), restarted).doubts().is_empty());
}

#[test]
fn what_is_written_after_a_clean_end_is_in_doubt_again() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path(), FIRST);
    set(&disk, "name", b"value");
    now(disk.close()).unwrap();
    set(&open(directory.path(), FIRST), "name", b"another");
    assert_eq!(
        get(
            &open(directory.path(), Machine { boot: 2, ..FIRST }),
            "name"
        ),
        None
    );
}

#[test]
fn durability_power_survives_the_end_of_the_machine() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config {
        durability: Durability::Power,
        ..Config::new(directory.path())
    };
    let disk = Disk::open_with(config.clone(), Arc::new(FIRST)).unwrap();
    assert_eq!(disk.info().durability, Durability::Power);
    set(&disk, "name", b"value");
    set(&disk, "large", &[1; 100_000]);
    let disk = Disk::open_with(config, Arc::new(Machine { boot: 2, ..FIRST })).unwrap();
    assert_eq!(get(&disk, "name").unwrap(), "value");
    assert_eq!(get(&disk, "large").unwrap().len(), 100_000);
    assert!(disk.doubts().is_empty());
}
