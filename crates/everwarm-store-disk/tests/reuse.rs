//! Segments that are used again: nothing that is alive goes with them, whatever ends the process.

mod support;

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use everwarm_conformance::{figure, is_ci, ran};
use everwarm_core::store::Store;
use everwarm_store_disk::{Config, Disk};
use support::{get, kills_of, open, part, proof, proven, set, traced};

/// Values of so many bytes fill the log soon.
const LENGTH: usize = 60_000;
/// Names that are set once, before all others.
const QUIET: u64 = 12;
/// Names that are set again and again.
const BUSY: u64 = 8;
/// Sets after which segments were used again.
const SETS: u64 = 1_400;

fn wide(path: &Path) -> Config {
    Config {
        max_bytes: 256 << 20,
        ..Config::new(path)
    }
}

fn quiet() -> impl Iterator<Item = String> {
    (0..QUIET).map(|at| format!("quiet {at}"))
}

fn busy(sequence: u64) -> String {
    format!("busy {}", sequence % BUSY)
}

/// What the segments take, and their numbers.
fn segments(store: &Path) -> (u64, Vec<u64>) {
    let files = std::fs::read_dir(store.join("v1"))
        .unwrap()
        .map(Result::unwrap);
    let logs = files.filter_map(|file| {
        let name = file.file_name().into_string().unwrap();
        let number = u64::from_str_radix(name.strip_prefix("log.")?, 16).unwrap();
        Some((file.metadata().unwrap().len(), number))
    });
    let (bytes, numbers): (Vec<u64>, Vec<u64>) = logs.unzip();
    (bytes.iter().sum(), numbers)
}

#[test]
fn the_log_stays_short_while_the_same_names_are_set() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(wide(directory.path())).unwrap();
    let other = Disk::open(wide(directory.path())).unwrap();
    for name in quiet() {
        set(&disk, &name, &proof(&name, 1, 0, 100));
    }
    let mut most = 0;
    for sequence in 0..2 * SETS {
        let name = busy(sequence);
        let writer = if sequence % 97 == 0 { &other } else { &disk };
        set(writer, &name, &proof(&name, 1, sequence, LENGTH));
        if sequence % 50 == 0 {
            let read = get(&other, &busy(sequence + 1));
            assert!(read.is_none_or(|bytes| proven(&busy(sequence + 1), &bytes).is_some()));
            most = most.max(segments(directory.path()).0);
        }
    }
    assert!(most < 88 << 20, "{most}");
    for disk in [&disk, &other, &open(directory.path())] {
        for name in quiet() {
            assert_eq!(get(disk, &name).unwrap(), proof(&name, 1, 0, 100));
        }
        for sequence in 2 * SETS - BUSY..2 * SETS {
            let name = busy(sequence);
            assert_eq!(get(disk, &name).unwrap(), proof(&name, 1, sequence, LENGTH));
        }
        assert!(disk.doubts().is_empty(), "{:?}", disk.doubts());
    }
    assert_eq!(disk.usage().unwrap().entries, QUIET + BUSY);
}

