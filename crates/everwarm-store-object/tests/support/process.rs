//! A service in a process of its own, which a test may kill, freeze and start again at the same port; and what it does then to a store
//! that is asked all the while. The tests of DynamoDB have it, too.

use std::collections::HashSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::mark::Tag;
use everwarm_core::store::{
    Answer, Bytes, Computed, Entry, Failure, FailureKind, Grant, Settled, Store,
};
use everwarm_network::chance;

use crate::support::{until, wait};

/// How long an operation may take, as the layers of a cache have it; longer than by default, since the machine may be busy.
const LIMIT: Duration = Duration::from_millis(600);
/// What may be added to that, for the same reason.
const BUSY: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(600);

/// A process, ended when it is dropped.
pub(crate) struct Process {
    words: Vec<String>,
    port: u16,
    child: Option<Child>,
}

impl Process {
    /// What words run, in which `%PORT%` stands for a port below those that systems give to clients.
    pub(crate) fn start(words: &[&str]) -> Self {
        let mut ports = (0..100).map(|_| 10_000 + (chance::number() % 12_000) as u16);
        let port = ports.find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok());
        let port = port.expect("a free port");
        let word = |word: &&str| word.replace("%PORT%", &port.to_string());
        let mut process = Self {
            words: words.iter().map(word).collect(),
            port,
            child: None,
        };
        process.again();
        process
    }

    /// moto, by an interpreter that has it.
    pub(crate) fn moto(python: &str) -> Self {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let server = format!("{root}/scripts/servers/moto_server.py");
        Self::start(&[python, &server, "%PORT%"])
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn again(&mut self) {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).stdin(Stdio::null());
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program is there");
        let end = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = child.try_wait().expect("it was started");
            assert!(ended.is_none() && Instant::now() < end, "it does not start");
            thread::sleep(Duration::from_millis(20));
        }
        self.child = Some(child);
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn freeze(&self) {
        self.signal("-STOP");
    }

    fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("there is a kill").success());
    }

    /// How many connections to it are held open, where the system tells.
    fn connections(&self) -> usize {
        let port = format!(":{:04X}", self.port);
        let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let is_open = |line: &&str| {
            let mut words = line.split_whitespace().skip(2);
            words.next().is_some_and(|to| to.ends_with(&port)) && words.next() == Some("01")
        };
        table.lines().filter(is_open).count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An answer that is walked away from after a limit.
pub(crate) fn within<T>(limit: Duration, answer: Answer<'_, T>) -> Result<T, Failure> {
    let limited = async { tokio::time::timeout(limit, answer).await };
    let met = everwarm_runtime::handle()?.block_on(limited);
    met.unwrap_or_else(|_| {
        Err(Failure::new(
            FailureKind::Timeout,
            "it takes too long",
            "wait",
        ))
    })
}

/// Several that write and read all the while.
struct Load<'a> {
    store: &'a dyn Store,
    is_over: AtomicBool,
    /// How often the service has lost everything.
    losses: AtomicUsize,
    failed: AtomicUsize,
    done: [AtomicUsize; 4],
}

impl<'a> Load<'a> {
    /// Does something to the service under load.
    fn on(store: &'a dyn Store, disturb: impl FnOnce(&Self)) {
        let load = Self {
            store,
            is_over: AtomicBool::new(false),
            losses: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            done: Default::default(),
        };
        thread::scope(|scope| {
            for (writer, done) in load.done.iter().enumerate() {
                let load = &load;
                scope.spawn(move || load.write(&format!("load-{writer}"), done));
            }
            // They end with a test that fails, too.
            let _over = Over(&load.is_over);
            load.goes_on();
            disturb(&load);
            load.goes_on();
        });
    }

    /// Waits until everybody has been served.
    fn goes_on(&self) {
        let counts = || self.done.iter().map(|done| done.load(Ordering::SeqCst));
        let before: Vec<usize> = counts().collect();
        until("all writers go on", || {
            counts().zip(&before).all(|(now, before)| now > before + 5)
        });
    }

    fn fails(&self) {
        let before = self.failed.load(Ordering::SeqCst);
        until("they fail", || self.failed.load(Ordering::SeqCst) > before);
    }

