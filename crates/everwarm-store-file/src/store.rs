//! The store's verbs.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Failure, FailureKind, Found, Health, Info,
    Leases, Limits, Scan, Store, Touch,
};

use crate::clock::WallClock;
use crate::config::Config;
use crate::connect;
use crate::error::closed;
use crate::eviction::{Allowance, keep_within};
use crate::files::{self, Kind};
use crate::head::{Head, LONGEST_HEAD};
use crate::names::{FileName, ROOMS};
use crate::room::Room;

/// About what the first line of a file takes.
const TYPICAL_HEAD: usize = 256;
/// Bytes of a name.
pub(crate) const LONGEST_NAME: usize = 4_096;

/// A store of one file per entry, for any number of processes: `file:///dir`.
///
/// Reads take no lock; writes take that of the name's room. The files that were written first leave when there are more
/// than the bounds allow. What counts is the wall's clock: an entry from the future is a miss.
pub struct FileStore {
    pub(crate) root: OwnedFd,
    pub(crate) config: Config,
    clock: Arc<dyn Clock>,
    seed: RandomState,
    writes: AtomicU64,
    allowance: Allowance,
    is_closed: AtomicBool,
}

impl FileStore {
    /// The store in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// If the directory cannot be made, is a symbolic link, belongs to another user, or others may write to it.
    pub fn connect(config: &Config) -> Result<Self, Failure> {
        Self::with_clock(config, Arc::new(WallClock))
    }

    /// As [`connect`](Self::connect), with another clock; its origin is the year 1970.
    ///
    /// # Errors
    /// As `connect`.
    pub fn with_clock(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        Ok(Self {
            root: connect::directory(config)?,
            config: config.clone(),
            clock,
            seed: RandomState::new(),
            writes: AtomicU64::new(0),
            allowance: Allowance::default(),
            is_closed: AtomicBool::new(false),
        })
    }

    /// Does something at once, while the handle is open.
    pub(crate) fn at_once<'a, T>(
        &'a self,
        act: impl FnOnce(Instant) -> Result<T, Failure>,
    ) -> Answer<'a, T> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Answer::failed(closed());
        }
        Answer::Now(act(self.clock.now()))
    }

    /// The room of a name, locked.
    pub(crate) fn room(&self, name: &str) -> Result<Room<'_>, Failure> {
        if name.len() > LONGEST_NAME {
            return Err(Failure::new(
                FailureKind::Permanent,
                format!(
                    "a name of {} bytes is too long for a file store",
                    name.len()
                ),
                format!("names have up to {LONGEST_NAME} bytes"),
            ));
        }
        Room::locked(&self.root, FileName::of(name).room)
    }

    /// A number that no other write has, of this process or another: 64 random bits.
    pub(crate) fn version(&self) -> u64 {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        // The child of a fork draws from the same seed.
        self.seed.hash_one((std::process::id(), number)).max(1)
    }

    /// Puts an entry into its room. The lease of its name ends first: so a process that ends in between leaves none that
    /// covers a value from before.
    pub(crate) fn put(
        &self,
        room: &mut Room<'_>,
        head: &Head,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        if bytes.len() as u64 > self.limits().largest_value {
            return Err(Failure::new(
                FailureKind::Capacity,
                format!(
                    "a value of {} bytes is too large for a file store",
                    bytes.len()
                ),
                "give the store a larger max_bytes",
            ));
        }
        room.remove(&head.name, Kind::Lease)?;
        self.replace(room, head, bytes)
    }

    /// Puts an entry in place of itself: its lease stays.
    pub(crate) fn replace(
        &self,
        room: &mut Room<'_>,
        head: &Head,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let is_synced = self.config.durability == Durability::Power;
        room.put(&head.name, Kind::Value, &head.file(bytes), is_synced)
    }

    /// Lets others go, after so many bytes were written under a name, and outside of the lock. That it does not succeed is no failure of
    /// the write.
    pub(crate) fn keep_within_bounds(&self, name: &str, bytes: usize) {
        if !self.allowance.spend((bytes + TYPICAL_HEAD) as u64) {
            let _ = keep_within(
                &self.root,
                &self.config,
                &self.allowance,
                &FileName::of(name),
            );
        }
    }

    /// Deletes the files of all rooms that are wanted; how many values were live.
    fn remove_all(&self, now: Instant, is_wanted: impl Fn(&Head) -> bool) -> Result<u64, Failure> {
        let mut gone = 0;
        for number in 0..ROOMS.len() {
            let mut room = Room::locked(&self.root, number)?;
            for file in room.list()? {
                let Some(head) = room.head(&file)? else {
                    continue;
                };
                if is_wanted(&head) && room.remove_listed(&file)? && file.kind == Kind::Value {
                    gone += u64::from(head.is_live(now));
                }
            }
            room.recount()?;
        }
        Ok(gone)
    }
}

impl Store for FileStore {
    fn info(&self) -> Info {
        Info {
            kind: "file",
            place: self.config.directory.display().to_string(),
            durability: self.config.durability,
            embedded: true,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: LONGEST_NAME,
            largest_value: self
                .config
                .max_bytes
                .min(files::LARGEST as u64)
                .saturating_sub(LONGEST_HEAD as u64),
            longest_ttl: None,
            ttl_precision: Duration::from_millis(1),
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        self.at_once(|now| {
            let entry = files::live(&self.root, name, Kind::Value, now)?;
            Ok(entry.map(|(head, bytes)| head.found(bytes, now)))
        })
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        self.at_once(|now| {
            let mut room = self.room(name)?;
            self.put(
                &mut room,
                &Head::new(name, self.version(), now, ttl),
                &bytes,
            )?;
            drop(room);
            self.keep_within_bounds(name, bytes.len());
            Ok(())
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        self.at_once(|now| {
            let mut room = self.room(name)?;
            room.remove(name, Kind::Lease)?;
            let was = room.live(name, Kind::Value, now)?.is_some();
            Ok(room.remove(name, Kind::Value)? && was)
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.at_once(|now| self.remove_all(now, |head| head.name.starts_with(prefix)))
    }

    fn sweep(&self) -> Answer<'_, u64> {
        self.at_once(|now| {
            let swept = std::cell::Cell::new(0);
            self.remove_all(now, |head| {
                let is_over = !head.is_live(now);
                swept.set(swept.get() + u64::from(is_over));
                is_over
            })?;
            Ok(swept.get())
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.at_once(|_| Room::locked(&self.root, 0).map(drop))
    }

    fn close(&self) -> Answer<'_, ()> {
        self.is_closed.store(true, Ordering::Relaxed);
        Answer::done(())
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

    fn health(&self) -> Option<&dyn Health> {
        Some(self)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FileStore")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
