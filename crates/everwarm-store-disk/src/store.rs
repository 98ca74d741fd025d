//! The store: its six verbs, and which process has which files open.

use std::fmt;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Entry, Failure, FailureKind, Found, Generations, Health,
    Info, Leases, Limits, Notify, Scan, Store, Suspend, Touch,
};

use crate::config::Config;
use crate::connect;
use crate::error::{Step, closed};
use crate::files::Files;
use crate::head::{HEAD, Head, Read};
use crate::large;
use crate::put::{Put, value_of};
use crate::record::{LARGE_FROM, LONGEST_NAME};
use crate::room::budget;
use crate::sweep;
use crate::times::{OneClock, StoreTime, SystemTimes, Times};
use crate::writing::Writing;

/// An embedded store in one directory, for many processes at once.
///
/// Every verb answers at once. Reads take no lock; a write that waits too long for others fails as a timeout.
pub struct Disk {
    config: Config,
    first: Opened,
    is_closed: AtomicBool,
}

/// The files as one process has them, and those of the child that it forked.
struct Opened {
    files: Result<Files, Failure>,
    child: OnceLock<Box<Opened>>,
}

/// What a store holds, by its own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Entries, those included that have expired and were not swept.
    pub entries: u64,
    /// Bytes of the log, of large values and of the index.
    pub bytes: u64,
}

impl Disk {
    /// Opens the store, or makes it.
    ///
    /// # Errors
    /// `Permanent` or `Authentication` for a directory that others could write to or that holds something else, `Capability` for
    /// one that another version wrote, and what the operating system refuses.
    pub fn open(config: Config) -> Result<Self, Failure> {
        Self::open_with(config, Arc::new(SystemTimes::default()))
    }

