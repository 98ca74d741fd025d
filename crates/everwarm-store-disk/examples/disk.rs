//! What the disk store's verbs cost, beside SQLite through rusqlite: `cargo run --release -p everwarm-store-disk --example disk`.
//!
//! Nanoseconds for each verb and size, the best of five rounds; then eight processes on one directory, nine reads for each write.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use everwarm_core::store::{Bytes, Store};
use everwarm_store_disk::{Config, Disk};

const NAMES: u64 = 2_000;
const TTL: Option<Duration> = Some(Duration::from_secs(3600));
const SIZES: [(&str, usize, u64); 3] = [
    ("100 B", 100, 20_000),
    ("10 KiB", 10 << 10, 5_000),
    ("1 MiB", 1 << 20, 60),
];
const MIX: Duration = Duration::from_secs(3);

/// What is measured: both keep bytes under a name until a deadline.
trait Side {
    fn set(&mut self, name: &str, bytes: &Bytes);
    fn get(&mut self, name: &str) -> usize;
}

struct Everwarm(Disk);

impl Side for Everwarm {
    fn set(&mut self, name: &str, bytes: &Bytes) {
        let set = self.0.set(name, bytes.clone(), TTL).now();
        // A write that others kept waiting is left out, as a cache would.
        let _ = set.expect("a disk answers at once");
    }

    fn get(&mut self, name: &str) -> usize {
        let found = self.0.get(name).now().expect("a disk answers at once");
        found
            .expect("it can be read")
            .map_or(0, |found| found.bytes.len())
    }
}

struct Sqlite(rusqlite::Connection);

impl Sqlite {
    fn open(directory: &Path) -> Result<Self, rusqlite::Error> {
        let connection = rusqlite::Connection::open(directory.join("sqlite"))?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; PRAGMA mmap_size = 0;
             CREATE TABLE IF NOT EXISTS entry (name TEXT PRIMARY KEY, bytes BLOB, deadline INTEGER) WITHOUT ROWID;",
        )?;
        Ok(Self(connection))
    }
}

impl Side for Sqlite {
    fn set(&mut self, name: &str, bytes: &Bytes) {
        const SET: &str = "INSERT INTO entry VALUES (?1, ?2, ?3)
            ON CONFLICT DO UPDATE SET bytes = excluded.bytes, deadline = excluded.deadline";
        let mut set = self.0.prepare_cached(SET).expect("it is SQL");
        let _ = set.execute((name, &bytes[..], i64::MAX));
    }

    fn get(&mut self, name: &str) -> usize {
        const GET: &str = "SELECT bytes FROM entry WHERE name = ?1 AND deadline > ?2";
        let mut get = self.0.prepare_cached(GET).expect("it is SQL");
        let found = get.query_row((name, 1), |row| Ok(row.get_ref(0)?.as_blob()?.to_vec()));
        found.map_or(0, |bytes| bytes.len())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, side, directory] = &arguments[..] {
        let ran = mix(&mut *open(side, Path::new(directory))?);
        println!("{ran}");
        return Ok(());
    }
    for side in ["everwarm", "sqlite"] {
        let directory = tempfile::tempdir()?;
        let mut opened = open(side, directory.path())?;
        for (size, length, rounds) in SIZES {
            let bytes = Bytes::from(vec![7; length]);
            let names = NAMES.min(rounds);
            let set = time(rounds, |at| opened.set(&name_of(at % names), &bytes));
            let get = time(rounds, |at| {
                assert_eq!(opened.get(&name_of(at % names)), length)
            });
            println!("{side:10} {size:>7}  set {set:>9} ns  get {get:>9} ns");
        }
    }
    for side in ["everwarm", "sqlite"] {
        let directory = tempfile::tempdir()?;
        drop(open(side, directory.path())?);
        let run = || {
            Command::new(&arguments[0])
                .arg(side)
                .arg(directory.path())
                .stdout(std::process::Stdio::piped())
                .spawn()
        };
        let children: Vec<_> = (0..8).map(|_| run()).collect::<Result<_, _>>()?;
        let mut all = 0;
        for child in children {
            all += String::from_utf8(child.wait_with_output()?.stdout)?
                .trim()
                .parse::<u64>()?;
        }
        println!(
            "{side:10} 8 processes, 90 % get: {} verbs a second",
            all / MIX.as_secs()
        );
    }
    Ok(())
}

fn open(side: &str, directory: &Path) -> Result<Box<dyn Side>, Box<dyn Error>> {
    Ok(if side == "sqlite" {
        Box::new(Sqlite::open(directory)?)
    } else {
        Box::new(Everwarm(Disk::open(Config::new(
            directory.join("everwarm"),
        ))?))
    })
}

/// Verbs done in the time of a mix: 1 KiB values under ten thousand names.
fn mix(side: &mut dyn Side) -> u64 {
    let bytes = Bytes::from(vec![7; 1 << 10]);
    let begun = Instant::now();
    let mut chance = u64::from(std::process::id());
    let mut done = 0;
    while begun.elapsed() < MIX {
        for _ in 0..64 {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let name = name_of((chance >> 33) % 10_000);
            if (chance >> 20) % 10 == 0 {
                side.set(&name, &bytes);
            } else {
                black_box(side.get(&name));
            }
            done += 1;
        }
    }
    done
}

fn name_of(at: u64) -> String {
    format!("shop:price:1:{at:032x}")
}

fn time(rounds: u64, mut work: impl FnMut(u64)) -> u128 {
    let round = |work: &mut dyn FnMut(u64)| {
        let begun = Instant::now();
        (0..rounds).for_each(work);
        begun.elapsed().as_nanos() / u128::from(rounds)
    };
    (0..5).map(|_| round(&mut work)).min().unwrap_or(0)
}
