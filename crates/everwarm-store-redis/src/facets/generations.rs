//! The authority of a stack: shards whose every step is a script on the server.
//!
//! What only reads is no script, since those are dear: one command reads the entry, the shard and its markers. On a cluster
//! the shards of a namespace lie in several slots, and are asked at the same time; each step is atomic on its own shard, and stamps
//! and markers are compared by shard.

use std::time::Duration;

use everwarm_core::mark::{Mark, Reading, Tag, valid};
use everwarm_core::store::{Answer, Computed, Entry, Failure, Found, Generations, Settled};

use crate::entry::{found_at, millis};
use crate::error::unexpected;
use crate::keys::{Keys, Shard};
use crate::link::Timed;
use crate::lots::Lot;
use crate::markers::{Part, Parts, Read, read_by_steps, shard_in};
use crate::mending::InSlot;
use crate::packed::{Packed, Words};
use crate::request::Request;
use crate::script::{Argument, script};
use crate::store::{Redis, given};
use crate::value::Value;

script!(
    /// The reading as it is, by the server's clock.
    PEEK = "now.lua", "shard.lua", "marker.lua", "peek.lua"
);
script!(
    /// Invalidates, and suspends or resumes besides.
    STRIKE = "now.lua", "shard.lua", "marker.lua", "strike.lua"
);
script!(
    /// Stores what was computed.
    SETTLE = "now.lua", "put.lua", "shard.lua", "waiters.lua", "marker.lua", "settle.lua"
);

impl Generations for Redis {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        given(async move {
            let begun = self.begin_all(namespace, tags, keep).await;
            self.mended(begun, || self.kept((namespace, tags), []))
                .await
        })
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        given(async move {
            let read = self.read_all(namespace, tags).await;
            self.mended(read, || self.kept((namespace, tags), [])).await
        })
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        let prepared = self.prepared(&[name], namespace, tags);
        given(async move {
            let got = match prepared {
                Some(prepared) => self.get_prepared(prepared, (namespace, tags)).await,
                None => Box::pin(self.get_with_all(name, namespace, tags)).await,
            };
            self.mended(got, || self.kept((namespace, tags), [name]))
                .await
        })
    }

    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        let prepared = self.prepared(names, namespace, tags);
        given(async move {
            let got = match prepared {
                Some(prepared) => {
                    let count = names.len();
                    self.get_many_prepared(count, prepared, (namespace, tags))
                        .await
                }
                None => Box::pin(self.get_many_with_all(names, namespace, tags)).await,
            };
            let names = names.iter().copied();
            self.mended(got, || self.kept((namespace, tags), names))
                .await
        })
    }

    fn counts_writes(&self) -> bool {
        true
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        given(self.strike(namespace, tags, ("", 0)))
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        given(async move {
            let one = std::slice::from_ref(&computed);
            let settled = self.settle_all(one).await;
            let settled = self.mended(settled, || self.kept_of(one)).await?;
            let first = settled.into_iter().next();
            first.ok_or_else(|| unexpected("a step on a shard"))
        })
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        given(async move {
            let settled = self.settle_all(computed).await;
            self.mended(settled, || self.kept_of(computed)).await
        })
    }

    fn recall(&self, namespace: &str, tags: &[Tag], keep: Option<Duration>) -> Option<Vec<Mark>> {
        self.recalled.stamps((namespace, tags), keep)
    }

    fn set_with<'a>(
        &'a self,
        entries: &'a [Entry<'a>],
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        given(async move {
            let set = self.set_all_with(entries, (namespace, tags, keep)).await;
            let names = entries.iter().map(|entry| entry.name);
            self.mended(set, || self.kept((namespace, tags), names))
                .await
        })
    }
}

