//! A memory store with one fault.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use everwarm_conformance::wait;
use everwarm_core::mark::Tag;
use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Failure, Found, Generations, Health, Info, Leases,
    Limits, Notify, Scan, Store, Suspend, Touch,
};
use everwarm_memory::MemoryStore;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    LosesBytes,
    ForgetsOldest,
    KeepsLongerValue,
    Tears,
    ForgetsTtl,
    KeepsFirstTtl,
    RemainsAsSet,
    RemainsTooLong,
    DeletesWhatIsNot,
    MixesUpBulk,
    ClearsNeighbours,
    ClearsByPattern,
    IgnoresCase,
    CutsNames,
    TakesLongNames,
    CutsLargeValues,
    SwapsAnswers,
    AnswersTheNext,
    IsPrivate,
    SweepsAll,
    SaysNothingOfItself,
    OffersNow,
    NeverCloses,
    CountsInHex,
    ForgetsInitial,
    RenewsCounters,
    CountsInTwoSteps,
    Saturates,
    CountsText,
    IgnoresCondition,
    ReusesVersions,
    RefreshesInVain,
    DeletesAnyVersion,
    ComparesInTwoSteps,
    LeasesToAll,
    LeasesForEver,
    RenewsInVain,
    NeverReleases,
    KeepsLeaseAfterSettling,
    KeepsLeaseAfterSet,
    KeepsLeaseAfterDelete,
    KeepsLeaseAfterClear,
    EndsLeaseOnRead,
    LeasesAreEntries,
    LeasesInTwoSteps,
    ScansTwice,
    ScansSkipping,
    ScansByCase,
    ScansByNumber,
    ScansExpired,
    OnlyLengthens,
    TouchRewrites,
    TouchRevives,
    GivesNoMarkers,
    ReadMarks,
    NeverOvertakes,
    MarksWithStamp,
    NumbersStandStill,
    ForgetsMarkers,
    SettlesWithoutLease,
    MixesUpTags,
    OneNamespace,
    SettlesInTwoSteps,
    IsSilent,
    TellsOfComputed,
    TellsItself,
    TellsAgain,
    HidesGaps,
    TellsTooSoon,
    LeasesAllOrNone,
    SettlesUpToTheFirst,
    SuspendsNothing,
    SuspendsForAMoment,
    ResumesAtOnce,
    ResumesQuietly,
    SuspendsForEver,
    LastSpanCounts,
    InvalidatingResumes,
    TellsOldMarkers,
    MixesUpMany,
    TellsOlderMarkersOfMany,
    SaysItTwice,
    LooksAway,
    LooksByWriting,
    OutlivesItself,
}

/// As long as nothing in a check.
pub(crate) const EVER: Duration = Duration::from_secs(1 << 30);

/// A store that does as `inner` does, but for its fault.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) inner: MemoryStore,
    pub(crate) listener: MemoryStore,
    fault: Option<Fault>,
    number: usize,
    asked: AtomicU64,
    pub(crate) seen: Mutex<Seen>,
}

/// What it remembers for its fault.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) names: Vec<String>,
    ttls: HashMap<String, Option<Duration>>,
    pub(crate) tokens: HashMap<String, u64>,
    /// What it suspended itself.
    pub(crate) suspended: Vec<Tag>,
    answers: VecDeque<Option<Found>>,
    /// What was found last.
    before: Option<Found>,
    last: String,
}

pub(crate) type Done<T> = Result<T, Failure>;

/// Lets other threads in between two steps.
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_micros(50));
}

/// An answer that is there.
pub(crate) fn now<'a, T>(act: impl FnOnce() -> Done<T>) -> Answer<'a, T> {
    Answer::Now(act())
}

impl Faulty {
    pub(crate) fn new(inner: MemoryStore, fault: Option<Fault>) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        Self {
            listener: inner.handle(),
            inner,
            fault,
            number: MADE.fetch_add(1, Ordering::Relaxed),
            asked: AtomicU64::new(0),
            seen: Mutex::default(),
        }
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no check panics with it")
    }

    /// The name as the store knows it.
    fn known(&self, name: &str) -> String {
        match self.fault {
            Some(Fault::IgnoresCase) => name.to_lowercase(),
            Some(Fault::CutsNames) => name.chars().take(190).collect(),
            Some(Fault::TakesLongNames) => name.chars().take(self.limits().longest_name).collect(),
            Some(Fault::IsPrivate) => format!("{}|{name}", self.number),
            _ => name.to_owned(),
        }
    }

    /// The prefix as the store knows it.
    pub(crate) fn prefix<'p>(&self, prefix: &'p str) -> &'p str {
        match self.fault {
            Some(Fault::ClearsNeighbours) => {
                let end = prefix.char_indices().next_back();
                end.map_or(prefix, |(at, _)| &prefix[..at])
            }
            Some(Fault::ClearsByPattern) => prefix.split(['%', '_']).next().unwrap_or(prefix),
            _ => prefix,
        }
    }

    /// Gives a lease back to who had it.
    pub(crate) fn give_back(&self, name: &str) -> Done<()> {
        let token = self.seen().tokens.get(name).copied();
        if let (Some(token), Some(leases)) = (token, self.inner.leases()) {
            wait(leases.lease(name, token, EVER))?;
        }
        Ok(())
    }

    fn look(&self, name: &str) -> Done<Option<Found>> {
        let mut found = wait(self.inner.get(&self.known(name)))?;
        if let Some(found) = &mut found {
            match self.fault {
                Some(Fault::LosesBytes) => found.bytes.truncate(60_000),
                Some(Fault::RemainsAsSet) => {
                    found.remaining = self.seen().ttls.get(name).copied().flatten();
                }
                Some(Fault::ReusesVersions) => found.version = content_version(&found.bytes),
                _ => {}
            }
        } else if self.has(Fault::LeasesAreEntries) && self.seen().tokens.contains_key(name) {
            return Ok(Some(Found {
                bytes: Bytes::new(),
                remaining: None,
                version: 0,
            }));
        }
        if self.has(Fault::EndsLeaseOnRead) {
            let token = self.seen().tokens.get(name).copied().unwrap_or(0);
            wait(
                self.inner
                    .leases()
                    .expect("it has leases")
                    .release(name, token),
            )?;
        }
        Ok(found)
    }

    /// What is set in fact.
    fn altered(&self, name: &str, bytes: Bytes) -> Done<Bytes> {
        let there = wait(self.inner.get(name))?
            .map(|found| found.bytes)
            .unwrap_or_default();
        Ok(match self.fault {
            Some(Fault::KeepsLongerValue) if there.len() > bytes.len() => {
                [&bytes[..], &there[bytes.len()..]].concat().into()
            }
            Some(Fault::CutsLargeValues) => bytes.slice(..bytes.len().min(1 << 20)),
            Some(Fault::Tears) => {
                let torn = [&bytes[..bytes.len() / 2], &there[there.len() / 2..]].concat();
                wait(self.inner.set(name, torn.into(), None))?;
                pause();
                bytes
            }
            _ => bytes,
        })
    }

    /// The ttl that is set in fact.
    pub(crate) fn ttl(&self, name: &str, ttl: Option<Duration>) -> Done<Option<Duration>> {
        Ok(match self.fault {
            Some(Fault::ForgetsTtl) => None,
            Some(Fault::KeepsFirstTtl) => match wait(self.inner.get(name))? {
                Some(there) => there.remaining,
                None => ttl,
            },
            _ => ttl,
        })
    }
}

