//! Processes that are killed: every acknowledged set is there, and none is torn.

mod support;

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use everwarm_conformance::{figure, is_ci, ran};
use everwarm_core::mark::Tag;
use everwarm_core::store::{Bytes, Counters, Generations, Leases, Scan, Store};
use everwarm_store_disk::{Config, Disk};
use support::{Chance, again, get, kill, kills_of, now, open, part, proof, proven, set, traced};

const NAMES: u64 = 40;

fn length_of(chance: &mut Chance) -> usize {
    (if chance.below(8) == 0 {
        65_536 + chance.below(100_000)
    } else {
        chance.below(3_000)
    }) as usize
}

/// Sets without end, and notes each set once it is acknowledged.
#[test]
fn part_that_sets_until_it_is_killed() {
    let Some(told) = part("part_that_sets_until_it_is_killed") else {
        return;
    };
    let disk = open(Path::new(&told("DIRECTORY")));
    let writer: u64 = told("WRITER").parse().unwrap();
    let mut notes = std::fs::File::create(told("NOTES")).unwrap();
    let mut chance = Chance(writer);
    for sequence in 0.. {
        let name = format!("{writer}:{}", chance.below(NAMES));
        set(
            &disk,
            &name,
            &proof(&name, writer, sequence, length_of(&mut chance)),
        );
        notes
            .write_all(format!("{name} {sequence}\n").as_bytes())
            .unwrap();
    }
}

#[test]
fn acknowledged_sets_survive_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    let rounds = figure(5, 50);
    for round in 0..rounds {
        let writers: Vec<u64> = (1..=4).map(|writer| round * 4 + writer).collect();
        let notes = |writer: &u64| directory.path().join(format!("notes {writer}"));
        let children: Vec<_> = writers
            .iter()
            .map(|writer| {
                let told = [
                    ("DIRECTORY", store.display().to_string()),
                    ("WRITER", writer.to_string()),
                    ("NOTES", notes(writer).display().to_string()),
                ];
                again("part_that_sets_until_it_is_killed", &told)
                    .spawn()
                    .unwrap()
            })
            .collect();
        let begun = std::time::Instant::now();
        while !writers.iter().all(|writer| {
            notes(writer)
                .metadata()
                .is_ok_and(|notes| notes.len() > 200)
        }) {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "a writer stands still"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        children.into_iter().for_each(kill);
        let disk = open(&store);
        for writer in &writers {
            let noted = std::fs::read_to_string(notes(writer)).unwrap();
            let mut last = HashMap::new();
            for (name, sequence) in noted.lines().filter_map(|line| line.split_once(' ')) {
                if let Ok(sequence) = sequence.parse::<u64>() {
                    last.insert(name.to_owned(), sequence);
                }
            }
            for (name, noted) in &last {
                let bytes =
                    get(&disk, name).unwrap_or_else(|| panic!("{name} was set, and is not there"));
                let (_, sequence) =
                    proven(name, &bytes).unwrap_or_else(|| panic!("{name} is torn"));
                assert!(
                    sequence >= *noted,
                    "{name}: {sequence} is older than {noted}"
                );
            }
        }
        assert!(disk.doubts().is_empty(), "{:?}", disk.doubts());
        now(disk.clear("")).unwrap();
    }
    let kills = 4 * rounds;
    ran("X1", &format!("disk: {kills} processes killed"), 1);
}

/// A little of everything, in a fixed order.
#[test]
fn part_that_does_everything() {
    let Some(told) = part("part_that_does_everything") else {
        return;
    };
    let config = Config {
        max_bytes: 4 << 20,
        ..Config::new(told("DIRECTORY"))
    };
    let disk = Disk::open(config).unwrap();
    let mut notes = std::fs::File::create(told("NOTES")).unwrap();
    let mut note = |text: String| notes.write_all(format!("{text}\n").as_bytes()).unwrap();
    for sequence in 0..6 {
        for name in ["a", "b"] {
            set(&disk, name, &proof(name, 1, sequence, 500));
            note(format!("{name} {sequence}"));
        }
        set(&disk, "large", &proof("large", 1, sequence, 70_000));
        note(format!("large {sequence}"));
        now(disk.incr("counter", 1, 0, None)).unwrap();
        note(format!("counter {sequence}"));
        now(disk.delete("b")).unwrap();
        note("b deleted".to_owned());
        now(disk.invalidate("shop", &[Tag([3; 16])])).unwrap();
        note(format!("tag {sequence}"));
        now(disk.lease("leased", 1, Duration::from_secs(60))).unwrap();
        now(disk.set_leased(
            "leased",
            1,
            Bytes::from(proof("leased", 1, sequence, 10)),
            None,
        ))
        .unwrap();
        note(format!("leased {sequence}"));
    }
    now(disk.sweep()).unwrap();
    now(disk.clear("l")).unwrap();
    note("l cleared".to_owned());
    now(disk.close()).unwrap();
    note("closed".to_owned());
}

