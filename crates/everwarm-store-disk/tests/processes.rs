//! Many processes on one directory, some of them killed: no wrong value, none that goes back, and nobody hangs.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use everwarm_conformance::{figure, ran};
use everwarm_core::store::{Counters, FailureKind, Grant, Leases, Store};
use everwarm_store_disk::{Config, Disk};
use support::{Chance, again, get, kill, now, open, part, patiently, proof, proven, set};

const NAMES: u64 = 300;

fn shared(path: &str) -> Disk {
    let config = Config {
        max_bytes: 8 << 20,
        ..Config::new(path)
    };
    patiently(|| Disk::open(config.clone())).expect("it opens")
}

/// Reads and writes until it is killed or told to end.
#[test]
fn part_that_works() {
    let Some(told) = part("part_that_works") else {
        return;
    };
    let disk = shared(&told("DIRECTORY"));
    let writer: u64 = told("WRITER").parse().unwrap();
    let mut chance = Chance(writer);
    let mut newest = std::collections::HashMap::new();
    let end = Path::new(&told("DIRECTORY")).with_extension("end");
    for sequence in 0_u64.. {
        if sequence % 64 == 0 && end.exists() {
            break;
        }
        let name = chance.below(NAMES).to_string();
        let outcome = match chance.below(20) {
            0 | 1 => {
                let length = if chance.below(10) == 0 {
                    70_000
                } else {
                    chance.below(8_000) as usize
                };
                now(disk.set(&name, proof(&name, writer, sequence, length).into(), None))
            }
            2 => now(disk.delete(&name)).map(|_| ()),
            3 => now(disk.sweep()).map(|_| ()),
            _ => now(disk.get(&name)).map(|found| {
                let Some(found) = found else {
                    return;
                };
                let (by, sequence) =
                    proven(&name, &found.bytes).expect("a value is whole and of its name");
                let before = newest.insert((name.clone(), by), sequence).unwrap_or(0);
                assert!(
                    before <= sequence,
                    "{name} of {by} went back from {before} to {sequence}"
                );
            }),
        };
        if let Err(failure) = outcome {
            assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
        }
    }
    assert!(disk.doubts().is_empty(), "{:?}", disk.doubts());
}

#[test]
fn eight_processes_with_random_kills() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    let begun = Instant::now();
    let start = |writer: u64| {
        let told = [
            ("DIRECTORY", store.display().to_string()),
            ("WRITER", writer.to_string()),
        ];
        again("part_that_works", &told).spawn().unwrap()
    };
    let mut children: Vec<_> = (1..=8).map(start).collect();
    let mut chance = Chance(42);
    let mut writer = 8;
    let seconds = figure(3, 30);
    while begun.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_millis(20 + chance.below(200)));
        let killed = children.remove(chance.below(8) as usize);
        kill(killed);
        writer += 1;
        children.push(start(writer));
    }
    std::fs::write(store.with_extension("end"), b"").unwrap();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let disk = shared(&store.display().to_string());
    assert!(disk.doubts().is_empty());
    let there = (0..NAMES)
        .filter_map(|name| get(&disk, &name.to_string()))
        .count();
    now(disk.clear("")).unwrap();
    now(disk.sweep()).unwrap();
    assert!(there > 0 && disk.usage().unwrap().entries == 0);
    let left = std::fs::read_dir(store.join("v1")).unwrap();
    let large = left.filter(|file| {
        file.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("large")
    });
    assert_eq!(large.count(), 0);
    let kills = writer - 8;
    ran("X7", &format!("disk: {kills} kills in {seconds} s"), 42);
}

/// Reads and sets names that nobody deletes, while more and more others come, so that the index grows.
#[test]
fn part_that_never_misses() {
    let Some(told) = part("part_that_never_misses") else {
        return;
    };
    let disk = open(Path::new(&told("DIRECTORY")));
    let writer: u64 = told("WRITER").parse().unwrap();
    let mut chance = Chance(writer);
    let begun = Instant::now();
    let mut sequence = 0;
    while begun.elapsed() < Duration::from_secs(figure(2, 10)) {
        sequence += 1;
        let name = format!("kept {}", chance.below(NAMES));
        match chance.below(20) {
            0 => set(
                &disk,
                &name,
                &proof(&name, writer, sequence, chance.below(3_000) as usize),
            ),
            1 => set(&disk, &format!("{writer} {sequence}"), b"one more"),
            _ => {
                let found = patiently(|| now(disk.get(&name))).expect("it can be read");
                let found = found.expect("nobody deleted it");
                proven(&name, &found.bytes).expect("a value is whole and of its name");
            }
        }
    }
}

