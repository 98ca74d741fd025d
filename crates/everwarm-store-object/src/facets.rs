//! The facets of entries: each change is one object that is read, decided upon, and written if nobody came between.

use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Condition, Conditional, Counters, Failure, FailureKind, Grant, Leased, Leases,
    Page, Scan, Touch,
};
use everwarm_network::chance;
use futures_util::FutureExt;
use object_store::PutMode;

use crate::changes::{Entry, Step};
use crate::client::{Client, Part, Undone, all};
use crate::head::{Head, Lease, Value, after};
use crate::store::Objects;

impl Counters for Objects {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        Answer::later(async move {
            let client = self.check(name)?;
            let step = |entry: Entry| {
                let (old, mut value) = match entry.head.value {
                    Some(value) => (number(&entry.bytes)?, value),
                    None => (initial, Value::new(0, entry.now, ttl)),
                };
                let new = old.checked_add(by).ok_or_else(beyond)?;
                value.version = chance::number();
                let head = Head {
                    value: Some(value),
                    lease: None,
                };
                Ok(Step::Put(head, new.to_string().into(), new))
            };
            client.change(name, Part::Whole, step).await
        })
    }
}

fn number(bytes: &[u8]) -> Result<i64, Failure> {
    let text = std::str::from_utf8(bytes).ok();
    let number = text.and_then(|text| {
        text.parse::<i64>()
            .ok()
            .filter(|number| number.to_string() == text)
    });
    number.ok_or_else(|| {
        Failure::new(
            FailureKind::Permanent,
            "what is to be counted up is no number",
            "count under a name of its own",
        )
    })
}

fn beyond() -> Failure {
    Failure::new(
        FailureKind::Permanent,
        "the counter would leave 64 bits",
        "count in smaller steps, or begin anew",
    )
}

impl Conditional for Objects {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        Answer::later(async move {
            let client = self.check_bytes(name, &bytes)?;
            let step = |entry: Entry| {
                let there = entry.head.value.map(|value| value.version);
                let holds = match condition {
                    Condition::Absent => there.is_none(),
                    Condition::Present => there.is_some(),
                    Condition::Version(version) => there == Some(version),
                };
                if !holds {
                    return Ok(Step::Leave(None));
                }
                let version = chance::number();
                let head = Head {
                    value: Some(Value::new(version, entry.now, ttl)),
                    lease: None,
                };
                Ok(Step::Put(head, bytes.clone(), Some(version)))
            };
            client.change(name, Part::Head, step).await
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        Answer::later(async move {
            let step = |entry: Entry| {
                Ok(match entry.head.value {
                    Some(value) if value.version == version => Step::Delete(true),
                    _ => Step::Leave(false),
                })
            };
            self.check(name)?.change(name, Part::Head, step).await
        })
    }
}

impl Objects {
    /// Gives a lease, which most names have neither a value nor a lease beside: then it is one write.
    async fn leased(&self, name: &str, token: u64, ttl: Duration) -> Result<Grant, Failure> {
        let client = self.check(name)?;
        client.compares().await?;
        let lease = |now| {
            Some(Lease {
                token,
                until: after(now, Some(ttl)),
            })
        };
        let fresh = Head {
            value: None,
            lease: lease(client.clock.now()),
        };
        let fresh = fresh.written(chance::number());
        match client
            .write(
                &client.keys.entry(name),
                fresh,
                Bytes::new(),
                PutMode::Create,
            )
            .await
        {
            Ok(()) => return Ok(Grant::Granted),
            Err(Undone::Unmet | Undone::Missing) => {}
            Err(Undone::Failed(failure)) => return Err(failure),
        }
        let step = |entry: Entry| {
            if let Some(held) = entry.head.lease.filter(|held| held.token != token) {
                let left = Duration::from_micros(held.until - entry.now);
                return Ok(Step::Leave(Grant::Held(left)));
            }
            let head = Head {
                lease: lease(entry.now),
                ..entry.head
            };
            Ok(Step::Put(head, kept(&entry), Grant::Granted))
        };
        client.change(name, Part::Whole, step).await
    }

