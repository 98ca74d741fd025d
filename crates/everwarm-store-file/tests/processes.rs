//! Several processes on one directory, some of which are killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use everwarm_conformance::{Fixture, Numbers, figure, ran, wait};
use everwarm_core::store::{Bytes, Condition, Grant, Store};
use everwarm_store_file::{Config, FileStore};

fn store(directory: impl Into<PathBuf>) -> FileStore {
    FileStore::connect(&Config::in_directory(directory)).expect("a store")
}

fn set(store: &FileStore, name: &str, bytes: impl Into<Bytes>) {
    wait(store.set(name, bytes.into(), None)).expect("a set");
}

fn get(store: &FileStore, name: &str) -> Option<Bytes> {
    wait(store.get(name))
        .expect("a get")
        .map(|found| found.bytes)
}

/// Whether a process left a file half written.
fn leaves(directory: &Path) -> usize {
    let rooms = fs::read_dir(directory).expect("a directory").flatten();
    let files = rooms.flat_map(|room| fs::read_dir(room.path()).into_iter().flatten().flatten());
    files
        .filter(|file| file.file_name().to_string_lossy().starts_with(".new"))
        .count()
}

/// What a process does that was started from a test: the test of this name, on a directory, with a number.
fn started(test: &str, directory: &Path, number: u64) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", test, "--nocapture"])
        .env("EVERWARM_FILE_DIRECTORY", directory)
        .env("EVERWARM_FILE_NUMBER", number.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process")
}

/// The directory and the number that a process was started with; none in a test that runs by itself.
fn given() -> Option<(PathBuf, u64)> {
    let directory = std::env::var_os("EVERWARM_FILE_DIRECTORY")?;
    let number = std::env::var("EVERWARM_FILE_NUMBER").ok()?.parse().ok()?;
    Some((directory.into(), number))
}

/// A value that says which write it is of, and whether it is whole.
fn proving(name: u64, write: u64) -> Vec<u8> {
    let mut numbers = Numbers::from_seed(name << 32 | write);
    let length = 10 + numbers.below(40_000);
    [&write.to_le_bytes()[..], &numbers.bytes(length)].concat()
}

/// Which write a value is of; it must be whole.
fn proved(name: u64, bytes: &Bytes) -> u64 {
    let write = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"));
    assert_eq!(
        *bytes,
        proving(name, write),
        "a value is torn, or of another name"
    );
    write
}

/// Says each set once it is acknowledged, until it is killed.
#[test]
fn writes_until_it_is_killed() {
    let Some((directory, name)) = given() else {
        return;
    };
    let store = store(directory);
    let last = get(&store, &format!("n{name}")).map_or(0, |bytes| proved(name, &bytes));
    for write in last + 1.. {
        set(&store, &format!("n{name}"), proving(name, write));
        // Past the capture of the test's output.
        rustix::io::write(
            std::io::stdout(),
            format!("acknowledged {write}\n").as_bytes(),
        )
        .expect("a reader");
    }
}

#[test]
fn a_process_that_is_killed_loses_no_acknowledged_set() {
    let fixture = Fixture::default();
    let directory = fixture.directory();
    let rounds = figure(15, 200);
    let mut acknowledged = [0; 2];
    for round in 0..rounds {
        let mut writers = [0, 1].map(|name| started("writes_until_it_is_killed", &directory, name));
        for (name, writer) in writers.iter_mut().enumerate() {
            let lines = BufReader::new(writer.stdout.take().expect("its output")).lines();
            let mut writes = lines
                .map_while(Result::ok)
                .filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
            // Killed somewhere within the next writes; what it said until then counts.
            let first = writes.nth(round as usize % 7);
            writer.kill().expect("killed");
            acknowledged[name] = writes.last().or(first).unwrap_or(acknowledged[name]);
            writer.wait().expect("ended");
        }
        let store = store(&directory);
        for (name, &write) in (0..).zip(&acknowledged) {
            let bytes = get(&store, &format!("n{name}")).expect("it was set");
            let found = proved(name, &bytes);
            assert!(
                found >= write,
                "write {write} was acknowledged, and {found} is there"
            );
        }
        wait(store.sweep()).expect("a sweep");
        assert_eq!(leaves(&directory), 0);
    }
    ran("X1", &format!("file: {} processes killed", 2 * rounds), 0);
}

/// How often each of several processes counts.
const COUNTS: i64 = 150;

