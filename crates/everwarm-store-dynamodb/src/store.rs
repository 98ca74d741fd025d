//! The store: the verbs of the contract as requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Entry, Failure, Found, Generations, Health,
    Info, Leases, Limits, Scan, Store, Suspend, Touch,
};
use serde_json::{Value, json};

use crate::clock::Millis;
use crate::config::Config;
use crate::item::{Content, Item, Key, LARGEST_VALUE, LONGEST_NAME, deadline, entry, found};
use crate::link::Link;
use crate::many::{abreast, taken};
use crate::pages::{Place, parts};
use everwarm_network::chance;

/// Names that one page of a clear has, at most.
const PAGE: usize = 10_000;

/// A store in a table of DynamoDB.
pub struct DynamoDb {
    pub(crate) link: Link,
}

impl DynamoDb {
    /// Opens a store. Nothing is connected, and no credentials are looked for, before they are needed.
    ///
    /// # Errors
    /// `Permanent` if nothing says in which region the table is.
    pub fn open(config: Config) -> Result<Self, Failure> {
        Ok(Self {
            link: Link::new(config)?,
        })
    }

    /// The time by which things end.
    pub(crate) fn now(&self) -> Result<Millis, Failure> {
        Ok(self.link.client()?.clock.now())
    }

    /// The item of an entry that is set now, and the number of the write.
    pub(crate) fn entry(
        &self,
        name: &str,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Result<(Item, u64), Failure> {
        let version = chance::number();
        let deadline = deadline(self.now()?, ttl);
        let item = entry(&Key::of(name)?, Content::Bytes(bytes), version, deadline)?;
        Ok((item, version))
    }

    /// Makes a write that has a condition; whether it held.
    pub(crate) async fn held(
        &self,
        operation: &'static str,
        question: Value,
    ) -> Result<bool, Failure> {
        Ok(self.link.ask_if(operation, question).await?.is_ok())
    }

    /// What is under each of the names, in their order.
    pub(crate) fn placed(
        &self,
        keys: &[Key],
        items: &BTreeMap<Key, Item>,
    ) -> Result<Vec<Option<Found>>, Failure> {
        let now = self.now()?;
        let found = |key| items.get(key).map_or(Ok(None), |item| found(item, now));
        keys.iter().map(found).collect()
    }

    async fn cleared(&self, prefix: &str) -> Result<u64, Failure> {
        let parts = parts(prefix).map(|part| self.part_cleared(prefix, part));
        Ok(abreast(parts.collect()).await?.into_iter().sum())
    }

    async fn part_cleared(&self, prefix: &str, part: u8) -> Result<u64, Failure> {
        let mut place = Some(Place::of(part));
        let mut cleared = 0;
        while let Some(at) = place {
            let (named, next) = self.link.page(prefix, &at, PAGE).await?;
            cleared += named.iter().filter(|named| named.is_entry).count() as u64;
            let deletes = named
                .iter()
                .map(|named| json!({"DeleteRequest": {"Key": named.key.json()}}));
            self.link.write(deletes.collect()).await?;
            place = next.filter(|next| next.is_in(part));
        }
        Ok(cleared)
    }

    async fn deleted(&self, name: &str) -> Result<bool, Failure> {
        let question = json!({"Key": Key::of(name)?.json(), "ReturnValues": "ALL_OLD"});
        let mut said = self.link.ask("DeleteItem", question).await?;
        let item = taken(&mut said, "Attributes")?;
        let now = self.now()?;
        let was = item.map(|item| found(&item, now)).transpose()?;
        Ok(was.flatten().is_some())
    }
}

/// Keys of names, each of which may be there more than once.
pub(crate) fn keys(names: &[&str]) -> Result<Vec<Key>, Failure> {
    names.iter().map(|name| Key::of(name)).collect()
}

/// Each of the keys once.
pub(crate) fn once(keys: &[Key]) -> Vec<Key> {
    let keys: BTreeSet<&Key> = keys.iter().collect();
    keys.into_iter().cloned().collect()
}

impl Store for DynamoDb {
    fn info(&self) -> Info {
        let config = &self.link.config;
        let place = match (&config.region, &config.endpoint) {
            (None, None) => format!("{config} in {}", self.link.region()),
            _ => config.to_string(),
        };
        Info {
            kind: "dynamodb",
            place,
            durability: Durability::Power,
            embedded: false,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: LONGEST_NAME,
            largest_value: LARGEST_VALUE as u64,
            longest_ttl: None,
            ttl_precision: Duration::from_millis(2),
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        Answer::later(async move {
            let question = json!({
                "Key": Key::of(name)?.json(),
                "ConsistentRead": self.link.config.consistent,
            });
            let mut said = self.link.ask("GetItem", question).await?;
            let now = self.now()?;
            let item = taken(&mut said, "Item")?;
            item.map_or(Ok(None), |item| found(&item, now))
        })
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        Answer::later(async move {
            let (item, _) = self.entry(name, bytes, ttl)?;
            self.link.ask("PutItem", json!({"Item": item})).await?;
            Ok(())
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        Answer::later(self.deleted(name))
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        Answer::later(async move {
            let keys = keys(names)?;
            let consistent = self.link.config.consistent;
            let items = self.link.items(&once(&keys), consistent).await?;
            self.placed(&keys, &items)
        })
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        Answer::later(async move {
            // One request may name an item once: what comes last counts.
            let mut items = BTreeMap::new();
            for each in entries {
                let (item, _) = self.entry(each.name, each.bytes.clone(), each.ttl)?;
                items.insert(each.name, item);
            }
            let puts = items
                .into_values()
                .map(|item| json!({"PutRequest": {"Item": item}}));
            self.link.write(puts.collect()).await
        })
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        // A delete in a lot does not tell whether something was there.
        Answer::later(async move {
            let deletes = names.iter().map(|name| self.deleted(name));
            let were = abreast(deletes.collect()).await?;
            Ok(were.into_iter().filter(|&was| was).count() as u64)
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        Answer::later(self.cleared(prefix))
    }

    fn ping(&self) -> Answer<'_, ()> {
        Answer::later(async move {
            // An item that nobody writes.
            let nobody = Key {
                pk: "ping".to_owned(),
                sk: "=".to_owned(),
            };
            let question = json!({"Key": nobody.json(), "ConsistentRead": false});
            self.link.ask("GetItem", question).await.map(drop)
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        self.link.close();
        Answer::done(())
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        Some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        Some(self)
    }

    fn generations(&self) -> Option<&dyn Generations> {
        Some(self)
    }

    fn suspending(&self) -> Option<&dyn Suspend> {
        Some(self)
    }

    fn health(&self) -> Option<&dyn Health> {
        Some(self)
    }
}

impl fmt::Debug for DynamoDb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DynamoDb")
            .field("place", &self.link.config.to_string())
            .finish_non_exhaustive()
    }
}
