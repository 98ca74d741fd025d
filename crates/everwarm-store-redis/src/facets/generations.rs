//! The authority of a stack: shards whose every step is a script on the server.
//!
//! What only reads is no script, since those are dear, and asks in one step for the entry, the shard and its markers. On a cluster
//! the shards of a namespace lie in several slots, and are asked at the same time; each step is atomic on its own shard, and stamps
//! and markers are compared by shard.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag, valid};
use everwarm_core::store::{Answer, Computed, Failure, Found, Generations, Settled};
use redis::{Value, cmd};

use crate::entry::{found, millis};
use crate::error::unexpected;
use crate::keys::{Keys, Shard};
use crate::markers::{Part, Parts, Read, beat, read_shard, shard_in, text};
use crate::request::Request;
use crate::script::{Argument, script};
use crate::store::Redis;

script!(
    /// The stamp and the markers for what begins.
    BEGIN = "shard.lua", "marker.lua", "begin.lua"
);
script!(
    /// The reading as it is, by the server's clock.
    PEEK = "shard.lua", "marker.lua", "peek.lua"
);
script!(
    /// Invalidates, and suspends or resumes besides.
    STRIKE = "shard.lua", "marker.lua", "strike.lua"
);
script!(
    /// Stores what was computed.
    SETTLE = "put.lua", "shard.lua", "waiters.lua", "marker.lua", "settle.lua"
);

impl Generations for Redis {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        Answer::later(self.begin_all(namespace, tags, keep))
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(async move {
            let parts = self.parts(namespace, tags);
            let asked = parts.all.iter();
            let asked = asked.map(|part| Request::in_one_step(part.shard.slot, part.read()));
            let replies = self.link.ask(&asked.collect::<Vec<_>>()).await?;
            self.made_clear(&parts, replies).await
        })
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        Answer::later(self.get_with_all(name, namespace, tags))
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(self.strike(namespace, tags, ("", 0)))
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        Answer::later(async move {
            let settled = self.settle_all(std::slice::from_ref(&computed)).await?;
            let first = settled.into_iter().next();
            first.ok_or_else(|| unexpected("a step on a shard"))
        })
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        Answer::later(self.settle_all(computed))
    }
}

impl Redis {
    /// The tags by shards, in a namespace that is listened to from here on.
    fn parts<'a>(&self, namespace: &'a str, tags: &'a [Tag]) -> Parts<'a> {
        let parts = Parts::new(self.layout, namespace, tags);
        self.attend(&parts.space);
        parts
    }

    async fn begin_all(
        &self,
        namespace: &str,
        tags: &[Tag],
        keep: Option<Duration>,
    ) -> Result<Reading, Failure> {
        let parts = self.parts(namespace, tags);
        // Tags that only the result will tell may lie in any shard.
        let others = parts.others();
        let mut asked = self.beginning(&parts, keep);
        let other = others
            .iter()
            .map(|shard| Request::one(shard.slot, read_shard(shard)));
        asked.extend(other);
        let mut replies = self.link.ask(&asked).await?;
        let further = replies.split_off(parts.all.len());
        let mut reading = parts.reading(read_by_steps(&parts, replies)?);
        let mut missing = Vec::new();
        for (shard, reply) in others.iter().zip(further) {
            match shard_in(&reply?, shard)? {
                Some(mark) => reading.shards.push(mark),
                None => missing.push(shard),
            }
        }
        if !missing.is_empty() {
            let steps = missing.iter().map(|shard| beat(shard, self.opening(shard)));
            let made = self.link.ask(&steps.collect::<Vec<_>>()).await?;
            for (shard, reply) in missing.iter().zip(made) {
                reading.shards.extend(shard_in(&reply?, shard)?);
            }
        }
        reading.shards.sort_unstable_by_key(|mark| mark.shard);
        Ok(reading)
    }

    /// The steps that give every tag a marker.
    fn beginning(&self, parts: &Parts<'_>, keep: Option<Duration>) -> Vec<Request> {
        let keep = [millis(keep).into()];
        let step = |part: &Part<'_>| {
            let opening = self.opening(&part.shard);
            parts.step(part, &BEGIN, (opening, &keep))
        };
        parts.all.iter().map(step).collect()
    }

    async fn get_with_all(
        &self,
        name: &str,
        namespace: &str,
        tags: &[Tag],
    ) -> Result<(Option<Found>, Reading), Failure> {
        let mut parts = self.parts(namespace, tags);
        let keys = self.keys(name)?;
        // What lies in the entry's shard is read with it, in one step.
        let own = parts
            .all
            .iter()
            .position(|part| part.shard.slot == keys.slot);
        if let Some(own) = own {
            parts.all.swap(0, own);
        }
        let mut with_entry = vec![read_entry("GET", &keys), read_entry("PTTL", &keys)];
        let rest = match (own, parts.all.first()) {
            (Some(_), Some(part)) => {
                with_entry.extend(part.read());
                1
            }
            _ => 0,
        };
        let mut asked = vec![Request::in_one_step(keys.slot, with_entry)];
        let others = parts.all[rest..].iter();
        asked.extend(others.map(|part| Request::in_one_step(part.shard.slot, part.read())));
        let mut replies = self.link.ask(&asked).await?.into_iter();
        let first = replies.next().ok_or_else(|| unexpected("a read"))??;
        let Value::Array(mut entry) = first else {
            return Err(unexpected("a read"));
        };
        let markers = entry.split_off(2.min(entry.len()));
        let own = (rest == 1).then_some(Ok(Value::Array(markers)));
        let reading = self
            .made_clear(&parts, own.into_iter().chain(replies))
            .await?;
        Ok((found(Value::Array(entry))?, reading))
    }

    /// The reading that was read, once it is known what the suspended tags in it are worth.
    async fn made_clear(
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
        Ok(parts.reading(read_by_steps(&parts, replies)?))
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
    fn new(store: &Redis, computed: &'a Computed<'a>) -> Result<Self, Failure> {
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
            arguments.extend(here.told(computed.namespace));
        }
        Ok(Request::script(self.keys.slot, &SETTLE, keys, arguments))
    }
}

fn read_entry(verb: &str, keys: &Keys) -> redis::Cmd {
    let mut command = cmd(verb);
    command.arg(&keys.entry);
    command
}

/// What each part's step answered.
fn read_by_steps(
    parts: &Parts<'_>,
    replies: Vec<Result<Value, Failure>>,
) -> Result<Vec<Read>, Failure> {
    let replies = parts.all.iter().zip(replies);
    replies.map(|(part, reply)| part.of_step(&reply?)).collect()
}

fn settled_as(said: &Value) -> Result<Settled, Failure> {
    match text(said) {
        Some("stored") => Ok(Settled::Stored),
        Some("lost") => Ok(Settled::Lost),
        Some("overtaken") => Ok(Settled::Overtaken),
        _ => Err(unexpected("a step on a shard")),
    }
}