    /// As [`open`](Self::open), by other clocks than the machine's.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with(config: Config, times: Arc<dyn Times>) -> Result<Self, Failure> {
        let config = config
            .checked()
            .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
        let files = connect::open(config.clone(), StoreTime::new(times))?;
        Ok(Self {
            config,
            first: Opened {
                files: Ok(files),
                child: OnceLock::new(),
            },
            is_closed: AtomicBool::new(false),
        })
    }

    /// As [`open`](Self::open), by one clock: for tests, which move it by hand.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_by(config: Config, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        Self::open_with(config, Arc::new(OneClock(clock)))
    }

    /// What the store holds.
    ///
    /// # Errors
    /// `Closed`, and what the operating system refuses.
    pub fn usage(&self) -> Result<Usage, Failure> {
        let files = self.files()?;
        let mut bytes = [0; HEAD];
        let read = files.head.read_exact_at(&mut bytes, 0);
        read.map_err(|error| crate::error::refused("the head of the store", &error))?;
        let head = match Head::read(&bytes) {
            Read::Head(head) => head,
            _ => self.write(|writing| Ok(writing.head))?,
        };
        Ok(Usage {
            entries: head.entries,
            bytes: head.end - head.start + head.large + files.index().bytes(),
        })
    }

    fn opened(&self) -> &Opened {
        let mut opened = &self.first;
        while let Some(child) = opened.child.get() {
            opened = child;
        }
        opened
    }

    /// The files, as this process has them open.
    pub(crate) fn files(&self) -> Result<&Files, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        self.opened().files.as_ref().map_err(Clone::clone)
    }

    /// Does `work` while nobody else writes.
    pub(crate) fn write<T>(
        &self,
        work: impl FnMut(&mut Writing<'_>) -> Step<T>,
    ) -> Result<T, Failure> {
        self.files()?.write(work)
    }

    /// Puts one entry in a step of its own, if `allowed` says so; `None` if not.
    pub(crate) fn put_if<R>(
        &self,
        (name, bytes, ttl): (&str, &Bytes, Option<Duration>),
        is_told: bool,
        mut allowed: impl FnMut(&mut Writing<'_>) -> Step<Result<(), R>>,
    ) -> Result<Result<u64, R>, Failure> {
        let files = self.files()?;
        self.check(name, bytes.len() as u64)?;
        let mut unnamed = large::write(files, bytes)?;
        files.write(|writing| {
            if let Err(refusal) = allowed(writing)? {
                writing.commit_changes()?;
                return Ok(Err(refusal));
            }
            let version = writing.put(&Put {
                name,
                value: value_of(bytes, unnamed.as_ref().map(large::Unnamed::large)),
                deadline: writing.deadline(ttl),
                is_told,
            })?;
            if let Some(unnamed) = &mut unnamed {
                unnamed.name()?;
            }
            writing.commit()?;
            Ok(Ok(version))
        })
    }

    /// Whether the store takes such a name and so many bytes.
    pub(crate) fn check(&self, name: &str, bytes: u64) -> Result<(), Failure> {
        let capacity = |message, hint| Err(Failure::new(FailureKind::Capacity, message, hint));
        if name.len() > LONGEST_NAME {
            return capacity(
                format!("a name of {} bytes is too long for the store", name.len()),
                "use names of 1024 bytes at most",
            );
        }
        let most = self.limits().largest_value;
        if bytes > most {
            return capacity(
                format!(
                    "a value of {bytes} bytes is too large for the store, which takes up to {most}"
                ),
                "raise max_bytes, or store less under one name",
            );
        }
        Ok(())
    }

    fn get_one(&self, name: &str) -> Result<Option<Found>, Failure> {
        self.files()?.get(name)
    }

    fn set_all(&self, entries: &[Entry<'_>]) -> Result<(), Failure> {
        let (mut short, mut large) = (Vec::new(), Vec::new());
        for entry in entries {
            self.check(entry.name, entry.bytes.len() as u64)?;
            let is_large = entry.bytes.len() >= LARGE_FROM;
            (if is_large { &mut large } else { &mut short }).push(entry);
        }
        for entry in large {
            self.put_if((entry.name, &entry.bytes, entry.ttl), true, |_| {
                Ok(Ok::<_, ()>(()))
            })?
            .ok();
        }
        self.in_few_steps(&short, |writing, entry| {
            let put = Put {
                name: entry.name,
                value: value_of(&entry.bytes, None),
                deadline: writing.deadline(entry.ttl),
                is_told: true,
            };
            writing.put(&put).map(|_| ())
        })
        .map(|_| ())
    }

    fn delete_all(&self, names: &[&str]) -> Result<u64, Failure> {
        let mut were = 0;
        let mut done = 0;
        for name in names {
            self.check(name, 0)?;
        }
        while done < names.len() {
            let (next, more) = self.files()?.write_surely(|writing| {
                let (mut next, mut more) = (done, 0);
                while next < names.len() && !writing.is_long() {
                    more += u64::from(writing.take(names[next])?);
                    next += 1;
                }
                writing.commit()?;
                Ok((next, more))
            })?;
            (done, were) = (next, were + more);
        }
        Ok(were)
    }

    fn finish(&self) -> Result<(), Failure> {
        let files = match self.files() {
            Ok(files) if files.is_writable => files,
            _ => return Ok(()),
        };
        if files.write(|writing| Ok(writing.head.hardened))? {
            return Ok(());
        }
        // Most of it is done before others have to wait for the rest.
        let _ = files.harden_before();
        files.write(|writing| writing.harden_all())
    }
}

impl Store for Disk {
    fn info(&self) -> Info {
        Info {
            kind: "disk",
            place: self.config.directory.display().to_string(),
            durability: self.config.durability,
            embedded: true,
        }
    }

    fn limits(&self) -> Limits {
        let segment = self.config.segment();
        let room = budget(self.config.max_bytes, segment, self.config.max_bytes / 4);
        Limits {
            longest_name: LONGEST_NAME,
            largest_value: (room / 2).min(1 << 30) - LONGEST_NAME as u64 * 2,
            longest_ttl: None,
            ttl_precision: Duration::ZERO,
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        Answer::Now(self.get_one(name))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        let set = self.put_if((name, &bytes, ttl), true, |_| Ok(Ok::<_, ()>(())));
        Answer::Now(set.map(|_| ()))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        Answer::Now(self.delete_all(&[name]).map(|were| were > 0))
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        Answer::Now(names.iter().map(|name| self.get_one(name)).collect())
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        Answer::Now(self.set_all(entries))
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        Answer::Now(self.delete_all(names))
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        Answer::Now(self.clear_all(prefix))
    }

    fn sweep(&self) -> Answer<'_, u64> {
        Answer::Now(self.files().and_then(sweep::sweep))
    }

    fn ping(&self) -> Answer<'_, ()> {
        let head = self.files().and_then(|files| {
            let head = crate::files::read_head(&files.head);
            head.map_err(|error| crate::error::refused("the head of the store", &error))
        });
        Answer::Now(head.map(|_| ()))
    }

    fn close(&self) -> Answer<'_, ()> {
        let finished = self.finish();
        self.is_closed.store(true, Ordering::Relaxed);
        Answer::Now(finished)
    }

    fn doubts(&self) -> Vec<String> {
        self.files()
            .map(|files| files.doubts.lock().clone())
            .unwrap_or_default()
    }

    fn proves(&self, found: &Found) -> bool {
        // Of a large value only the first read checks all bytes.
        found.bytes.len() < LARGE_FROM
    }

    fn after_fork(&self) {
        let last = self.opened();
        let Ok(parent) = &last.files else {
            return;
        };
        let time = StoreTime::new(parent.time.times());
        let files = connect::open(self.config.clone(), time);
        // Nothing else runs in the child yet, so that nobody came before.
        let _ = last.child.set(Box::new(Opened {
            files,
            child: OnceLock::new(),
        }));
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        Some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        Some(self)
    }

    fn generations(&self) -> Option<&dyn Generations> {
        Some(self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        Some(self)
    }

    fn suspending(&self) -> Option<&dyn Suspend> {
        Some(self)
    }

    fn health(&self) -> Option<&dyn Health> {
        Some(self)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Disk")
            .field("directory", &self.config.directory)
            .finish_non_exhaustive()
    }
}
