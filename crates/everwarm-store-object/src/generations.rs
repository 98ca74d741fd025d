//! Numbers for invalidations: a shard is one small object, changed by comparing it.
//!
//! Entries lie apart from it, in objects of their own: `settle` looks at the shard before it writes the entry. What is invalidated
//! between is stored, and its stamps do not cover the markers, so that nobody takes it for valid; each reading says so by naming the
//! shard of the entries beside that of the tags.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use everwarm_core::mark::{Mark, Reading, Tag, valid};
use everwarm_core::store::{Answer, Computed, Failure, Found, Generations, Settled, Suspend};
use everwarm_network::chance;
use futures_util::FutureExt;
use futures_util::future::try_join;

use crate::changes::{TRIES, mode, pause};
use crate::client::{Client, Part, Seen, Undone, all};
use crate::error::{contended, damaged};
use crate::shard::{Shard, Strike};
use crate::store::Objects;

impl Client {
    fn shard(&self, seen: &Seen) -> Result<Shard, Failure> {
        Shard::read(&seen.bytes).ok_or_else(|| damaged(&self.config))
    }

    /// The readings as they are.
    async fn reading(&self, namespace: &str, tags: &[Tag]) -> Result<Reading, Failure> {
        match self.read(&self.keys.shard(namespace), Part::Whole).await? {
            Some(seen) => Ok(self.shard(&seen)?.reading(tags, self.clock.now())),
            None => Ok(Shard::nothing(tags)),
        }
    }

    /// Changes a shard in one step, unless `change` finds that there is nothing to change; one that is missing is made.
    async fn changed(
        &self,
        namespace: &str,
        tags: &[Tag],
        change: impl Fn(&mut Shard, u64) -> bool,
    ) -> Result<Reading, Failure> {
        self.compares().await?;
        let key = self.keys.shard(namespace);
        for tries in 0..TRIES {
            pause(tries).await?;
            let seen = self.read(&key, Part::Whole).await?;
            let mut shard = match &seen {
                Some(seen) => self.shard(seen)?,
                None => Shard::new(chance::number()),
            };
            let now = self.clock.now();
            let is_changed = change(&mut shard, now);
            let reading = shard.reading(tags, now);
            if !is_changed && seen.is_some() {
                return Ok(reading);
            }
            match self
                .write(&key, shard.written(), Bytes::new(), mode(seen.as_ref()))
                .await
            {
                Ok(()) => return Ok(reading),
                Err(Undone::Unmet | Undone::Missing) => {}
                Err(Undone::Failed(failure)) => return Err(failure),
            }
        }
        Err(contended(&self.config, TRIES))
    }

    /// The reading with a marker for each tag, kept for so long.
    async fn held(
        &self,
        namespace: &str,
        tags: &[Tag],
        keep: Option<Duration>,
    ) -> Result<Reading, Failure> {
        self.changed(namespace, tags, |shard, now| shard.hold(tags, keep, now))
            .await
    }

    async fn struck(
        &self,
        namespace: &str,
        tags: &[Tag],
        strike: Strike,
    ) -> Result<Reading, Failure> {
        let change = |shard: &mut Shard, now| {
            shard.strike(tags, strike, now);
            true
        };
        self.changed(namespace, tags, change).await
    }
}

impl Objects {
    /// Stores what its stamps cover.
    async fn stored(
        &self,
        computed: &Computed<'_>,
        markers: Vec<Option<Mark>>,
    ) -> Result<Settled, Failure> {
        if !valid(computed.stamps, markers) {
            return Ok(Settled::Overtaken);
        }
        let (name, bytes, ttl) = (computed.name, computed.bytes.clone(), computed.ttl);
        let is_stored = match computed.token {
            Some(token) => self.put_leased(name, token, bytes, ttl).await?,
            None => self.put(name, bytes, ttl).await.map(|()| true)?,
        };
        Ok(if is_stored {
            Settled::Stored
        } else {
            Settled::Lost
        })
    }

    async fn settled(&self, computed: &[Computed<'_>]) -> Result<Vec<Settled>, Failure> {
        let client = self.client()?;
        // What all of a namespace have tags of is looked at once.
        let mut spaces: BTreeMap<&str, (Vec<Tag>, Option<Duration>)> = BTreeMap::new();
        for one in computed {
            self.check_bytes(one.name, &one.bytes)?;
            let (tags, keep) = spaces
                .entry(one.namespace)
                .or_insert((Vec::new(), Some(Duration::ZERO)));
            tags.extend(
                one.tags
                    .iter()
                    .filter(|tag| !tags.contains(tag))
                    .copied()
                    .collect::<Vec<_>>(),
            );
            *keep = keep.zip(one.ttl).map(|(keep, ttl)| keep.max(ttl));
        }
        let mut markers: BTreeMap<(&str, Tag), Option<Mark>> = BTreeMap::new();
        for (space, (tags, keep)) in &spaces {
            let reading = client.held(space, tags, *keep).await?;
            markers.extend(tags.iter().map(|tag| (*space, *tag)).zip(reading.markers));
        }
        let each = computed.iter().map(|one| {
            let marker = |tag: &Tag| markers.get(&(one.namespace, *tag)).copied().flatten();
            self.stored(one, one.tags.iter().map(marker).collect())
                .boxed()
        });
        all(each.collect()).await
    }
}

impl Generations for Objects {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        Answer::later(async move { self.client()?.held(namespace, tags, keep).await })
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(async move { self.client()?.reading(namespace, tags).await })
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        Answer::later(async move {
            let client = self.client()?;
            try_join(self.found(name), client.reading(namespace, tags)).await
        })
    }

    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        Answer::later(async move {
            let client = self.client()?;
            let found = all(names.iter().map(|name| self.found(name).boxed()).collect());
            try_join(found, client.reading(namespace, tags)).await
        })
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(async move {
            self.client()?
                .struck(namespace, tags, Strike::Invalidate)
                .await
        })
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        Answer::later(async move {
            let settled = self.settled(std::slice::from_ref(&computed)).await?;
            Ok(settled.into_iter().next().unwrap_or(Settled::Lost))
        })
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        Answer::later(self.settled(computed))
    }
}

impl Suspend for Objects {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        Answer::later(async move {
            self.client()?
                .struck(namespace, tags, Strike::Suspend(span))
                .await
        })
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(async move { self.client()?.struck(namespace, tags, Strike::Resume).await })
    }
}
