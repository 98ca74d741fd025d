//! The shared store's server: its steps, each done at once, by core's rules of leases and shards.

use std::collections::BTreeMap;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::lease::{Lease, Request, reply};
use everwarm_core::mark::{Mark, Reading, Tag, valid};
use everwarm_core::shard::{Shard, enter};
use everwarm_core::store::{Bytes, Condition, Found, Grant, Message, Settled};

use crate::fault::Fault;
use crate::history::{Computation, Value};

/// A server and what it keeps. A clone is what a replica has.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Its run: another one after each failover.
    pub(crate) run: u64,
    fault: Option<Fault>,
    items: BTreeMap<String, Item>,
    leases: BTreeMap<String, Lease>,
    shard: Option<Shard>,
    markers: BTreeMap<Tag, Mark>,
    epochs: u64,
    /// How many writes there were: each has its number.
    writes: u64,
    /// What is to be sent to who listens.
    pub(crate) outbox: Vec<Sent>,
    /// The writes of what was computed or depends on what is there: what was written, and in place of what.
    pub(crate) settled: Vec<(Computation, Option<Computation>)>,
}

#[derive(Clone, Debug)]
struct Item {
    bytes: Bytes,
    until: Instant,
    version: u64,
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) by: u64,
    pub(crate) mark: Mark,
    pub(crate) message: Message,
}

/// Who asks, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// The connection.
    pub(crate) by: u64,
    /// The server's time.
    pub(crate) now: Instant,
    /// What the caller takes for the time.
    pub(crate) wall: Instant,
}

