//! The store: which request each verb is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Entry, Failure, Found, Generations, Health,
    Info, Leases, Limits, Notify, Scan, Store, Suspend, Touch,
};
use hyper::Method;
use hyper::StatusCode;

use crate::config::Config;
use crate::contract::bodies::{body, found, put_entries, put_names, whole};
use crate::contract::frames::Reader;
use crate::contract::{LONGEST_NAME, MOST, TTL, encoded, span};
use crate::error::{long_name, too_large};
use crate::link::{GET, Link};
use crate::question::{Question, Said};

/// A store behind HTTP.
///
/// Nothing is connected before it is needed, and to open one never fails because a server is down.
pub struct Http {
    link: Arc<Link>,
}

impl Http {
    /// A store as `config` says.
    ///
    /// # Errors
    /// `Permanent` for a file of certificates or a token that cannot be used.
    pub fn open(config: Config) -> Result<Self, Failure> {
        Ok(Self {
            link: Arc::new(Link::new(config)?),
        })
    }

    /// The way to the server.
    pub(crate) const fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Asks, and hears of others from here on.
    pub(crate) async fn ask(&self, question: Question) -> Result<Said, Failure> {
        if self.link.config().offers("notify") {
            self.link.here()?.hearing.begin(&self.link);
        }
        self.link.ask(question).await
    }

    /// Asks something whose answer is whether it was so: it was done, or there was nothing to do it to.
    pub(crate) async fn was(&self, question: Result<Question, Failure>) -> Result<bool, Failure> {
        Ok(self.ask(question?).await?.status.is_success())
    }

    /// Asks something that is done whatever is there.
    pub(crate) async fn done(&self, question: Question) -> Result<Said, Failure> {
        let said = self.ask(question).await?;
        match said.status.is_success() {
            true => Ok(said),
            false => Err(self.link.unexpected()),
        }
    }

    /// Asks something whose answer is a number.
    pub(crate) async fn number<N: std::str::FromStr>(
        &self,
        question: Question,
    ) -> Result<N, Failure> {
        let said = self.done(question).await?;
        said.number().ok_or_else(|| self.link.unexpected())
    }

    /// Asks in frames, and reads the answer, which is in frames too.
    pub(crate) async fn framed<T>(
        &self,
        question: Question,
        read: impl FnOnce(&mut Reader) -> Option<T>,
    ) -> Result<T, Failure> {
        let said = self.done(question).await?;
        whole(said.body, read).ok_or_else(|| self.link.unexpected())
    }

    /// About the thing of a name.
    ///
    /// # Errors
    /// `Capacity` for a name that is too long.
    pub(crate) fn of(&self, method: Method, things: &str, name: &str) -> Result<Question, Failure> {
        check(name)?;
        Ok(Question::of(method, things, name))
    }

    /// Bytes on their way to a name.
    ///
    /// # Errors
    /// `Capacity` for a name that is too long, and for bytes that are too many.
    pub(crate) fn put(
        &self,
        name: &str,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Result<Question, Failure> {
        self.check_bytes(&bytes)?;
        let mut question = self.of(Method::PUT, "entries", name)?.ttl(ttl);
        question.body = bytes;
        Ok(question)
    }

    /// Refuses bytes that are too many.
    ///
    /// # Errors
    /// `Capacity`.
    pub(crate) fn check_bytes(&self, bytes: &Bytes) -> Result<(), Failure> {
        let (length, most) = (bytes.len() as u64, self.link.config().max_value);
        if length <= most {
            return Ok(());
        }
        Err(too_large(length, most))
    }

    /// Sizes of things on their way, in lots of which each is one body.
    pub(crate) fn lots(&self, sizes: impl Iterator<Item = usize>) -> Vec<std::ops::Range<usize>> {
        let most = self.link.config().max_value;
        let mut lots: Vec<std::ops::Range<usize>> = Vec::new();
        let mut full = 0;
        for (at, size) in sizes.enumerate() {
            let size = size as u64;
            match lots.last_mut() {
                Some(lot) if full + size <= most => lot.end = at + 1,
                _ => {
                    full = 0;
                    lots.push(at..at + 1);
                }
            }
            full += size;
        }
        lots
    }

    /// Asks for things of these names that come in several answers, where one would be too large.
    pub(crate) async fn in_lots<T, R>(
        &self,
        names: &[&str],
        ask: impl Fn(&[&str]) -> Question,
        read: impl Fn(&mut Reader) -> Option<(Vec<T>, R)>,
    ) -> Result<(Vec<T>, Option<R>), Failure> {
        names.iter().try_for_each(|name| check(name))?;
        let (mut all, mut last) = (Vec::new(), None);
        while all.len() < names.len() {
            let question = ask(&names[all.len()..]);
            let question = question.with(MOST, self.link.config().max_value.to_string());
            let (some, rest) = self.framed(question, &read).await?;
            if some.is_empty() || some.len() > names.len() - all.len() {
                return Err(self.link.unexpected());
            }
            all.extend(some);
            last = Some(rest);
        }
        Ok((all, last))
    }

    /// A facet, if the server's store is said to have it.
    fn offered<'f, F: ?Sized>(&self, name: &str, facet: &'f F) -> Option<&'f F> {
        self.link.config().offers(name).then_some(facet)
    }

    /// What a read said.
    fn found(&self, said: Said) -> Result<Option<Found>, Failure> {
        if said.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let remaining = said.header(TTL).map(|text| span(text).ok_or(()));
        let remaining = remaining.transpose().map_err(|()| self.link.unexpected())?;
        let version = said.version();
        let is_versioned = self.link.config().offers("conditional");
        if !said.status.is_success() || version.is_none() && is_versioned {
            return Err(self.link.unexpected());
        }
        Ok(Some(Found {
            bytes: said.body,
            remaining,
            version: version.unwrap_or(0),
        }))
    }
}

