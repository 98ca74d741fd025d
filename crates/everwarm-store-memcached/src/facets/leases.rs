//! The right to compute: where nothing is under a name, an item without a value that ends with the lease; else it is appended to what is
//! there. Either changes the server's number of the item, and whatever is written over that number is written under the lease.
//!
//! The number of a lease without a value is remembered, so that the usual way is one trip each: to take it, and to set under it.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Failure, Grant, Leased, Leases};
use futures_util::future::join_all;

use crate::batch::{Batch, Mode, Terms};
use crate::error::{contended, unexpected};
use crate::item::{Clock, HEADER, Item, Kind, LEASE, Lease, MOST_LEASES, flags, header};
use crate::life::{Life, left};
use crate::node::Node;
use crate::replies::{Reply, Written};
use crate::round::{self, Round};
use crate::store::{Memcached, TRIES, given};
use everwarm_network::chance::number;

/// An item that is a lease and nothing else.
fn alone(token: u64) -> [u8; HEADER + LEASE] {
    let lease = Lease {
        ends: Clock::default(),
        token,
    };
    let mut bytes = [0; HEADER + LEASE];
    bytes[..HEADER].copy_from_slice(&header(0, 0, Clock::default()));
    bytes[HEADER..].copy_from_slice(&lease.encode());
    bytes
}

/// What a lease without a value is written with. One that is as long as a date is taken for no lease by anybody.
fn terms(mode: Mode, life: Life) -> Terms {
    Terms {
        mode,
        flags: flags(Kind::Nothing, life.less),
        ends: life.seconds(),
    }
}

/// The life of a lease: a month at most.
fn life_of(ttl: Duration) -> Life {
    const MONTH: Duration = Duration::from_secs(29 * 24 * 60 * 60);
    Life::of(Some(ttl.min(MONTH)))
}

fn wait_for(item: &Item, seconds: u32) -> Grant {
    let less = if item.kind == Kind::Nothing {
        item.less
    } else {
        0
    };
    Grant::Held(left(Some(seconds), less).unwrap_or_default())
}

impl Memcached {
    async fn lease_one(&self, name: &str, token: u64, ttl: Duration) -> Result<Grant, Failure> {
        let node = self.node(name)?;
        let (data, terms) = (alone(token), terms(Mode::Add, life_of(ttl)));
        let round = Round {
            node,
            names: &[name],
            is_alone: true,
        };
        let answers = round.ask(|_, key, batch| batch.set(key, &[&data], terms));
        let answers = answers.await?;
        let answer = answers.first().ok_or_else(|| unexpected("a lease"))?;
        self.leased(node, (name, token), ttl, &answer.reply).await
    }

    /// What came of the usual way; else what is there is looked at.
    async fn leased(
        &self,
        node: &Node,
        (name, token): (&str, u64),
        ttl: Duration,
        reply: &Reply,
    ) -> Result<Grant, Failure> {
        if reply.written()? == Written::Done {
            node.note_lease(name, token, Some(reply.cas));
            return Ok(Grant::Granted);
        }
        for _ in 0..TRIES {
            let (key, item, now) = self.look_with_clock(node, name).await?;
            if let Some(item) = &item
                && let Some((holder, seconds)) = item.held(now)
                && holder != token
            {
                return Ok(wait_for(item, seconds));
            }
            if self
                .hold(node, (name, token), ttl, (&key, item.as_ref(), now))
                .await?
            {
                return Ok(Grant::Granted);
            }
        }
        Err(contended())
    }

    /// Makes somebody hold the lease, if what was looked at is still there; whether it was.
    async fn hold(
        &self,
        node: &Node,
        (name, token): (&str, u64),
        ttl: Duration,
        (key, item, now): (&[u8], Option<&Item>, Clock),
    ) -> Result<bool, Failure> {
        let life = life_of(ttl);
        let Some(item) = item.filter(|item| item.is_there()) else {
            let mode = item.map_or(Mode::Add, |item| Mode::Over(item.cas));
            let data = alone(token);
            let terms = terms(mode, life);
            let reply = round::one(node, |batch| batch.set(key, &[&data], terms)).await?;
            let is_done = reply.written()? == Written::Done;
            node.note_lease(name, token, is_done.then_some(reply.cas));
            return Ok(is_done);
        };
        let lease = Lease {
            ends: now.after(life.seconds()),
            token,
        };
        append(node, key, item, lease).await
    }

