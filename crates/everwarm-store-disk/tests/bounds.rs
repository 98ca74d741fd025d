//! Bounds over all handles, who leaves when they are reached, and room that is given back.

mod support;

use std::path::Path;
use std::sync::Arc;

use everwarm_core::store::{Bytes, FailureKind, Leases, Store};
use everwarm_store_disk::{Config, Disk};
use support::{Chance, Hands, SECOND, get, now, proof, proven, set};

fn narrow(path: &Path) -> Config {
    Config {
        max_bytes: 4 << 20,
        ..Config::new(path)
    }
}

/// Two handles of a store with room for so many entries.
fn two_for(path: &Path, max_entries: u64) -> (Disk, Disk) {
    let open = || {
        let config = Config {
            max_entries,
            ..narrow(path)
        };
        Disk::open(config).unwrap()
    };
    (open(), open())
}

/// What the files take in the directory.
fn taken(path: &Path) -> u64 {
    let files = std::fs::read_dir(path.join("v1")).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

#[test]
fn all_files_together_stay_within_max_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (
        Disk::open(narrow(directory.path())).unwrap(),
        Disk::open(narrow(directory.path())).unwrap(),
    );
    let mut chance = Chance(1);
    let mut most = 0;
    for at in 0..3_000 {
        let disk = if at % 2 == 0 { &one } else { &other };
        let length = if at % 20 == 0 {
            65_536 + chance.below(200_000)
        } else {
            chance.below(4_000)
        };
        let name = format!("{}", chance.below(2_000));
        set(disk, &name, &proof(&name, 1, at, length as usize));
        if at % 50 == 0 {
            most = most.max(taken(directory.path()));
        }
    }
    assert!(most <= 4 << 20, "{most}");
    assert!(most > 2 << 20, "the room is used: {most}");
    let held = one.usage().unwrap();
    let mut found = 0;
    for name in (0..2_000).map(|at| at.to_string()) {
        if let Some(bytes) = get(&one, &name) {
            assert!(proven(&name, &bytes).is_some());
            found += 1;
        }
    }
    assert_eq!(found, held.entries);
}

#[test]
fn there_are_never_more_than_max_entries() {
    let directory = tempfile::tempdir().unwrap();
    let (disk, other) = two_for(directory.path(), 100);
    for at in 0..1_000 {
        set(&disk, &at.to_string(), b"value");
        assert!(disk.usage().unwrap().entries <= 100);
    }
    // What was evicted is still in the log, and in the index.
    let page = now(other.scan().unwrap().page("", None, 2_000)).unwrap();
    assert_eq!(page.names.len(), 100);
    for reader in [&disk, &other] {
        let names = (0..1_000).map(|at| at.to_string());
        let there = names.filter(|name| get(reader, name).is_some()).count();
        assert_eq!(there, 100);
    }
    // What is there may be set again without another leaving.
    let names: Vec<_> = (0..1_000)
        .map(|at| at.to_string())
        .filter(|name| get(&disk, name).is_some())
        .collect();
    names.iter().for_each(|name| set(&disk, name, b"again"));
    assert!(names.iter().all(|name| get(&disk, name).is_some()));
}

#[test]
fn what_is_read_outlives_what_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(narrow(directory.path())).unwrap();
    let reader = Disk::open(narrow(directory.path())).unwrap();
    for at in 0..20 {
        set(&disk, &format!("hot {at}"), &[1; 1000]);
    }
    for at in 0..8_000 {
        set(&disk, &format!("cold {at}"), &[1; 1000]);
        get(&reader, &format!("hot {}", at % 20));
    }
    let hot = (0..20)
        .filter(|at| get(&disk, &format!("hot {at}")).is_some())
        .count();
    assert_eq!(hot, 20);
    assert!(get(&disk, "cold 0").is_none());
}

#[test]
fn what_was_evicted_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let (disk, other) = two_for(directory.path(), 10);
    let (mut present, mut chance) = (0, Chance(7));
    for at in 0..2_000 {
        let name = chance.below(40).to_string();
        match chance.below(8) {
            0 => drop(now(disk.delete(&name)).unwrap()),
            1 => drop(now(disk.clear(&name)).unwrap()),
            _ => set(&disk, &name, &[at as u8; 50]),
        }
        let names = (0..40).map(|at| at.to_string());
        let there = names.filter(|name| get(&other, name).is_some()).count();
        assert_eq!(there as u64, disk.usage().unwrap().entries, "{at}");
        present += there;
    }
    assert!(present > 10_000, "{present}");
    now(disk.clear("")).unwrap();
    assert!((0..40).all(|at| get(&other, &at.to_string()).is_none()));
}

#[test]
fn a_read_writes_once_and_not_every_time() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(narrow(directory.path())).unwrap();
    set(&disk, "name", b"value");
    get(&disk, "name");
    let stat = || {
        let files = std::fs::read_dir(directory.path().join("v1")).unwrap();
        files
            .map(|file| file.unwrap().metadata().unwrap().modified().unwrap())
            .max()
    };
    let before = stat();
    std::thread::sleep(std::time::Duration::from_millis(20)); // The time of files is coarse.
    (0..1_000).for_each(|_| drop(get(&disk, "name")));
    assert_eq!(stat(), before);
}