/// The segments, opened, so that no other file has the number of theirs in the file system.
fn held(store: &Path) -> Vec<(PathBuf, File)> {
    let files = std::fs::read_dir(store.join("v1")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let logs = paths.filter(|path| path.to_string_lossy().contains("log."));
    logs.map(|path| (path.clone(), File::open(path).unwrap()))
        .collect()
}

#[test]
fn a_full_store_uses_its_oldest_segments_again() {
    const BOUND: u64 = 8 << 20;
    let directory = tempfile::tempdir().unwrap();
    let narrow = Config {
        max_bytes: BOUND,
        ..Config::new(directory.path())
    };
    let disk = Disk::open(narrow.clone()).unwrap();
    let other = Disk::open(narrow).unwrap();
    let (mut before, mut is_again, mut most) = (Vec::new(), false, 0);
    for sequence in 0..8_000 {
        let name = format!("name {sequence}");
        let writer = if sequence % 97 == 0 { &other } else { &disk };
        set(writer, &name, &proof(&name, 1, sequence, 3_000));
        if sequence == 4_000 {
            before = held(directory.path());
        }
        if sequence % 50 == 0 {
            let late = format!("name {}", sequence.saturating_sub(40));
            for disk in [&disk, &other] {
                let bytes = get(disk, &late).expect("it was set last");
                assert!(proven(&late, &bytes).is_some());
            }
            most = most.max(segments(directory.path()).0);
            let now = held(directory.path());
            let inode = |file: &File| file.metadata().unwrap().ino();
            is_again |= before.iter().any(|(path, old)| {
                now.iter()
                    .any(|(other, file)| other != path && inode(file) == inode(old))
            });
        }
    }
    assert_eq!(get(&other, "name 0"), None, "it was evicted");
    assert!(is_again, "each segment is another file");
    assert!(most < BOUND, "{most}");
    assert!(disk.doubts().is_empty(), "{:?}", disk.doubts());
}

/// Sets until segments were used again, and notes each set once it is acknowledged.
#[test]
fn part_that_uses_segments_again() {
    let Some(told) = part("part_that_uses_segments_again") else {
        return;
    };
    let disk = Disk::open(wide(Path::new(&told("DIRECTORY")))).unwrap();
    let mut notes = std::fs::File::create(told("NOTES")).unwrap();
    let mut put = |name: &str, sequence, length| {
        set(&disk, name, &proof(name, 1, sequence, length));
        writeln!(notes, "{name}:{sequence}").unwrap();
    };
    quiet().for_each(|name| put(&name, 0, 100));
    (0..SETS).for_each(|sequence| put(&busy(sequence), sequence, LENGTH));
}

fn check(store: &Path, notes: &Path) {
    let disk = Disk::open(wide(store)).unwrap();
    let noted = std::fs::read_to_string(notes).unwrap();
    let lines = noted.lines().filter_map(|line| line.split_once(':'));
    let last: HashMap<_, u64> = lines
        .map(|(name, sequence)| (name, sequence.parse().unwrap()))
        .collect();
    assert_eq!(last.len() as u64, QUIET + BUSY);
    for (name, noted) in last {
        let bytes = get(&disk, name).unwrap_or_else(|| panic!("{name} was set, and is not there"));
        let (_, sequence) = proven(name, &bytes).unwrap_or_else(|| panic!("{name} is torn"));
        assert!(
            sequence >= noted,
            "{name}: {sequence} is older than {noted}"
        );
    }
    assert!(disk.doubts().is_empty(), "{:?}", disk.doubts());
    for sequence in SETS..SETS + 100 {
        let name = busy(sequence);
        set(&disk, &name, &proof(&name, 1, sequence, LENGTH));
    }
    assert_eq!(disk.usage().unwrap().entries, QUIET + BUSY);
}

/// Kills the process around the moment at which it uses a segment again. `strace` does it; where it is not there, nothing is shown.
#[test]
fn a_kill_while_a_segment_is_used_again_loses_nothing() {
    const CALLS: &str = "pwrite64,unlinkat,renameat,flock";
    let directory = tempfile::tempdir().unwrap();
    let run = |at: usize, inject: &str| {
        let place = directory.path().join(at.to_string());
        (
            traced("part_that_uses_segments_again", &place, inject),
            place,
        )
    };
    let (Ok(status), place) = run(0, &format!("trace={CALLS}")) else {
        assert!(!is_ci(), "strace is needed");
        return;
    };
    assert!(status.success(), "{status}");
    check(&place.join("store"), &place.join("notes"));
    let trace = std::fs::read_to_string(place.join("trace")).unwrap();
    let kills = kills_of(&trace);
    let renamed = kills.iter().position(|kill| kill.contains("renameat"));
    let renamed = renamed.expect("a segment is used again");
    let every = figure(7, 1);
    let around = renamed - 2 * QUIET as usize..renamed + 12;
    let (mut killed, of) = (0, around.len());
    for at in around.step_by(every as usize) {
        let (status, place) = run(at, &kills[at]);
        let status = status.unwrap();
        assert!(
            status.signal() == Some(9) || status.code() == Some(137),
            "{at}: {status}"
        );
        check(&place.join("store"), &place.join("notes"));
        std::fs::remove_dir_all(place).unwrap();
        killed += 1;
    }
    let figure = format!("disk: killed at {killed} of {of} calls as its log is used again");
    ran("X2", &figure, 1);
}