/// A number that two writes of the same bytes share.
pub(crate) fn content_version(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(7, |sum, byte| sum * 31 % 1_000_003 + u64::from(*byte))
}

impl Store for Faulty {
    fn info(&self) -> Info {
        let info = self.inner.info();
        match self.fault {
            Some(Fault::SaysNothingOfItself) => Info { kind: "", ..info },
            _ => info,
        }
    }

    fn limits(&self) -> Limits {
        let limits = self.inner.limits();
        match self.fault {
            Some(Fault::CutsLargeValues) => Limits {
                largest_value: 1 << 20,
                ..limits
            },
            Some(Fault::RemainsTooLong) => Limits {
                longest_ttl: Some(Duration::from_secs(86_400)),
                ..limits
            },
            _ => limits,
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        if self.has(Fault::AnswersTheNext) {
            let found = self.look(name);
            self.seen().answers.push_back(found.unwrap_or(None));
            return Answer::later(async {
                std::future::ready(()).await;
                Ok(self.seen().answers.pop_front().flatten())
            });
        }
        if self.has(Fault::TellsTooSoon) {
            return now(|| {
                let found = self.look(name)?;
                Ok(std::mem::replace(&mut self.seen().before, found))
            });
        }
        if self.has(Fault::SwapsAnswers) {
            name.clone_into(&mut self.seen().last);
            pause();
            let last = self.seen().last.clone();
            return Answer::Now(self.look(&last));
        }
        Answer::Now(self.look(name))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        now(|| {
            let known = self.known(name);
            let ttl = self.ttl(&known, ttl)?;
            let bytes = self.altered(&known, bytes)?;
            wait(self.inner.set(&known, bytes, ttl))?;
            if self.has(Fault::KeepsLeaseAfterSet) {
                self.give_back(name)?;
            }
            let mut seen = self.seen();
            seen.ttls.insert(name.to_owned(), ttl);
            seen.names.push(name.to_owned());
            if self.has(Fault::ForgetsOldest) && seen.names.len() > 40 {
                let oldest = seen.names.remove(0);
                wait(self.inner.delete(&oldest))?;
            }
            Ok(())
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        now(|| {
            let was = wait(self.inner.delete(&self.known(name)))?;
            if self.has(Fault::KeepsLeaseAfterDelete) {
                self.give_back(name)?;
            }
            Ok(was || self.has(Fault::DeletesWhatIsNot))
        })
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        let mut names = names.to_vec();
        if self.has(Fault::MixesUpBulk) {
            names.sort_unstable();
        }
        now(|| names.iter().map(|name| self.look(name)).collect())
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        now(|| {
            let cleared = wait(self.inner.clear(self.prefix(prefix)))?;
            if self.has(Fault::KeepsLeaseAfterClear) {
                let names: Vec<_> = self.seen().tokens.keys().cloned().collect();
                names.iter().try_for_each(|name| self.give_back(name))?;
            }
            Ok(cleared)
        })
    }

    fn sweep(&self) -> Answer<'_, u64> {
        match self.fault {
            Some(Fault::SweepsAll) => self.inner.clear(""),
            _ => self.inner.sweep(),
        }
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.inner.ping()
    }

    fn close(&self) -> Answer<'_, ()> {
        match self.fault {
            Some(Fault::NeverCloses) => Answer::done(()),
            _ => self.inner.close(),
        }
    }

    fn counters(&self) -> Option<&dyn Counters> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        (!self.has(Fault::OffersNow) || asked % 3 != 1).then_some(self)
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

    fn suspending(&self) -> Option<&dyn Suspend> {
        Some(self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        Some(self)
    }

    fn health(&self) -> Option<&dyn Health> {
        Some(self)
    }
}
