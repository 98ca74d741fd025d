//! Beginning: the stamps and the markers for what is computed, or set by hand; and what is set in the same trip.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Entry, Failure};

use crate::entry::millis;
use crate::keys::Shard;
use crate::link::Reply;
use crate::markers::{Part, Parts, beat, beat_in, read_by_steps, read_shard, shard_in};
use crate::request::Request;
use crate::script::script;
use crate::store::{Redis, integer};

script!(
    /// The stamp and the markers for what begins.
    BEGIN = "now.lua", "shard.lua", "marker.lua", "begin.lua"
);

/// What is asked where something begins.
pub(crate) struct Beginning<'a> {
    of: (&'a str, &'a [Tag]),
    keep: Option<Duration>,
    parts: Parts<'a>,
    /// Tags that only the result will tell may lie in any shard.
    others: Vec<Shard>,
}

impl<'a> Beginning<'a> {
    fn new(store: &'a Redis, of: (&'a str, &'a [Tag]), keep: Option<Duration>) -> Self {
        let parts = store.parts(of.0, of.1);
        Self {
            others: parts.others(),
            of,
            keep,
            parts,
        }
    }

    fn asked(&self, store: &Redis) -> Vec<Request> {
        let mut asked = store.beginning(&self.parts, self.keep);
        let others = self.others.iter();
        asked.extend(others.map(read_shard));
        asked
    }

    /// The reading by the replies. Shards that are not there are made.
    async fn reading(&self, store: &Redis, mut replies: Vec<Reply>) -> Result<Reading, Failure> {
        let further = replies.split_off(self.parts.all.len());
        let mut reading = self.parts.reading(read_by_steps(&self.parts, replies)?);
        let mut missing = Vec::new();
        for (shard, reply) in self.others.iter().zip(further) {
            match shard_in(&reply?, shard)? {
                Some(mark) => reading.shards.push(mark),
                None => missing.push(shard),
            }
        }
        if !missing.is_empty() {
            let steps = missing.iter();
            let steps = steps.map(|shard| beat(shard, store.opening(shard)));
            let made = store.link.ask(&steps.collect::<Vec<_>>()).await?;
            for (shard, reply) in missing.iter().zip(made) {
                reading.shards.push(beat_in(&reply?, shard)?);
            }
        }
        reading.shards.sort_unstable_by_key(|mark| mark.shard);
        store.recalled.note(self.of, self.keep, &reading);
        Ok(reading)
    }
}

impl Redis {
    pub(crate) async fn begin_all(
        &self,
        namespace: &str,
        tags: &[Tag],
        keep: Option<Duration>,
    ) -> Result<Reading, Failure> {
        let beginning = Beginning::new(self, (namespace, tags), keep);
        let replies = self.link.ask(&beginning.asked(self)).await?;
        beginning.reading(self, replies).await
    }

    /// Begins, and sets many; all of it at once, and a reply to each.
    pub(crate) async fn set_all_with(
        &self,
        entries: &[Entry<'_>],
        (namespace, tags, keep): (&str, &[Tag], Option<Duration>),
    ) -> Result<Reading, Failure> {
        let beginning = Beginning::new(self, (namespace, tags), keep);
        let mut asked = beginning.asked(self);
        let begun = asked.len();
        for entry in entries {
            asked.push(self.set_one(entry.name, entry.bytes.clone(), entry.ttl)?);
        }
        let mut replies = self.link.ask(&asked).await?;
        let set = replies.split_off(begun);
        let reading = beginning.reading(self, replies).await?;
        set.into_iter()
            .try_for_each(|reply| integer(reply).map(drop))?;
        Ok(reading)
    }

    /// The steps that give every tag a marker.
    pub(crate) fn beginning(&self, parts: &Parts<'_>, keep: Option<Duration>) -> Vec<Request> {
        let keep = [millis(keep).into()];
        let step = |part: &Part<'_>| {
            let opening = self.opening(&part.shard);
            parts.step(part, &BEGIN, (opening, &keep))
        };
        parts.all.iter().map(step).collect()
    }
}
