//! Numbers for invalidations.
//!
//! Entry and markers lie in different documents, which no step spans: to settle, the shards of the tags are looked at first, and then
//! the entry is stored in one step with its lease. What is invalidated between the two is stored, and is not valid: its stamps do not
//! cover the marker. To read, one command reads the entry and then the shards, in the order of the index.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::mark::{Mark, Reading, Tag, valid};
use everwarm_core::store::{Answer, Computed, Failure, Found, Generations, Settled};
use futures_util::future::try_join_all;
use mongodb::bson::{Document, doc};

use crate::entry::{all_named, fields, named};
use crate::server::Server;
use crate::shards::{Parts, Shards, Step};
use crate::steps::{put, replace_beside_lease, update};
use crate::store::{MongoDb, place, placed};

/// A computed value on its way.
struct Own {
    name: String,
    fields: Document,
    keep: Option<Duration>,
    token: Option<u64>,
    stamps: Vec<Mark>,
    parts: Parts,
}

impl Own {
    fn of(computed: &Computed<'_>) -> Result<Self, Failure> {
        Ok(Self {
            name: named(computed.name)?,
            fields: put(&computed.bytes, computed.ttl)?.1,
            keep: computed.ttl,
            token: computed.token,
            stamps: computed.stamps.to_vec(),
            parts: Parts::new(computed.namespace, computed.tags),
        })
    }
}

impl Server {
    async fn settle(&self, own: Own) -> Result<Settled, Failure> {
        let mut shards = self.shards(&own.parts).await?;
        self.hold(&own.parts, &mut shards, own.keep).await?;
        if !valid(&own.stamps, own.parts.reading(&shards).markers) {
            return Ok(Settled::Overtaken);
        }
        let Some(token) = own.token else {
            let stages = replace_beside_lease(&own.fields);
            let stored = self.update(update(doc! { "_id": own.name }, stages, true));
            return stored.await.map(|_| Settled::Stored);
        };
        match self.while_held((&own.name, token), own.fields).await? {
            true => Ok(Settled::Stored),
            false => Ok(Settled::Lost),
        }
    }

    async fn get_with(
        &self,
        names: Vec<String>,
        parts: Parts,
    ) -> Result<(Vec<Option<Found>>, Reading), Failure> {
        let mut ids: Vec<_> = names.iter().map(|name| name.as_str().into()).collect();
        ids.extend(parts.ids());
        let mut both = fields();
        both.extend(parts.fields());
        let rows = self.read(self.wanted(ids, both)).await?;
        let mut all = HashMap::with_capacity(names.len());
        let mut shards = Vec::new();
        for row in &rows {
            if !place(row, &mut all)? {
                shards.push(row.as_ref());
            }
        }
        let shards = Shards::among(shards)?;
        Ok((placed(&names, &all), parts.reading(&shards)))
    }
}

impl MongoDb {
    /// Takes a step on the shards of tags.
    pub(super) fn struck(&self, parts: Parts, step: Step) -> Answer<'_, Reading> {
        self.later(move |server: Arc<Server>| async move {
            let shards = server.strike(&parts, step).await?;
            Ok(parts.reading(&shards))
        })
    }
}

impl Generations for MongoDb {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        let parts = Parts::new(namespace, tags);
        self.later(move |server| async move {
            let shards = server.begin(&parts, keep).await?;
            Ok(parts.reading(&shards))
        })
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        let parts = Parts::new(namespace, tags);
        self.later(move |server| async move {
            let shards = server.shards(&parts).await?;
            Ok(parts.reading(&shards))
        })
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        let parts = Parts::new(namespace, tags);
        self.later(move |server| {
            let name = named(name);
            async move {
                let (mut found, reading) = server.get_with(vec![name?], parts).await?;
                Ok((found.pop().flatten(), reading))
            }
        })
    }

    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        let parts = Parts::new(namespace, tags);
        self.later(move |server| {
            let names = all_named(names);
            async move { server.get_with(names?, parts).await }
        })
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.struck(Parts::new(namespace, tags), Step::Invalidate)
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        self.later(move |server| {
            let own = Own::of(&computed);
            async move { server.settle(own?).await }
        })
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        self.later(move |server| {
            let own: Result<Vec<_>, Failure> = computed.iter().map(Own::of).collect();
            async move { try_join_all(own?.into_iter().map(|own| server.settle(own))).await }
        })
    }
}