#[test]
fn no_read_misses_what_nobody_deletes() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    for at in 0..NAMES {
        let name = format!("kept {at}");
        set(&disk, &name, &proof(&name, 0, 0, 100));
    }
    let start = |writer: u64| {
        let told = [
            ("DIRECTORY", directory.path().display().to_string()),
            ("WRITER", writer.to_string()),
        ];
        again("part_that_never_misses", &told).spawn().unwrap()
    };
    let children: Vec<_> = (1..=8).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn part_that_counts() {
    if let Some(told) = part("part_that_counts") {
        let disk = open(Path::new(&told("DIRECTORY")));
        let count = || {
            for _ in 0..2_000 {
                // A count that found the others busy was not made.
                patiently(|| now(disk.incr("counter", 1, 0, None))).expect("it is made");
            }
        };
        // Of two threads of a process, none may end the lock that the other has.
        std::thread::scope(|scope| {
            (0..3).for_each(|_| drop(scope.spawn(count)));
        });
    }
}

#[test]
fn of_counts_made_by_many_processes_none_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let told = [("DIRECTORY", directory.path().display().to_string())];
    let children: Vec<_> = (0..4)
        .map(|_| again("part_that_counts", &told).spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(get(&open(directory.path()), "counter").unwrap(), "24000");
}

#[test]
fn part_that_holds_a_lease() {
    if let Some(told) = part("part_that_holds_a_lease") {
        let disk = open(Path::new(&told("DIRECTORY")));
        now(disk.lease("name", 7, Duration::from_millis(300))).unwrap();
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn the_lease_of_a_dead_holder_ends_with_its_ttl() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    let child = again(
        "part_that_holds_a_lease",
        &[("DIRECTORY", directory.path().display().to_string())],
    )
    .spawn();
    let asked = || now(disk.lease("name", 8, Duration::from_secs(1))).unwrap();
    let begun = Instant::now();
    let is_held = || disk.usage().unwrap().bytes > before_any(&disk);
    while !is_held() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    kill(child.unwrap());
    assert!(matches!(asked(), Grant::Held(left) if left <= Duration::from_millis(300)));
    let begun = Instant::now();
    while asked() != Grant::Granted {
        assert!(begun.elapsed() < Duration::from_millis(1300));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_writer_that_stands_still_holds_up_no_read_and_one_write_for_a_moment() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    set(&disk, "name", b"value");
    let head = std::fs::File::open(directory.path().join("v1/head")).unwrap();
    head.lock().unwrap();
    let begun = Instant::now();
    assert_eq!(get(&disk, "name").unwrap(), "value");
    assert!(begun.elapsed() < Duration::from_millis(100));
    let begun = Instant::now();
    let fails = || {
        let failure = now(disk.set("name", "other".into(), None)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Timeout);
    };
    fails();
    assert!(
        begun.elapsed() >= Duration::from_millis(50) && begun.elapsed() < Duration::from_secs(1)
    );
    // Each would take as long as the first.
    let begun = Instant::now();
    (0..200).for_each(|_| fails());
    assert!(begun.elapsed() < Duration::from_secs(2));
    head.unlock().unwrap();
    set(&disk, "name", b"other");
    assert_eq!(get(&disk, "name").unwrap(), "other");
}

#[test]
fn a_writer_that_stood_still_is_waited_for_again_once_it_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (disk, other) = (open(directory.path()), open(directory.path()));
    set(&disk, "name", b"value");
    let head = std::fs::File::open(directory.path().join("v1/head")).unwrap();
    head.lock().unwrap();
    assert!(now(disk.set("name", "lost".into(), None)).is_err());
    head.unlock().unwrap();
    set(&other, "another", b"value");
    head.lock().unwrap();
    let begun = Instant::now();
    assert!(now(disk.set("name", "lost".into(), None)).is_err());
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

/// What a store takes that nothing was written to.
fn before_any(disk: &Disk) -> u64 {
    disk.usage().unwrap().bytes / (512 << 10) * (512 << 10)
}