#[test]
fn a_few_entries_set_again_and_again_push_nobody_out() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(narrow(directory.path())).unwrap();
    for at in 0..500 {
        set(&disk, &format!("quiet {at}"), &[1; 1000]);
    }
    for at in 0..8_000 {
        set(&disk, &format!("busy {}", at % 3), &[1; 1000]);
    }
    assert!((0..500).all(|at| get(&disk, &format!("quiet {at}")).is_some()));
    assert!(taken(directory.path()) <= 4 << 20);
}

#[test]
fn the_index_grows_with_the_entries() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (
        support::open(directory.path()),
        support::open(directory.path()),
    );
    set(&other, "first", b"value");
    now(one.lease("leased", 7, 3600 * SECOND)).unwrap();
    for at in 0..20_000 {
        set(&one, &at.to_string(), at.to_string().as_bytes());
    }
    assert!((0..20_000).all(|at| get(&other, &at.to_string()).unwrap() == at.to_string()));
    assert!(get(&other, "first").is_some());
    assert!(now(other.renew("leased", 7, SECOND)).unwrap());
    assert_eq!(other.usage().unwrap().entries, 20_001);
    let indices = std::fs::read_dir(directory.path().join("v1")).unwrap();
    let indices = indices.filter(|file| {
        file.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("index")
    });
    assert_eq!(indices.count(), 1);
}

#[test]
fn entries_too_small_for_max_bytes_are_bounded_too() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(narrow(directory.path())).unwrap();
    for at in 0..25_000 {
        set(&disk, &at.to_string(), b"");
    }
    assert!(taken(directory.path()) <= 4 << 20);
    assert!(get(&disk, "24999").is_some());
    assert!(disk.doubts().is_empty());
}

#[test]
fn a_sweep_takes_what_expired_and_gives_room_back() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Hands::new();
    let disk = Disk::open_by(narrow(directory.path()), Arc::clone(&clock) as _).unwrap();
    for at in 0..1_500 {
        let ttl = (at % 3 != 0).then_some(SECOND);
        now(disk.set(&at.to_string(), Bytes::from(vec![1; 1000]), ttl)).unwrap();
    }
    now(disk.set("large", Bytes::from(vec![1; 500_000]), Some(SECOND))).unwrap();
    now(disk.lease("name", 1, SECOND)).unwrap();
    assert_eq!(now(disk.sweep()).unwrap(), 0);
    let before = taken(directory.path());
    clock.advance(SECOND);
    assert_eq!(now(disk.sweep()).unwrap(), 1_001);
    assert_eq!(now(disk.sweep()).unwrap(), 0);
    assert_eq!(disk.usage().unwrap().entries, 500);
    for at in (0..1_500).step_by(3) {
        now(disk.delete(&at.to_string())).unwrap();
    }
    now(disk.sweep()).unwrap();
    assert!(
        taken(directory.path()) < before - 1_500_000,
        "{} of {before}",
        taken(directory.path())
    );
}

#[test]
fn a_sweep_removes_files_that_no_entry_has() {
    let directory = tempfile::tempdir().unwrap();
    let disk = support::open(directory.path());
    set(&disk, "large", &[1; 100_000]);
    let room = directory.path().join("v1");
    for name in [
        "large.00000000000000aa",
        "log.00000000000000aa",
        "index.00000000000000aa",
        "new.00000000000000aa",
    ] {
        std::fs::write(room.join(name), b"left behind").unwrap();
    }
    let long_ago = std::time::SystemTime::now() - 7200 * SECOND;
    let left = std::fs::File::options()
        .write(true)
        .open(room.join("new.00000000000000aa"))
        .unwrap();
    left.set_modified(long_ago).unwrap();
    std::fs::write(room.join("new.00000000000000bb"), b"being written").unwrap();
    now(disk.sweep()).unwrap();
    let names: Vec<_> = std::fs::read_dir(room)
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| !name.to_string_lossy().ends_with(".00000000000000aa")),
        "{names:?}"
    );
    assert!(names.iter().any(|name| name == "new.00000000000000bb"));
    assert_eq!(get(&disk, "large").unwrap().len(), 100_000);
}

#[test]
fn a_value_for_which_all_must_leave_finds_room() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(narrow(directory.path())).unwrap();
    for at in 0..5_000 {
        set(&disk, &at.to_string(), &[1; 600]);
        get(&disk, &at.to_string());
    }
    let most = disk.limits().largest_value as usize;
    set(&disk, "large", &vec![1; most]);
    assert_eq!(get(&disk, "large").unwrap().len(), most);
    assert!(taken(directory.path()) <= 4 << 20);
    let refused = now(disk.set("larger", Bytes::from(vec![1; most + 1]), None)).unwrap_err();
    assert_eq!(refused.kind, FailureKind::Capacity);
}