    /// What is under a name, if its lease is of this token.
    async fn look_at_own(
        &self,
        node: &Node,
        name: &str,
        token: u64,
    ) -> Result<Option<(Vec<u8>, Item, Clock)>, Failure> {
        let (key, item, now) = self.look_with_clock(node, name).await?;
        let own = item.filter(|item| item.held(now).is_some_and(|(holder, _)| holder == token));
        Ok(own.map(|item| (key, item, now)))
    }

    /// What is done over the write that is remembered as this lease, in one trip; None if there is none, or it is not that any more.
    async fn over_remembered(
        &self,
        node: &Node,
        (name, token): (&str, u64),
        write: impl Fn(&[u8], u64, &mut Batch) + Send + Sync,
    ) -> Result<Option<Reply>, Failure> {
        let Some(cas) = node.lease(name, token) else {
            return Ok(None);
        };
        let round = Round {
            node,
            names: &[name],
            is_alone: true,
        };
        let answers = round.ask(|_, key, batch| write(key, cas, batch)).await?;
        let reply = answers.into_iter().next().map(|answer| answer.reply);
        let reply = reply.ok_or_else(|| unexpected("a lease"))?;
        let is_done = reply.written()? == Written::Done;
        Ok(is_done.then_some(reply))
    }

    async fn renew_one(&self, name: &str, token: u64, ttl: Duration) -> Result<bool, Failure> {
        let node = self.node(name)?;
        let (data, life) = (alone(token), life_of(ttl));
        let renewed = self.over_remembered(node, (name, token), |key, cas, batch| {
            batch.set(key, &[&data], terms(Mode::Over(cas), life));
        });
        if let Some(reply) = renewed.await? {
            node.note_lease(name, token, Some(reply.cas));
            return Ok(true);
        }
        for _ in 0..TRIES {
            let Some((key, item, now)) = self.look_at_own(node, name, token).await? else {
                node.note_lease(name, token, None);
                return Ok(false);
            };
            if self
                .hold(node, (name, token), ttl, (&key, Some(&item), now))
                .await?
            {
                return Ok(true);
            }
        }
        Err(contended())
    }

    async fn release_one(&self, name: &str, token: u64) -> Result<bool, Failure> {
        let node = self.node(name)?;
        let released = self.over_remembered(node, (name, token), |key, cas, batch| {
            batch.delete(key, Some(cas));
        });
        let released = released.await?;
        node.note_lease(name, token, None);
        if released.is_some() {
            return Ok(true);
        }
        for _ in 0..TRIES {
            let Some((key, item, _)) = self.look_at_own(node, name, token).await? else {
                return Ok(false);
            };
            let is_done = if item.is_there() {
                let nobody = Lease {
                    ends: Clock::default(),
                    token: 0,
                };
                append(node, &key, &item, nobody).await?
            } else {
                let reply = round::one(node, |batch| batch.delete(&key, Some(item.cas))).await?;
                reply.written()? == Written::Done
            };
            if is_done {
                return Ok(true);
            }
        }
        Err(contended())
    }

    async fn set_leased_one(&self, entry: &Leased<'_>) -> Result<bool, Failure> {
        let (name, token) = (entry.name, entry.token);
        let node = self.node(name)?;
        self.fits(&entry.bytes)?;
        let head = header(number(), entry.bytes.len(), Clock::default());
        let terms = self
            .terms(node, (Mode::Set, Kind::Value), Life::of(entry.ttl))
            .await?;
        let over = |cas| Terms {
            mode: Mode::Over(cas),
            ..terms
        };
        let parts: [&[u8]; 2] = [&head, &entry.bytes];
        let set = self.over_remembered(node, (name, token), |key, cas, batch| {
            batch.set(key, &parts, over(cas));
        });
        let set = set.await?;
        node.note_lease(name, token, None);
        if set.is_some() {
            return Ok(true);
        }
        for _ in 0..TRIES {
            let Some((key, item, _)) = self.look_at_own(node, name, token).await? else {
                return Ok(false);
            };
            let terms = over(item.cas);
            let reply = round::one(node, |batch| batch.set(&key, &parts, terms)).await?;
            if reply.written()? == Written::Done {
                return Ok(true);
            }
        }
        Err(contended())
    }

