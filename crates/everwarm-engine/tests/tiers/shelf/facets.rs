//! What the store for tests can do besides.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{
    Answer, Bytes, Computed, Condition, Conditional, Found, Generations, Grant, Leased, Leases,
    Message, Messages, Notify, Page, Scan, Settled,
};

use super::Shelf;

impl Conditional for Shelf {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        let careless = self.faults.lock().expect("no panic").careless;
        self.step("set_if", move |boards, now| {
            let there = boards.there(name, now).map(|item| item.version);
            let holds = match condition {
                Condition::Absent => there.is_none(),
                Condition::Present => there.is_some(),
                Condition::Version(version) => there == Some(version),
            } || careless;
            holds.then(|| {
                boards.tell(self.number, Message::Key(name.into()));
                boards.put(name, bytes, ttl, now)
            })
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        self.step("delete_if", move |boards, now| {
            let holds = boards
                .there(name, now)
                .is_some_and(|item| item.version == version);
            if holds {
                boards.items.remove(name);
                boards.leases.remove(name);
                boards.tell(self.number, Message::Key(name.into()));
            }
            holds
        })
    }
}

impl Leases for Shelf {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        self.step("lease", move |boards, now| {
            boards.lease((name, token), ttl, now)
        })
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        self.step("lease_many", move |boards, now| {
            let names = names.iter();
            names.map(|&wish| boards.lease(wish, ttl, now)).collect()
        })
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        let lax = self.is_lax();
        self.step("set_leased_many", move |boards, now| {
            let set = |entry: &Leased<'_>| {
                let holds = lax || boards.holds(entry.name, entry.token, now);
                if holds {
                    boards.put(entry.name, entry.bytes.clone(), entry.ttl, now);
                }
                holds
            };
            entries.iter().map(set).collect()
        })
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        self.step("renew", move |boards, now| {
            let holds = boards.holds(name, token, now);
            if holds {
                boards
                    .leases
                    .insert(name.to_owned(), (token, now.after(ttl)));
            }
            holds
        })
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        self.step("release", move |boards, now| {
            let holds = boards.holds(name, token, now);
            if holds {
                boards.leases.remove(name);
            }
            holds
        })
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        let lax = self.is_lax();
        self.step("set_leased", move |boards, now| {
            let holds = lax || boards.holds(name, token, now);
            if holds {
                boards.put(name, bytes, ttl, now);
            }
            holds
        })
    }
}

impl Scan for Shelf {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.step("page", move |boards, now| {
            let all = boards.items.iter().filter(|(_, item)| item.expires > now);
            let names = all.map(|(name, _)| name).filter(|name| {
                name.starts_with(prefix) && after.is_none_or(|after| name.as_str() > after)
            });
            let names: Vec<String> = names.take(limit).cloned().collect();
            let next = (names.len() == limit)
                .then(|| names.last().cloned())
                .flatten();
            Page { names, next }
        })
    }
}

impl Generations for Shelf {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        _: Option<Duration>,
    ) -> Answer<'a, Reading> {
        self.step("begin", move |boards, _| boards.ensure(namespace, tags))
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.step("read", move |boards, _| {
            self.echo(boards.read(namespace, tags), |faults| {
                &mut faults.first_reading
            })
        })
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        self.step("get_with", move |boards, now| {
            (boards.found(name, now), boards.read(namespace, tags))
        })
    }

    fn counts_writes(&self) -> bool {
        self.boards().counts
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.step("invalidate", move |boards, _| {
            for tag in tags {
                let mut marker = boards.shard();
                marker.number += 1;
                boards.shard = Some((marker.epoch, marker.number));
                boards.markers.insert((namespace.to_owned(), *tag), marker);
                let message = Message::Tag {
                    namespace: namespace.into(),
                    tag: *tag,
                    marker,
                };
                boards.tell(self.number, message);
            }
            boards.read(namespace, tags)
        })
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        let lax = self.is_lax();
        self.step("settle", move |boards, now| {
            boards.settle(&computed, now, lax)
        })
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        let lax = self.is_lax();
        self.step("settle_many", move |boards, now| {
            let computed = computed.iter();
            computed
                .map(|computed| boards.settle(computed, now, lax))
                .collect()
        })
    }
}

impl Notify for Shelf {
    fn change(&self) -> u64 {
        self.boards().log.len() as u64
    }

    fn silence(&self) -> Duration {
        self.faults.lock().expect("no panic").silence
    }

    fn failovers(&self) -> u64 {
        self.boards().failovers
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        self.step("messages", move |boards, _| {
            let since = &boards.log[after as usize..];
            let lost = Message::Clear("\0lost".into());
            let others = since.iter().filter(|(store, _)| *store != self.number);
            let messages: Vec<Message> = others.map(|(_, message)| message.clone()).collect();
            let gap = messages.contains(&lost);
            Messages {
                messages: messages
                    .into_iter()
                    .filter(|message| *message != lost)
                    .collect(),
                up_to: boards.log.len() as u64,
                gap,
            }
        })
    }
}