/// What was noted last under each word.
fn last_notes(path: &Path) -> HashMap<String, String> {
    let noted = std::fs::read_to_string(path).unwrap_or_default();
    let whole = noted.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let pairs = whole.lines().filter_map(|line| line.split_once(' '));
    pairs
        .map(|(name, state)| (name.to_owned(), state.to_owned()))
        .collect()
}

fn check_everything(disk: &Disk, noted: &HashMap<String, String>) {
    let number = |name: &str| noted.get(name).and_then(|state| state.parse::<u64>().ok());
    let is_cleared = noted.contains_key("l");
    for name in ["a", "b", "large", "leased"] {
        let found = get(disk, name);
        let sequence = found
            .as_ref()
            .map(|bytes| proven(name, bytes).expect("it is whole").1);
        match number(name) {
            // What came after the note may be done or not.
            Some(noted) if name == "a" => {
                assert!(sequence.is_some_and(|found| found == noted || found == noted + 1))
            }
            Some(noted) if !is_cleared => {
                assert!(sequence.is_none_or(|found| found == noted || found == noted + 1))
            }
            _ => {}
        }
        if is_cleared && name.starts_with('l') {
            assert_eq!(found, None, "{name} was cleared");
        }
    }
    if let Some(noted) = number("counter") {
        let count: u64 = std::str::from_utf8(&get(disk, "counter").unwrap())
            .unwrap()
            .parse()
            .unwrap();
        assert!(
            count == noted + 1 || count == noted + 2,
            "{count} after {noted}"
        );
    }
    if let Some(noted) = number("tag") {
        let marker = now(disk.read("shop", &[Tag([3; 16])])).unwrap().markers[0]
            .expect("it was invalidated");
        assert!(marker.number > noted);
    }
    let mut names = now(disk.page("", None, 100)).unwrap().names;
    names.sort();
    names.dedup();
    assert_eq!(names.len() as u64, disk.usage().unwrap().entries);
    assert!(disk.doubts().is_empty(), "{:?}", disk.doubts());
    set(disk, "after", b"value");
    assert_eq!(get(disk, "after").unwrap(), "value");
    now(disk.sweep()).unwrap();
}

/// Kills the workload at one system call after the other. `strace` does it; where it is not there, nothing is shown.
#[test]
fn a_kill_at_any_system_call_leaves_a_whole_store() {
    const CALLS: &str = "openat,pwrite64,unlinkat,renameat,ftruncate,flock,fdatasync,mkdirat";
    let directory = tempfile::tempdir().unwrap();
    let run = |at: u64, inject: &str| {
        let place = directory.path().join(at.to_string());
        (traced("part_that_does_everything", &place, inject), place)
    };
    let (Ok(status), place) = run(0, &format!("trace={CALLS}")) else {
        assert!(!is_ci(), "strace is needed");
        return;
    };
    assert!(status.success(), "{status}");
    let trace = std::fs::read_to_string(place.join("trace")).unwrap();
    let first = trace
        .lines()
        .position(|line| line.contains("store"))
        .unwrap() as u64;
    let kills = kills_of(&trace);
    let calls = kills.len() as u64;
    assert!(calls - first > 150, "{calls}");
    let every = figure((calls - first) / 25, 1);
    let mut killed = 0;
    for at in (first + 1..calls).step_by(every.max(1) as usize) {
        let (status, place) = run(at, &kills[at as usize]);
        let status = status.unwrap();
        assert!(
            status.signal() == Some(9) || status.code() == Some(137),
            "{at}: {status}"
        );
        let config = Config {
            max_bytes: 4 << 20,
            ..Config::new(place.join("store"))
        };
        check_everything(
            &Disk::open(config).unwrap(),
            &last_notes(&place.join("notes")),
        );
        std::fs::remove_dir_all(place).unwrap();
        killed += 1;
    }
    let of = calls - first - 1;
    ran("X2", &format!("disk: killed at {killed} of {of} calls"), 1);
}