    /// Sets under a lease, which ends; whether it was still there.
    pub(crate) async fn put_leased(
        &self,
        name: &str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Result<bool, Failure> {
        let client = self.check_bytes(name, &bytes)?;
        let step = |entry: Entry| {
            if !entry.head.is_held_by(token) {
                return Ok(Step::Leave(false));
            }
            let head = Head {
                value: Some(Value::new(chance::number(), entry.now, ttl)),
                lease: None,
            };
            Ok(Step::Put(head, bytes.clone(), true))
        };
        client.change(name, Part::Head, step).await
    }
}

/// The bytes of an entry that stay: those of a value that is over need not.
fn kept(entry: &Entry) -> Bytes {
    match entry.head.value {
        Some(_) => entry.bytes.clone(),
        None => Bytes::new(),
    }
}

impl Leases for Objects {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        Answer::later(self.leased(name, token, ttl))
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        Answer::later(async move {
            let step = |entry: Entry| {
                if !entry.head.is_held_by(token) {
                    return Ok(Step::Leave(false));
                }
                let until = after(entry.now, Some(ttl));
                let head = Head {
                    lease: Some(Lease { token, until }),
                    ..entry.head
                };
                Ok(Step::Put(head, kept(&entry), true))
            };
            self.check(name)?.change(name, Part::Whole, step).await
        })
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        Answer::later(async move {
            let step = |entry: Entry| {
                if !entry.head.is_held_by(token) {
                    return Ok(Step::Leave(false));
                }
                let head = Head {
                    lease: None,
                    ..entry.head
                };
                Ok(match head.value {
                    Some(_) => Step::Put(head, kept(&entry), true),
                    None => Step::Delete(true),
                })
            };
            self.check(name)?.change(name, Part::Whole, step).await
        })
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        Answer::later(self.put_leased(name, token, bytes, ttl))
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        Answer::later(async move {
            self.client()?;
            let ask = |&(name, token): &'a (&'a str, u64)| self.leased(name, token, ttl).boxed();
            all(names.iter().map(ask).collect()).await
        })
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        Answer::later(async move {
            self.client()?;
            let put = |entry: &'a Leased<'a>| {
                let bytes = entry.bytes.clone();
                self.put_leased(entry.name, entry.token, bytes, entry.ttl)
                    .boxed()
            };
            all(entries.iter().map(put).collect()).await
        })
    }
}

impl Scan for Objects {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        Answer::later(async move {
            let client = self.client()?;
            let begins = client.keys.entries(prefix);
            let (keys, next) = client.page(&begins, after, limit).await?;
            // A list tells no head, and what has expired must not be given.
            let each = keys.iter().map(|key| present(client, key.as_ref()).boxed());
            let names = all(each.collect()).await?;
            Ok(Page {
                names: names.into_iter().flatten().collect(),
                next,
            })
        })
    }
}

/// The name of a key, if it has a value.
async fn present(client: &Client, key: &str) -> Result<Option<String>, Failure> {
    let seen = client.read(key, Part::Head).await?;
    let head = seen.as_ref().and_then(|seen| Head::read(&seen.bytes));
    let is_there = head.is_some_and(|head| head.at(client.clock.now()).value.is_some());
    Ok(client.keys.name(key).filter(|_| is_there))
}

impl Touch for Objects {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        Answer::later(async move {
            let step = |entry: Entry| {
                let Some(old) = entry.head.value else {
                    return Ok(Step::Leave(false));
                };
                let value = Value::new(old.version, entry.now, ttl);
                let head = Head {
                    value: Some(value),
                    ..entry.head
                };
                Ok(Step::Put(head, entry.bytes, true))
            };
            self.check(name)?.change(name, Part::Whole, step).await
        })
    }
}