impl Redis {
    /// The tags by shards, in a namespace that is listened to from here on.
    pub(crate) fn parts<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Parts<'a> {
        let parts = Parts::new(self.layout, &self.hearing().teller, (namespace, tags));
        self.attend(&parts.space);
        parts
    }

    /// The keys of what is known of these values beside their entries.
    fn kept_of(&self, computed: &[Computed<'_>]) -> Vec<InSlot> {
        let of = |one: &Computed<'_>| self.kept((one.namespace, one.tags), [one.name]);
        computed.iter().flat_map(of).collect()
    }

    async fn read_all(&self, namespace: &str, tags: &[Tag]) -> Result<Reading, Failure> {
        let parts = self.parts(namespace, tags);
        let asked = parts.all.iter().map(Part::read_alone);
        let replies = self.link.ask(&asked.collect::<Vec<_>>()).await?;
        self.made_clear(&parts, replies).await
    }

    async fn get_with_all(
        &self,
        name: &str,
        namespace: &str,
        tags: &[Tag],
    ) -> Result<(Option<Found>, Reading), Failure> {
        let mut parts = self.parts(namespace, tags);
        let keys = self.keys(name)?;
        // What lies in the entry's shard is read with it, by one command.
        let own = parts
            .all
            .iter()
            .position(|part| part.shard.slot == keys.slot);
        if let Some(own) = own {
            parts.all.swap(0, own);
        }
        let mut with_entry = Words::default();
        with_entry.add(&[&keys.entry]);
        let rest = match (own, parts.all.first()) {
            (Some(_), Some(part)) => {
                part.add_keys(&mut with_entry);
                1
            }
            _ => 0,
        };
        let alone = (rest == 0).then(|| self.layout.shard_of_name(name));
        if let Some(shard) = &alone {
            with_entry.add(&[&shard.key]);
        }
        let mut read = Packed::default();
        read.written("MGET", &with_entry);
        let mut asked = vec![Request::read(keys.slot, read)];
        asked.extend(parts.all[rest..].iter().map(Part::read_alone));
        let mut replies = self.link.read(&asked).await?.into_iter();
        let first = replies.next().ok_or_else(|| unexpected("a read"))??;
        let Timed { value, moment } = first;
        let replies = replies.map(|reply| Ok(reply?.value));
        let mut there = match value {
            Value::Array(there) if there.len() == with_entry.count() => there,
            _ => return Err(unexpected("a read")),
        };
        let behind = there.split_off(1);
        let entry = there.swap_remove(0);
        let Some(shard) = alone else {
            let own = std::iter::once(Ok(Value::Array(behind)));
            let reading = self.made_clear(&parts, own.chain(replies)).await?;
            return Ok((found_at(entry, moment)?, reading));
        };
        let mut reading = self.made_clear(&parts, replies).await?;
        let read = behind.first().ok_or_else(|| unexpected("a read"))?;
        // What lies in a shard that is not there is a miss.
        let Some(mark) = shard_in(read, &shard)? else {
            return Ok((None, reading));
        };
        reading.shards.push(mark);
        Ok((found_at(entry, moment)?, reading))
    }

    async fn get_many_with_all(
        &self,
        names: &[&str],
        namespace: &str,
        tags: &[Tag],
    ) -> Result<(Vec<Option<Found>>, Reading), Failure> {
        let parts = self.parts(namespace, tags);
        let mut lots = self.lots(names)?;
        // Where entries of the same slot are read, the last of them bring it along.
        let with: Vec<_> = parts
            .all
            .iter()
            .map(|part| {
                lots.iter()
                    .rposition(|lot| lot.shard.slot == part.shard.slot)
            })
            .collect();
        for lot in &mut lots {
            lot.keys.add(&[&lot.shard.key]);
        }
        for (part, with) in parts.all.iter().zip(&with) {
            if let Some(lot) = with {
                part.add_keys(&mut lots[*lot].keys);
            }
        }
        let mut asked: Vec<_> = lots.iter().map(Lot::request).collect();
        let alone = parts.all.iter().zip(&with);
        let alone = alone.filter(|(_, with)| with.is_none());
        asked.extend(alone.map(|(part, _)| part.read_alone()));
        let mut replies = self.link.read(&asked).await?;
        let mut alone = replies.split_off(lots.len()).into_iter();
        let mut all = vec![None; names.len()];
        let mut behind = Vec::with_capacity(lots.len());
        let mut shards = Vec::with_capacity(lots.len());
        for (lot, reply) in lots.iter().zip(replies) {
            let (shard, rest) = lot.take_with_shard(reply?, &mut all)?;
            shards.extend(shard);
            behind.push(rest);
        }
        let mut markers = Vec::with_capacity(with.len());
        for (part, with) in parts.all.iter().zip(&with) {
            markers.push(match with {
                Some(lot) => {
                    let there = behind[*lot].by_ref().take(part.key_count());
                    Ok(Value::Array(there.collect()))
                }
                None => match alone.next() {
                    Some(read) => read.map(|read| read.value),
                    None => Err(unexpected("a read of markers")),
                },
            });
        }
        let mut reading = self.made_clear(&parts, markers).await?;
        // Those of lots that were read before the last one among them: nothing that came with it is older.
        reading.shards.extend(shards);
        Ok((all, reading))
    }

    /// The reading that was read, once it is known what the suspended tags in it are worth.
    pub(crate) async fn made_clear(
        &self,
        parts: &Parts<'_>,
        replies: impl IntoIterator<Item = Result<Value, Failure>>,
    ) -> Result<Reading, Failure> {
        let mut read = Vec::with_capacity(parts.all.len());
        for (part, reply) in parts.all.iter().zip(replies) {
            let Value::Array(replies) = reply? else {
                return Err(unexpected("a read of markers"));
            };
            read.push(match part.of_read(&replies)? {
                Read::Unclear => {
                    let step = parts.step(part, &PEEK, (self.opening(&part.shard), &[]));
                    part.of_step(&self.link.ask_one(step).await?)?
                }
                clear => clear,
            });
        }
        Ok(parts.reading(read))
    }

    /// Invalidates tags; `besides` says whether they are suspended, for so many milliseconds, or resumed.
    pub(super) async fn strike(
        &self,
        namespace: &str,
        tags: &[Tag],
        (besides, span): (&str, i64),
    ) -> Result<Reading, Failure> {
        let parts = self.parts(namespace, tags);
        let given = [besides.into(), span.into()];
        let step = |part: &Part<'_>| {
            let opening = self.opening(&part.shard);
            parts.step(part, &STRIKE, (opening, &given))
        };
        let asked: Vec<_> = parts.all.iter().map(step).collect();
        let replies = self.link.ask(&asked).await?;
        let read = read_by_steps(&parts, replies);
        let read = self.mended(read, || self.kept((namespace, tags), []));
        Ok(parts.reading(read.await?))
    }

    async fn settle_all(&self, computed: &[Computed<'_>]) -> Result<Vec<Settled>, Failure> {
        let mut settling = Vec::with_capacity(computed.len());
        for one in computed {
            settling.push(Settling::new(self, one)?);
        }
        self.look_elsewhere(&mut settling).await?;
        let left = settling.iter().filter(|one| !one.is_overtaken);
        let asked: Result<Vec<_>, _> = left.map(|one| one.request(self)).collect();
        let mut replies = self.link.ask(&asked?).await?.into_iter();
        let mut settled = Vec::with_capacity(settling.len());
        for one in &settling {
            settled.push(if one.is_overtaken {
                Settled::Overtaken
            } else {
                let said = replies
                    .next()
                    .ok_or_else(|| unexpected("a step on a shard"))??;
                settled_as(&said)?
            });
        }
        Ok(settled)
    }

    /// Looks at the tags that lie in other shards than their entries.
    async fn look_elsewhere(&self, settling: &mut [Settling<'_>]) -> Result<(), Failure> {
        let steps = settling
            .iter()
            .map(|one| self.beginning(&one.elsewhere, one.computed.ttl));
        let (mut asked, mut counts) = (Vec::new(), Vec::new());
        for steps in steps {
            counts.push(steps.len());
            asked.extend(steps);
        }
        if asked.is_empty() {
            return Ok(());
        }
        let mut replies = self.link.ask(&asked).await?.into_iter();
        for (one, count) in settling.iter_mut().zip(counts) {
            for (part, reply) in one.elsewhere.all.iter().zip(replies.by_ref().take(count)) {
                if let Read::There(_, markers) = part.of_step(&reply?)? {
                    one.is_overtaken |= !valid(one.computed.stamps, markers);
                }
            }
        }
        Ok(())
    }
}

/// A computed value on its way.
struct Settling<'a> {
    computed: &'a Computed<'a>,
    keys: Keys,
    /// The entry's shard.
    own: Shard,
    /// The tags in the entry's shard.
    here: Option<Part<'a>>,
    elsewhere: Parts<'a>,
    is_overtaken: bool,
}