    /// Writes and reads a name of its own until it is over. What is read is what the last write that succeeded wrote; or what one wrote
    /// that failed, since nobody knows whether and when that is done; or nothing, where it was lost since.
    fn write(&self, name: &str, done: &AtomicUsize) {
        let (mut last, mut losses, mut doubtful) = (None, 0, HashSet::new());
        for next in 1_u64.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let (began, lost) = (Instant::now(), self.losses.load(Ordering::SeqCst));
            let bytes = Bytes::from(next.to_string());
            let written = within(LIMIT, self.store.set(name, bytes, None));
            let read = within(LIMIT, self.store.get(name));
            let took = began.elapsed();
            assert!(took < 2 * LIMIT + BUSY, "two operations took {took:?}");
            match &written {
                Ok(()) => (last, losses) = (Some(next), lost),
                Err(_) => drop(doubtful.insert(next)),
            }
            if let Ok(found) = &read {
                let text = found.as_ref().map(|found| found.bytes.as_ref());
                let seen = text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
                assert!(
                    match seen {
                        Some(seen) => last == Some(seen) || doubtful.contains(&seen),
                        None => last.is_none() || self.losses.load(Ordering::SeqCst) > losses,
                    },
                    "{seen:?} is read, and {last:?} was written"
                );
            }
            match written.and(read) {
                Ok(_) => drop(done.fetch_add(1, Ordering::SeqCst)),
                Err(failure) => {
                    let kinds = [FailureKind::Transient, FailureKind::Timeout];
                    assert!(kinds.contains(&failure.kind), "{failure}");
                    self.failed.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Values of so many bytes, one for each name.
pub(crate) fn values<'a>(names: &'a [&'a str], length: usize) -> Vec<Entry<'a>> {
    let bytes = Bytes::from(vec![7; length]);
    let value = |name: &&'a str| Entry {
        name,
        bytes: bytes.clone(),
        ttl: None,
    };
    names.iter().map(value).collect()
}

/// Killed under load: who asks is refused at once, and served as soon as it runs again.
pub(crate) fn is_killed_under_load(process: &mut Process, store: &dyn Store) {
    Load::on(store, |load| {
        process.kill();
        load.losses.fetch_add(1, Ordering::SeqCst);
        load.fails();
        let began = Instant::now();
        for _ in 0..20 {
            let failure = wait(store.get("killed")).expect_err("nothing listens");
            assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
        }
        assert!(began.elapsed() < BUSY, "refusals take time");
        process.again();
    });
}

/// Frozen under load: who asks walks away in time, and leaves neither a connection nor anybody without one.
pub(crate) fn is_frozen_under_load(process: &Process, store: &dyn Store, large: &[Entry<'_>]) {
    Load::on(store, |load| {
        process.freeze();
        load.fails();
        thread::sleep(2 * LIMIT);
        process.thaw();
    });
    wait(store.set("there", Bytes::from("before"), None)).unwrap();
    process.freeze();
    // Its threads stop one after the other.
    until("it is frozen", || {
        within(LIMIT, store.get("there")).is_err()
    });
    let walks_away = |limit, answer| {
        let failure = within(limit, answer).expect_err("it is frozen");
        assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    };
    for _ in 0..4 {
        (0..3).for_each(|_| walks_away(Duration::from_millis(15), store.ping()));
        // More than the system takes for who does not read it.
        walks_away(Duration::from_millis(150), store.set_many(large));
    }
    until("no connection is kept", || process.connections() == 0);
    process.thaw();
    until("it answers", || {
        let found = within(LIMIT, store.get("there"));
        found.is_ok_and(|found| found.is_some_and(|found| found.bytes == "before"))
    });
}

/// Killed while nobody asked, and started again: nothing fails, and nothing is taken for valid that was lost.
pub(crate) fn has_lost_everything(
    process: &mut Process,
    store: &dyn Store,
    lose: impl FnOnce(&mut Process),
) {
    let (leases, counters) = (store.leases().unwrap(), store.counters().unwrap());
    let (generations, tags) = (store.generations().unwrap(), [Tag([1; 16])]);
    wait(store.set("there", Bytes::from("before"), None)).unwrap();
    assert_eq!(wait(leases.lease("leased", 5, LONG)), Ok(Grant::Granted));
    assert_eq!(wait(counters.incr("counted", 5, 0, None)), Ok(5));
    let begun = wait(generations.begin("space", &tags, None)).unwrap();
    thread::scope(|scope| {
        // Several connections rest.
        (0..4).for_each(|_| drop(scope.spawn(|| wait(store.get("there")).unwrap())));
    });
    lose(process);
    assert_eq!(wait(store.get("there")), Ok(None));
    let late = leases.set_leased("leased", 5, Bytes::from("late"), None);
    assert_eq!(wait(late), Ok(false));
    assert_eq!(wait(leases.lease("leased", 6, LONG)), Ok(Grant::Granted));
    assert_eq!(wait(counters.incr("counted", 1, 0, None)), Ok(1));
    let late = generations.settle(Computed {
        name: "computed",
        namespace: "space",
        bytes: Bytes::from("late"),
        ttl: None,
        token: None,
        stamps: &begun.shards,
        tags: &tags,
    });
    assert_eq!(wait(late), Ok(Settled::Overtaken));
    assert_eq!(wait(store.get("computed")), Ok(None));
}
