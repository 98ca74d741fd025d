//! What a store behind HTTP can do besides, where the server's store can.

use std::sync::atomic::Ordering;
use std::time::Duration;

use everwarm_core::health::{Remark, Report};
use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{
    Answer, Bytes, Computed, Condition, Conditional, Counters, Failure, Found, Generations, Grant,
    Health, Leased, Leases, Messages, Notify, Page, Scan, Settled, Suspend, Touch,
};
use hyper::{Method, StatusCode};

use crate::contract::bodies::{
    body, found, grants, put_asked, put_computed, put_leased, put_names, put_wanted, reading,
    settled, yes,
};
use crate::contract::frames::Reader;
use crate::contract::{
    BY, INITIAL, LEASE, MOST, NEXT, OFFERS, STORE, TTL, decoded, encoded, etag, span,
};
use crate::link::GET;
use crate::question::Question;
use crate::store::{Http, check};

impl Counters for Http {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        Answer::later(async move {
            let question = self.of(Method::POST, "counters", name)?.ttl(ttl);
            let question = question.with(BY, by.to_string());
            self.number(question.with(INITIAL, initial.to_string()))
                .await
        })
    }
}

impl Conditional for Http {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        Answer::later(async move {
            let question = self.put(name, bytes, ttl)?;
            let said = self
                .ask(match condition {
                    Condition::Absent => question.with("if-none-match", "*"),
                    Condition::Present => question.with("if-match", "*"),
                    Condition::Version(version) => question.with("if-match", etag(version)),
                })
                .await?;
            match said.status {
                StatusCode::PRECONDITION_FAILED => Ok(None),
                status if status.is_success() => {
                    let version = said.version();
                    version.map(Some).ok_or_else(|| self.link().unexpected())
                }
                _ => Err(self.link().unexpected()),
            }
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        let question = self.of(Method::DELETE, "entries", name);
        Answer::later(self.was(question.map(|all| all.with("if-match", etag(version)))))
    }
}

impl Leases for Http {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        Answer::later(async move {
            let question = self.of(Method::POST, "leases", name)?.token(token);
            let said = self.ask(question.ttl(Some(ttl))).await?;
            match said.status {
                StatusCode::LOCKED => {
                    let left = said.header(TTL).and_then(span);
                    left.map(Grant::Held)
                        .ok_or_else(|| self.link().unexpected())
                }
                status if status.is_success() => Ok(Grant::Granted),
                _ => Err(self.link().unexpected()),
            }
        })
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        let question = self.of(Method::PUT, "leases", name);
        Answer::later(self.was(question.map(|all| all.token(token).ttl(Some(ttl)))))
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        let question = self.of(Method::DELETE, "leases", name);
        Answer::later(self.was(question.map(|all| all.token(token))))
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        let question = self.put(name, bytes, ttl);
        Answer::later(self.was(question.map(|all| all.with(LEASE, format!("{token:x}")))))
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        Answer::later(async move {
            names.iter().try_for_each(|(name, _)| check(name))?;
            let mut all = Vec::with_capacity(names.len());
            for lot in self.lots(names.iter().map(|(name, _)| name.len() + 16)) {
                let body = body(|writer| put_wanted(writer, &names[lot.clone()], ttl));
                let some = self.framed(Question::framed("/many/lease", body), grants);
                all.extend(self.as_many(some.await?, lot.len())?);
            }
            Ok(all)
        })
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        Answer::later(async move {
            for entry in entries {
                check(entry.name)?;
                self.check_bytes(&entry.bytes)?;
            }
            let mut all = Vec::with_capacity(entries.len());
            let sizes = entries
                .iter()
                .map(|entry| entry.name.len() + entry.bytes.len() + 32);
            for lot in self.lots(sizes) {
                let body = body(|writer| put_leased(writer, &entries[lot.clone()]));
                let some = self.framed(Question::framed("/many/set-leased", body), yes);
                all.extend(self.as_many(some.await?, lot.len())?);
            }
            Ok(all)
        })
    }
}

impl Scan for Http {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        Answer::later(async move {
            let after = after.map_or(String::new(), |after| format!("&after={}", encoded(after)));
            let path = format!("/entries?prefix={}&limit={limit}{after}", encoded(prefix));
            let said = self.done(Question::new(GET, path)).await?;
            let page = || {
                let lines = std::str::from_utf8(&said.body).ok()?.lines();
                let next = match said.header(NEXT) {
                    Some(next) => Some(decoded(next)?),
                    None => None,
                };
                // A line has a sign before the name: that of the empty name is a line, too.
                let names = lines.map(|line| decoded(line.strip_prefix('=')?));
                Some(Page {
                    names: names.collect::<Option<_>>()?,
                    next,
                })
            };
            page().ok_or_else(|| self.link().unexpected())
        })
    }
}

impl Touch for Http {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        let question = self.of(Method::PUT, "ttl", name);
        Answer::later(self.was(question.map(|all| all.ttl(ttl))))
    }
}