impl<'a> Settling<'a> {
    fn new(store: &'a Redis, computed: &'a Computed<'a>) -> Result<Self, Failure> {
        let mut elsewhere = store.parts(computed.namespace, computed.tags);
        let own = store.layout.shard_of_name(computed.name);
        Ok(Self {
            keys: store.keys(computed.name)?,
            here: elsewhere.take(&own),
            own,
            computed,
            elsewhere,
            is_overtaken: false,
        })
    }

    fn request(&self, store: &Redis) -> Result<Request, Failure> {
        let (computed, own, keys) = (self.computed, &self.own, &self.keys);
        let mut keys = vec![own.key.clone(), keys.entry.clone(), keys.lease.clone()];
        let mut arguments = store.opening(own).to_vec();
        let token = computed
            .token
            .map_or_else(String::new, |token| token.to_string());
        let stamp = computed
            .stamps
            .iter()
            .find(|stamp| stamp.shard == own.number);
        let stamp = stamp.map_or_else(String::new, |stamp| {
            format!("{} {}", stamp.epoch, stamp.number)
        });
        let keep = millis(computed.ttl);
        arguments.extend::<[Argument; 3]>([keep.into(), token.into(), stamp.into()]);
        let (written, _) = store.written(computed.bytes.clone(), computed.ttl)?;
        arguments.extend(written);
        if let Some(here) = &self.here {
            keys.extend(here.markers());
            arguments.extend(self.elsewhere.told(here));
        }
        Ok(Request::script(self.keys.slot, &SETTLE, keys, arguments))
    }
}

fn settled_as(said: &Value) -> Result<Settled, Failure> {
    match said.text() {
        Some("stored") => Ok(Settled::Stored),
        Some("lost") => Ok(Settled::Lost),
        Some("overtaken") => Ok(Settled::Overtaken),
        _ => Err(unexpected("a step on a shard")),
    }
}