impl Server {
    /// An empty one.
    #[must_use]
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self {
            run: 1,
            fault,
            items: BTreeMap::new(),
            leases: BTreeMap::new(),
            shard: None,
            markers: BTreeMap::new(),
            epochs: 0,
            writes: 0,
            outbox: Vec::new(),
            settled: Vec::new(),
        }
    }

    /// Loses everything.
    pub(crate) fn restart(&mut self) {
        let Self { epochs, writes, .. } = *self;
        *self = Self {
            run: self.run + 1,
            epochs,
            writes,
            ..Self::new(self.fault)
        };
    }

    /// The replica takes over.
    pub(crate) fn fail_over(&mut self, replica: Self) {
        *self = Self {
            run: self.run + 1,
            writes: self.writes,
            outbox: Vec::new(),
            settled: Vec::new(),
            ..replica
        };
    }

    pub(crate) fn lose_markers(&mut self) {
        self.markers.clear();
    }

    /// The shard at the beginning of a step.
    fn enter(&mut self) -> &mut Shard {
        if self.shard.is_none() {
            self.epochs += 1;
        }
        if self.fault == Some(Fault::FailoverWithoutJump)
            && let Some(shard) = &mut self.shard
        {
            shard.server = self.run;
        }
        // As good as random: no server gives one twice, nor one that another gave.
        let epoch = 1_000 * self.run + self.epochs;
        self.shard.insert(enter(self.shard, self.run, 0, epoch))
    }

    /// The reading of the shard.
    pub(crate) fn mark(&mut self) -> Mark {
        self.enter().mark
    }

    fn tell(&mut self, caller: Caller, message: impl FnOnce(Mark) -> Message) -> Mark {
        let mark = self.enter().advance();
        let message = message(mark);
        self.outbox.push(Sent {
            by: caller.by,
            mark,
            message,
        });
        mark
    }

    /// A stamp or marker of this moment.
    fn number(&self, caller: Caller, mark: Mark) -> Mark {
        match self.fault {
            Some(Fault::WallClocks) => Mark {
                number: caller.wall.as_nanos() / 1_000_000,
                ..mark
            },
            _ => mark,
        }
    }

    fn lease(&mut self, name: &str, token: u64, request: Request, now: Instant) -> Grant {
        let (lease, said) = reply(self.leases.get(name).copied(), token, request, now);
        match lease {
            Some(lease) => self.leases.insert(name.to_owned(), lease),
            None => self.leases.remove(name),
        };
        said
    }

    pub(crate) fn get(&self, name: &str, now: Instant) -> Option<Found> {
        let item = self.items.get(name).filter(|item| item.until > now)?;
        Some(Found {
            bytes: item.bytes.clone(),
            remaining: (item.until != Instant::NEVER).then(|| item.until.since(now)),
            version: item.version,
        })
    }

    fn put(&mut self, name: &str, bytes: Bytes, ttl: Option<Duration>, now: Instant) {
        self.writes += 1;
        let item = Item {
            bytes,
            until: ttl.map_or(Instant::NEVER, |ttl| now.after(ttl)),
            version: self.writes,
        };
        self.items.insert(name.to_owned(), item);
    }

    /// Takes note that these bytes are about to take the place of what is there.
    fn note(&mut self, name: &str, bytes: &Bytes, now: Instant) {
        let before = self.get(name, now);
        let before = before.and_then(|found| Value::of_envelope(&found.bytes));
        if let Some(value) = Value::of_envelope(bytes) {
            self.settled
                .push((value.computation, before.map(|before| before.computation)));
        }
    }

    pub(crate) fn set(&mut self, name: &str, bytes: Bytes, ttl: Option<Duration>, caller: Caller) {
        self.put(name, bytes, ttl, caller.now);
        self.lease(name, 0, Request::Overwrite, caller.now);
        self.tell(caller, |_| Message::Key(name.into()));
    }

    /// Sets if the condition holds; the number of the write.
    pub(crate) fn set_if(
        &mut self,
        name: &str,
        (bytes, ttl): (Bytes, Option<Duration>),
        condition: Condition,
        caller: Caller,
    ) -> Option<u64> {
        let there = self.get(name, caller.now).map(|found| found.version);
        let holds = match condition {
            Condition::Absent => there.is_none(),
            Condition::Present => there.is_some(),
            Condition::Version(version) => there == Some(version),
        };
        if !holds && self.fault != Some(Fault::CarelessSet) {
            return None;
        }
        self.note(name, &bytes, caller.now);
        self.set(name, bytes, ttl, caller);
        Some(self.writes)
    }

    /// Deletes if the write of this number is there; whether it was.
    pub(crate) fn delete_if(&mut self, name: &str, version: u64, caller: Caller) -> bool {
        let there = self.get(name, caller.now).map(|found| found.version);
        there == Some(version) && self.delete(name, caller)
    }

    pub(crate) fn delete(&mut self, name: &str, caller: Caller) -> bool {
        let was = self.get(name, caller.now).is_some();
        self.items.remove(name);
        self.lease(name, 0, Request::Overwrite, caller.now);
        self.tell(caller, |_| Message::Key(name.into()));
        was
    }

    pub(crate) fn clear(&mut self, prefix: &str, caller: Caller) -> u64 {
        let before = self.items.len();
        self.items.retain(|name, _| !name.starts_with(prefix));
        self.leases.retain(|name, _| !name.starts_with(prefix));
        self.tell(caller, |_| Message::Clear(prefix.into()));
        (before - self.items.len()) as u64
    }

    pub(crate) fn take(&mut self, name: &str, token: u64, ttl: Duration, caller: Caller) -> Grant {
        match self.fault {
            Some(Fault::SharedLease) => Grant::Granted,
            _ => self.lease(name, token, Request::Take(ttl), caller.now),
        }
    }

    pub(crate) fn holds(
        &mut self,
        name: &str,
        token: u64,
        request: Request,
        caller: Caller,
    ) -> bool {
        self.lease(name, token, request, caller.now) == Grant::Granted
    }

    fn marker(&self, tag: &Tag, shard: Mark) -> Option<Mark> {
        let there = self.markers.get(tag).copied();
        match self.fault {
            Some(Fault::LostMarkerCounts) => there.or(Some(Mark { number: 0, ..shard })),
            _ => there,
        }
    }

    /// The markers of tags, made where there are none.
    fn ensure(&mut self, tags: &[Tag], caller: Caller) -> Reading {
        let shard = *self.enter();
        let mark = self.number(caller, shard.mark);
        let here = Shard { mark, ..shard };
        for tag in tags {
            let marker = here.marker(self.marker(tag, shard.mark));
            self.markers.insert(*tag, marker);
        }
        Reading {
            shards: vec![mark],
            markers: tags
                .iter()
                .map(|tag| self.markers.get(tag).copied())
                .collect(),
        }
    }

    pub(crate) fn begin(&mut self, tags: &[Tag], caller: Caller) -> Reading {
        self.ensure(tags, caller)
    }

    pub(crate) fn read(&mut self, tags: &[Tag], caller: Caller) -> Reading {
        let shard = self.enter().mark;
        Reading {
            shards: vec![self.number(caller, shard)],
            markers: tags.iter().map(|tag| self.marker(tag, shard)).collect(),
        }
    }

    pub(crate) fn invalidate(&mut self, tags: &[Tag], caller: Caller) -> Reading {
        for tag in tags {
            let mark = self.tell(caller, |marker| Message::Tag {
                namespace: crate::node::NAMESPACE.into(),
                tag: *tag,
                marker,
            });
            let marker = self.number(caller, mark);
            if let Some(Sent {
                message: Message::Tag { marker: told, .. },
                ..
            }) = self.outbox.last_mut()
            {
                *told = marker;
            }
            if let Some(there) = self.markers.get_mut(tag) {
                *there = marker;
            }
        }
        self.read(tags, caller)
    }

    pub(crate) fn settle(&mut self, computed: &Settling, caller: Caller) -> Settled {
        let name = &*computed.name;
        if let Some(token) = computed.token
            && self.fault != Some(Fault::LateSet)
        {
            let lease = self.leases.get(name).copied();
            if reply(lease, token, Request::Settle, caller.now).1 != Grant::Granted {
                return Settled::Lost;
            }
        }
        let reading = self.ensure(&computed.tags, caller);
        if !valid(&computed.stamps, reading.markers) {
            return Settled::Overtaken;
        }
        self.note(name, &computed.bytes, caller.now);
        self.lease(
            name,
            computed.token.unwrap_or(0),
            Request::Settle,
            caller.now,
        );
        self.put(name, computed.bytes.clone(), computed.ttl, caller.now);
        Settled::Stored
    }
}

/// A computed value on its way in.
#[derive(Clone, Debug)]
pub(crate) struct Settling {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    pub(crate) ttl: Option<Duration>,
    pub(crate) token: Option<u64>,
    pub(crate) stamps: Vec<Mark>,
    pub(crate) tags: Vec<Tag>,
}