impl Http {
    /// Things of which there are to be as many as were asked for.
    fn as_many<T>(&self, things: Vec<T>, count: usize) -> Result<Vec<T>, Failure> {
        match things.len() == count {
            true => Ok(things),
            false => Err(self.link().unexpected()),
        }
    }

    /// Asks for a reading of some tags.
    async fn reading(
        &self,
        path: &str,
        (namespace, tags): (&str, &[Tag]),
        span: Option<Duration>,
    ) -> Result<Reading, Failure> {
        let body = body(|writer| put_asked(writer, namespace, tags, span));
        let read = self.framed(Question::framed(path, body), reading).await?;
        self.of_tags(read, tags.len())
    }

    /// A reading, which is to have as many markers as there are tags.
    fn of_tags(&self, reading: Reading, tags: usize) -> Result<Reading, Failure> {
        match reading.markers.len() == tags {
            true => Ok(reading),
            false => Err(self.link().unexpected()),
        }
    }
}

impl Generations for Http {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        Answer::later(self.reading("/generations/begin", (namespace, tags), keep))
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(self.reading("/generations/read", (namespace, tags), None))
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        Answer::later(async move {
            let (mut found, reading) = self.get_many_with(&[name], namespace, tags).await?;
            Ok((found.pop().flatten(), reading))
        })
    }

    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        Answer::later(async move {
            let ask = |names: &[&str]| {
                let body = body(|writer| {
                    put_names(writer, names);
                    put_asked(writer, namespace, tags, None);
                });
                Question::framed("/generations/get", body)
            };
            let read = |reader: &mut Reader| Some((reader.many(found)?, reading(reader)?));
            // The last reading is of after all that was read.
            match self.in_lots(names, ask, read).await? {
                (found, Some(reading)) => Ok((found, self.of_tags(reading, tags.len())?)),
                (found, None) => Ok((found, self.read(namespace, tags).await?)),
            }
        })
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(self.reading("/generations/invalidate", (namespace, tags), None))
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        Answer::later(async move {
            let mut settled = self.settle_many(std::slice::from_ref(&computed)).await?;
            settled.pop().ok_or_else(|| self.link().unexpected())
        })
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        Answer::later(async move {
            for one in computed {
                check(one.name)?;
                self.check_bytes(&one.bytes)?;
            }
            let size = |one: &Computed<'_>| {
                let marks = 24 * one.stamps.len() + 20 * one.tags.len();
                one.name.len() + one.namespace.len() + one.bytes.len() + marks + 64
            };
            let mut all = Vec::with_capacity(computed.len());
            for lot in self.lots(computed.iter().map(size)) {
                let body = body(|writer| put_computed(writer, &computed[lot.clone()]));
                let some = self.framed(Question::framed("/generations/settle", body), settled);
                all.extend(self.as_many(some.await?, lot.len())?);
            }
            Ok(all)
        })
    }
}

impl Suspend for Http {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        Answer::later(self.reading("/generations/suspend", (namespace, tags), Some(span)))
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(self.reading("/generations/resume", (namespace, tags), None))
    }
}

impl Notify for Http {
    fn change(&self) -> u64 {
        let own = self.link().own();
        own.map_or(0, |here| here.hearing.change())
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        Answer::Now(self.link().here().map(|here| here.hearing.messages(after)))
    }

    fn silence(&self) -> Duration {
        let own = self.link().own();
        own.map_or(Duration::MAX, |here| here.hearing.silence())
    }

    fn failovers(&self) -> u64 {
        self.link().failovers().load(Ordering::Acquire)
    }
}

impl Health for Http {
    fn deadline(&self) -> Option<Duration> {
        let limit = self.link().config().timeout;
        (limit != everwarm_core::deadline::of("http")).then_some(limit)
    }

    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        Answer::later(async move {
            let said = self.done(Question::new(GET, "/info")).await?;
            let unexpected = || self.link().unexpected();
            let serves = said.header(STORE).ok_or_else(unexpected)?;
            let offers = said.header(OFFERS).ok_or_else(unexpected)?;
            let most: Option<u64> = said.header(MOST).and_then(|text| text.parse().ok());
            let most = most.ok_or_else(unexpected)?;
            let mut remarks = Vec::new();
            let config = self.link().config();
            let missing = |facet: &&&str| offers.split(',').all(|offered| offered != **facet);
            let missing: Vec<&str> = config.facets.iter().filter(missing).copied().collect();
            if !missing.is_empty() {
                remarks.push(Remark::trouble(
                    "facets",
                    format!("the store behind the server has no {}", missing.join(", ")),
                    format!("say what it has in the URL: facets={offers}"),
                ));
            }
            if is_full && most < config.max_value {
                remarks.push(Remark::setting(
                    "max_value",
                    format!("the server takes {most} bytes at most, and values here may be larger"),
                    format!("say so in the URL: max_value={most}"),
                ));
            }
            Ok(Report {
                facts: vec![("serves", serves.into()), ("max_body", most.into())],
                remarks,
            })
        })
    }
}
