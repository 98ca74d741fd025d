//! What the tests share: a clock moved by hand, answers that are there, and values that prove themselves.
#![allow(dead_code, unreachable_pub)] // Each test file uses some of it.

use std::collections::HashMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::store::{Answer, Bytes, Failure, FailureKind, Store};
use everwarm_store_disk::{Config, Disk, Times};

pub const SECOND: Duration = Duration::from_secs(1);

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct Hands(AtomicU64);

impl Hands {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(1_800_000_000_000_000_000)))
    }

    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_nanos() as u64, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::SeqCst))
    }
}

/// The clocks of a machine, each set by hand.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    pub boot: u64,
    pub running: Duration,
    pub date: Duration,
}

impl Times for Machine {
    fn boot(&self) -> u64 {
        self.boot
    }

    fn running(&self) -> Duration {
        self.running
    }

    fn date(&self) -> Duration {
        self.date
    }
}

/// The answer of a store that has it at once.
pub fn now<T: std::fmt::Debug>(answer: Answer<'_, T>) -> Result<T, Failure> {
    answer.now().expect("a disk answers at once")
}

pub fn open(path: &Path) -> Disk {
    Disk::open(Config::new(path)).expect("it opens")
}

/// Sets, however long others write: on a busy machine that may be more than a store waits.
pub fn set(disk: &Disk, name: &str, bytes: &[u8]) {
    patiently(|| now(disk.set(name, Bytes::copy_from_slice(bytes), None))).expect("it is set");
}

/// Does something again as long as it finds the others busy.
pub fn patiently<T>(work: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    loop {
        match work() {
            Err(failure) if failure.kind == FailureKind::Timeout => {}
            done => return done,
        }
    }
}

pub fn get(disk: &Disk, name: &str) -> Option<Bytes> {
    now(disk.get(name))
        .expect("it is read")
        .map(|found| found.bytes)
}

/// Bytes that say whose they are, how many, and that none is another's.
pub fn proof(name: &str, writer: u64, sequence: u64, length: usize) -> Vec<u8> {
    let mut bytes = format!("{name}|{writer}|{sequence}|{length}|").into_bytes();
    let mut state = writer.wrapping_mul(31).wrapping_add(sequence) | 1;
    while bytes.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.push((state >> 56) as u8);
    }
    bytes
}

/// Who wrote a proof and as which, if it is whole and of this name.
pub fn proven(name: &str, bytes: &[u8]) -> Option<(u64, u64)> {
    let mut parts = bytes.splitn(5, |&byte| byte == b'|');
    let mut text = || std::str::from_utf8(parts.next()?).ok();
    let (found, writer, sequence, length) = (text()?, text()?, text()?, text()?);
    let (writer, sequence) = (writer.parse().ok()?, sequence.parse().ok()?);
    let is_whole = found == name && bytes == proof(name, writer, sequence, length.parse().ok()?);
    is_whole.then_some((writer, sequence))
}

/// This test binary again, running one of its tests as another process with what it is told.
pub fn again(test: &str, told: &[(&str, String)]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("it runs"));
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .stdout(Stdio::null());
    command.env("EVERWARM_PART", test);
    for (name, value) in told {
        command.env(name, value);
    }
    command
}

/// Runs that part under `strace`, which writes `trace` into the part's directory beside its store and its notes.
pub fn traced(test: &str, place: &Path, what: &str) -> io::Result<ExitStatus> {
    std::fs::create_dir(place)?;
    let at = |name: &str| place.join(name).display().to_string();
    let part = again(test, &[("DIRECTORY", at("store")), ("NOTES", at("notes"))]);
    let told = part.get_envs();
    Command::new("strace")
        .args(["-f", "-qq", "-s", "0", "-o", &at("trace"), "-e", what])
        .arg(part.get_program())
        .args(part.get_args())
        .envs(told.filter_map(|(name, value)| Some((name, value?))))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
}

/// Whether this process is the other one, and what it was told.
pub fn part(test: &str) -> Option<impl Fn(&str) -> String> {
    let is_part = std::env::var("EVERWARM_PART").is_ok_and(|part| part == test);
    is_part.then_some(|name: &str| std::env::var(name).expect("it was told"))
}

/// The calls of a trace by `strace -f`, each as what kills the process before it: calls are counted by thread and by name.
pub fn kills_of(trace: &str) -> Vec<String> {
    let mut counts = HashMap::new();
    let calls = trace.lines().filter_map(|line| {
        let (thread, call) = line.split_once(' ')?;
        let (name, _) = call.trim_start().split_once('(')?;
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name.then_some((thread, name))
    });
    calls
        .map(|(thread, name)| {
            let count = counts.entry((thread, name)).or_insert(0);
            *count += 1;
            format!("inject={name}:signal=KILL:when={count}")
        })
        .collect()
}

/// Kills without a warning, and waits for the end; who ended before has failed.
pub fn kill(mut child: Child) {
    child.kill().expect("it runs");
    let ended = child.wait().expect("it ends");
    assert_eq!(ended.signal(), Some(9), "it ended by itself: {ended}");
}

/// A small generator, the same for the same seed.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