/// Refuses a name that is too long.
///
/// # Errors
/// `Capacity`.
pub(crate) fn check(name: &str) -> Result<(), Failure> {
    if name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(long_name(name.len()))
}

impl Store for Http {
    fn info(&self) -> Info {
        Info {
            kind: self.link.config().scheme(),
            place: self.link.config().to_string(),
            durability: Durability::Process,
            embedded: false,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: LONGEST_NAME,
            largest_value: self.link.config().max_value,
            longest_ttl: None,
            ttl_precision: Duration::from_millis(10),
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        Answer::later(async move {
            let said = self.ask(self.of(GET, "entries", name)?).await?;
            self.found(said)
        })
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        Answer::later(async move { self.done(self.put(name, bytes, ttl)?).await.map(drop) })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        Answer::later(self.was(self.of(Method::DELETE, "entries", name)))
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        Answer::later(async move {
            self.link.here()?;
            let ask = |names: &[&str]| {
                Question::framed("/many/get", body(|writer| put_names(writer, names)))
            };
            let read = |reader: &mut Reader| Some((reader.many(found)?, ()));
            Ok(self.in_lots(names, ask, read).await?.0)
        })
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        Answer::later(async move {
            self.link.here()?;
            for entry in entries {
                check(entry.name)?;
                self.check_bytes(&entry.bytes)?;
            }
            let sizes = entries
                .iter()
                .map(|entry| entry.name.len() + entry.bytes.len() + 32);
            for lot in self.lots(sizes) {
                let body = body(|writer| put_entries(writer, &entries[lot]));
                self.done(Question::framed("/many/set", body)).await?;
            }
            Ok(())
        })
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        Answer::later(async move {
            self.link.here()?;
            names.iter().try_for_each(|name| check(name))?;
            let mut deleted = 0;
            for lot in self.lots(names.iter().map(|name| name.len() + 8)) {
                let body = body(|writer| put_names(writer, &names[lot]));
                deleted += self
                    .number::<u64>(Question::framed("/many/delete", body))
                    .await?;
            }
            Ok(deleted)
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        let path = format!("/entries?prefix={}", encoded(prefix));
        Answer::later(self.number(Question::new(Method::DELETE, path)))
    }

    fn sweep(&self) -> Answer<'_, u64> {
        Answer::later(self.number(Question::new(Method::POST, "/sweep")))
    }

    fn ping(&self) -> Answer<'_, ()> {
        Answer::later(async move { self.done(Question::new(GET, "/ping")).await.map(drop) })
    }

    fn close(&self) -> Answer<'_, ()> {
        self.link.close();
        Answer::done(())
    }

    fn counters(&self) -> Option<&dyn Counters> {
        self.offered("counters", self)
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        self.offered("conditional", self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.offered("leases", self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        self.offered("scan", self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        self.offered("touch", self)
    }

    fn generations(&self) -> Option<&dyn Generations> {
        self.offered("generations", self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        self.offered("notify", self)
    }

    fn suspending(&self) -> Option<&dyn Suspend> {
        self.offered("suspend", self)
    }

    fn health(&self) -> Option<&dyn Health> {
        self.offered("health", self)
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        // The task that listens knows the link, too.
        self.link.leave();
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Http")
            .field("place", &self.link.config().to_string())
            .finish_non_exhaustive()
    }
}