    /// Sets under many leases: those that are remembered in one trip to each server, what is left of them one by one.
    async fn set_leased_all(&self, entries: &[Leased<'_>]) -> Result<Vec<bool>, Failure> {
        let mut writes = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let node = self.node(entry.name)?;
            self.fits(&entry.bytes)?;
            if let Some(cas) = node.lease(entry.name, entry.token) {
                let life = Life::of(entry.ttl);
                let terms = self
                    .terms(node, (Mode::Over(cas), Kind::Value), life)
                    .await?;
                let head = header(number(), entry.bytes.len(), Clock::default());
                writes.push((at, head, terms));
            }
        }
        let names: Vec<&str> = writes.iter().map(|&(at, ..)| entries[at].name).collect();
        let said = self.ask_all(&names, |place, key, batch| {
            let (at, head, terms) = &writes[place];
            batch.set(key, &[head, &entries[*at].bytes], *terms);
        });
        let mut set = vec![false; entries.len()];
        for (&(at, ..), answer) in writes.iter().zip(said.await?) {
            set[at] = answer?.reply.written()? == Written::Done;
            if set[at] {
                let entry = &entries[at];
                self.node(entry.name)?
                    .note_lease(entry.name, entry.token, None);
            }
        }
        for (entry, set) in entries.iter().zip(&mut set) {
            if !*set {
                *set = self.set_leased_one(entry).await?;
            }
        }
        Ok(set)
    }

    async fn lease_all(
        &self,
        wanted: &[(&str, u64)],
        ttl: Duration,
    ) -> Result<Vec<Grant>, Failure> {
        let names: Vec<&str> = wanted.iter().map(|&(name, _)| name).collect();
        let terms = terms(Mode::Add, life_of(ttl));
        let said = self.ask_all(&names, |at, key, batch| {
            batch.set(key, &[&alone(wanted[at].1)], terms);
        });
        let said = said.await?;
        let grants = wanted
            .iter()
            .zip(&said)
            .map(|(&wanted, answer)| async move {
                let answer = answer.as_ref().map_err(Clone::clone)?;
                self.leased(self.node(wanted.0)?, wanted, ttl, &answer.reply)
                    .await
            });
        join_all(grants).await.into_iter().collect()
    }
}

/// Appends a lease to what is under a key, if that is what was looked at; whether it was. What has too many of them is written anew.
async fn append(node: &Node, key: &[u8], item: &Item, lease: Lease) -> Result<bool, Failure> {
    let lease = lease.encode();
    let terms = Terms {
        mode: Mode::Behind(item.cas),
        flags: 0,
        ends: 0,
    };
    let reply = if item.leases < MOST_LEASES {
        round::one(node, |batch| batch.set(key, &[&lease], terms)).await?
    } else {
        let value = item.value();
        let head = header(item.version, value.len(), item.ends);
        let terms = Terms {
            mode: Mode::Over(item.cas),
            flags: flags(item.kind, item.less),
            ends: item.life().seconds(),
        };
        round::one(node, |batch| {
            batch.set(key, &[&head, &value, &lease], terms)
        })
        .await?
    };
    Ok(reply.written()? == Written::Done)
}

impl Leases for Memcached {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        given(self.lease_one(name, token, ttl))
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        given(self.renew_one(name, token, ttl))
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        given(self.release_one(name, token))
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        given(async move {
            let entry = Leased {
                name,
                token,
                bytes,
                ttl,
            };
            self.set_leased_one(&entry).await
        })
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        given(self.lease_all(names, ttl))
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        given(self.set_leased_all(entries))
    }
}