/// Counts up by counter and by compare and set, and takes a lease around a count that is neither.
#[test]
fn counts_with_others() {
    let Some((directory, number)) = given() else {
        return;
    };
    let store = store(directory);
    let counters = store.counters().expect("counters");
    let conditional = store.conditional().expect("conditional writes");
    let leases = store.leases().expect("leases");
    for count in 0..COUNTS {
        wait(counters.incr("counter", 1, 0, None)).expect("a count");
        let (text, condition) = match wait(store.get("compared")).expect("a get") {
            Some(found) => (found.bytes, Condition::Version(found.version)),
            None => (Bytes::from("0"), Condition::Absent),
        };
        let next = Bytes::from((text_of(&text) + 1).to_string());
        if wait(conditional.set_if("compared", next, None, condition))
            .expect("a set")
            .is_some()
        {
            wait(counters.incr("succeeded", 1, 0, None)).expect("a count");
        }
        let token = number * 1_000 + count as u64 + 1;
        if wait(leases.lease("leased", token, Duration::from_secs(60))).expect("an answer")
            == Grant::Granted
        {
            let next = get(&store, "leased").map_or(0, |text| text_of(&text)) + 1;
            let set = leases.set_leased("leased", token, Bytes::from(next.to_string()), None);
            assert_eq!(
                wait(set),
                Ok(true),
                "the lease of a holder that lives was lost"
            );
            wait(counters.incr("granted", 1, 0, None)).expect("a count");
        }
    }
}

fn text_of(text: &Bytes) -> i64 {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("a number")
}

#[test]
fn what_several_processes_count_adds_up() {
    let fixture = Fixture::default();
    let directory = fixture.directory();
    for mut counts in (1..=4)
        .map(|number| started("counts_with_others", &directory, number))
        .collect::<Vec<_>>()
    {
        assert!(counts.wait().expect("ended").success());
    }
    let store = store(&directory);
    let number = |name| get(&store, name).map(|text| text_of(&text));
    assert_eq!(number("counter"), Some(4 * COUNTS));
    assert_eq!(number("compared"), number("succeeded"));
    assert_eq!(number("leased"), number("granted"));
}

/// Sets and reads names that others set and read, until it is killed; a value that is torn ends it.
#[test]
fn mixes_until_it_is_killed() {
    let Some((directory, number)) = given() else {
        return;
    };
    let config = Config {
        max_entries: 60,
        ..Config::in_directory(directory)
    };
    let store = FileStore::connect(&config).expect("a store");
    let mut numbers = Numbers::from_seed(number);
    loop {
        let name = numbers.below(80) as u64;
        let text = format!("n{name}");
        match numbers.below(20) {
            0..10 => drop(get(&store, &text).map(|bytes| proved(name, &bytes))),
            10..17 => set(&store, &text, proving(name, numbers.draw() % 1_000)),
            17 => drop(wait(store.delete(&text)).expect("a delete")),
            18 => drop(wait(store.clear(&text)).expect("a clear")),
            _ => drop(wait(store.sweep()).expect("a sweep")),
        }
    }
}

#[test]
fn processes_that_are_killed_at_random_leave_the_rest_whole() {
    let fixture = Fixture::default();
    let directory = fixture.directory();
    let seconds = figure(2, 30);
    let seed = std::process::id().into();
    let mut numbers = Numbers::from_seed(seed);
    let mut begun = 0;
    let mut start = || {
        begun += 1;
        started("mixes_until_it_is_killed", &directory, begun)
    };
    let mut running: Vec<Child> = (0..8).map(|_| start()).collect();
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(numbers.draw() % 60));
        let at = numbers.below(running.len());
        let ended = running[at].try_wait().expect("a state");
        assert!(ended.is_none(), "a process ended by itself: {ended:?}");
        running[at].kill().expect("killed");
        running[at].wait().expect("ended");
        running[at] = start();
    }
    for process in &mut running {
        let ended = process.try_wait().expect("a state");
        process.kill().expect("killed");
        process.wait().expect("ended");
        assert!(ended.is_none(), "a process ended by itself: {ended:?}");
    }
    let store = store(&directory);
    wait(store.sweep()).expect("a sweep");
    let found = (0..80).filter_map(|name| Some(proved(name, &get(&store, &format!("n{name}"))?)));
    assert!(
        (1..=66).contains(&found.count()),
        "the bound of 60 does not hold, or nothing is left"
    );
    assert_eq!(leaves(&directory), 0);
    let kills = begun - 8;
    ran("X7", &format!("file: {kills} kills in {seconds} s"), seed);
}
