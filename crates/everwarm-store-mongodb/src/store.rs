//! The store: its verbs.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Entry, Failure, Found, Generations, Health,
    Info, Leases, Limits, Page, Scan, Store, Suspend, Touch,
};
use mongodb::bson::{Bson, DateTime, Document, RawDocument, doc};

use crate::asked::Asked;
use crate::config::Config;
use crate::entry::{
    LARGEST, LONGEST_NAME, all_named, fields, found, left_of, life, named, was_live,
};
use crate::error::unexpected;
use crate::link::Link;
use crate::server::{Server, count, left};
use crate::steps::{put, replace, update};

/// Bytes and entries of one command that sets many.
const BYTES_AT_ONCE: usize = 8 << 20;
const AT_ONCE: usize = 1_000;
/// Names of one command that reads or deletes many.
const NAMES_AT_ONCE: usize = 5_000;

/// A store in a collection of MongoDB.
///
/// Nothing is connected before it is needed, and to open one never fails because a server is down.
pub struct MongoDb {
    pub(crate) link: Link,
}

impl MongoDb {
    /// A store as `config` says.
    #[must_use]
    pub fn open(config: Config) -> Self {
        Self {
            link: Link::new(config),
        }
    }

    /// What comes of some work at the servers, which begins when the answer is awaited.
    pub(crate) fn later<'a, T, W>(
        &'a self,
        work: impl FnOnce(Arc<Server>) -> W + Send + 'a,
    ) -> Answer<'a, T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        Answer::later(async move {
            let server = self.link.open()?;
            let patience = server.config.connect_timeout;
            let (asker, way) = (Arc::clone(&server), server.way());
            Asked::begin(work(server), patience, move || asker.leave(&way))?.await
        })
    }
}

impl Server {
    /// What is under names, at their places.
    pub(crate) fn wanted(&self, ids: Vec<Bson>, fields: Document) -> Document {
        // In the order of the index, in which markers come after entries.
        doc! {
            "find": &self.config.collection,
            "filter": { "_id": { "$in": ids } },
            "projection": fields,
            "sort": { "_id": 1 },
        }
    }

    async fn get(&self, name: String) -> Result<Option<Found>, Failure> {
        let rows = self.read(doc! {
            "find": &self.config.collection,
            "filter": { "_id": name },
            "projection": fields(),
            "limit": 1,
            "singleBatch": true,
        });
        let rows = rows.await?;
        rows.first().map_or(Ok(None), |row| found(row))
    }

    async fn get_many(&self, names: Vec<String>) -> Result<Vec<Option<Found>>, Failure> {
        let mut all = HashMap::with_capacity(names.len());
        for names in names.chunks(NAMES_AT_ONCE) {
            let ids = names.iter().map(|name| name.as_str().into()).collect();
            for row in self.read(self.wanted(ids, fields())).await? {
                place(&row, &mut all)?;
            }
        }
        Ok(placed(&names, &all))
    }

    /// Runs an update of one document; how many it found.
    pub(crate) async fn update(&self, update: Document) -> Result<u64, Failure> {
        count(&self.write(self.updates(vec![update])).await?)
    }

    fn updates(&self, updates: Vec<Document>) -> Document {
        doc! {
            "update": &self.config.collection,
            "updates": updates,
            "ordered": false,
        }
    }

    async fn set_many(&self, entries: Vec<(String, Document, usize)>) -> Result<(), Failure> {
        let (mut lot, mut size) = (Vec::new(), 0);
        for (name, fields, bytes) in entries {
            if lot.len() == AT_ONCE || size + bytes > BYTES_AT_ONCE && !lot.is_empty() {
                self.write(self.updates(std::mem::take(&mut lot))).await?;
                size = 0;
            }
            size += bytes;
            lot.push(update(doc! { "_id": name }, vec![replace(&fields)], true));
        }
        if !lot.is_empty() {
            self.write(self.updates(lot)).await?;
        }
        Ok(())
    }

    async fn delete(&self, name: String) -> Result<bool, Failure> {
        let said = self.write(doc! {
            "findAndModify": &self.config.collection,
            "query": { "_id": name },
            "remove": true,
            "fields": life(),
        });
        Ok(left(&said.await?).is_some_and(was_live))
    }

    /// Deletes what fits each of the queries; how many documents that were.
    async fn remove(&self, queries: impl Iterator<Item = Document>) -> Result<u64, Failure> {
        let deletes: Vec<_> = queries
            .map(|query| doc! { "q": query, "limit": 0 })
            .collect();
        if deletes.is_empty() {
            return Ok(0);
        }
        let asked = doc! { "delete": &self.config.collection, "deletes": deletes };
        count(&self.write(asked).await?)
    }

    async fn delete_many(&self, names: Vec<String>) -> Result<u64, Failure> {
        let mut were = 0;
        for names in names.chunks(NAMES_AT_ONCE) {
            let ids = || names.iter().map(|name| name.as_str().into());
            let rows = self.read(self.wanted(ids().collect(), life())).await?;
            let live = rows.iter().filter_map(|row| {
                let row = Document::try_from(row.as_ref()).ok()?;
                was_live(&row).then(|| doc! { "_id": row.get("_id"), "v": row.get("v") })
            });
            // Of several who delete the same entry one counts it.
            were += self.remove(live).await?;
            // Leases end also where there was nothing.
            let ids: Vec<Bson> = ids().collect();
            let all = doc! { "_id": { "$in": ids } };
            self.remove(std::iter::once(all)).await?;
        }
        Ok(were)
    }

    /// Deletes all names in a range; how many entries that were, those among them that have expired.
    async fn clear(&self, range: Document) -> Result<u64, Failure> {
        let entries = doc! { "_id": &range, "v": { "$exists": true } };
        let were = self.remove(std::iter::once(entries)).await?;
        self.remove(std::iter::once(doc! { "_id": range })).await?;
        Ok(were)
    }

    async fn sweep(&self) -> Result<u64, Failure> {
        self.met().await?;
        if self.config.make_index {
            self.make_index().await?;
        }
        let mut swept = 0;
        loop {
            // The index is gone through by our clock, and what is deleted has expired by the server's.
            let rows = self.read(doc! {
                "find": &self.config.collection,
                "filter": { "x": { "$lt": DateTime::now() } },
                "projection": { "x": 1, "l": left_of("$x") },
                "sort": { "x": 1 },
                "limit": NAMES_AT_ONCE as i64,
            });
            let rows = rows.await?;
            let over = rows
                .iter()
                .filter(|row| row.get_i64("l").is_ok_and(|left| left <= 0));
            // What was changed meanwhile ends at another moment.
            let same = over.filter_map(|row| {
                let row = Document::try_from(row.as_ref()).ok()?;
                Some(doc! { "_id": row.get("_id"), "x": row.get("x") })
            });
            let gone = self.remove(same).await?;
            swept += gone;
            if rows.len() < NAMES_AT_ONCE || gone == 0 {
                return Ok(swept);
            }
        }
    }

    /// About `limit` names in a range that have not expired, in their order, and where to go on.
    pub(crate) async fn page(&self, range: Document, limit: usize) -> Result<Page, Failure> {
        let mut fields = life();
        fields.insert("_id", 1);
        let rows = self.read(doc! {
            "find": &self.config.collection,
            "filter": { "_id": range, "v": { "$exists": true } },
            "projection": fields,
            "sort": { "_id": 1 },
            "limit": limit as i64,
        });
        let rows: Result<Vec<_>, _> = rows
            .await?
            .iter()
            .map(|row| Document::try_from(row.as_ref()))
            .collect();
        let rows = rows.map_err(|_| unexpected("a scan"))?;
        let name = |row: &Document| row.get_str("_id").ok().map(str::to_owned);
        Ok(Page {
            next: rows.last().filter(|_| rows.len() == limit).and_then(name),
            names: rows
                .iter()
                .filter(|row| was_live(row))
                .filter_map(name)
                .collect(),
        })
    }
}

/// Names that begin with a prefix, as the server is asked for them. Other things than texts are no names.
pub(crate) fn range(prefix: &str) -> Document {
    match end(prefix) {
        Some(end) => doc! { "$gte": prefix, "$lt": end },
        None => doc! { "$gte": prefix },
    }
}

/// The first text behind all that begin with this one: texts are ordered by the bytes of their UTF-8, which is the order of its
/// characters.
fn end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        let next = ((last as u32 + 1)..=(char::MAX as u32)).find_map(char::from_u32);
        if let Some(next) = next {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// Puts an entry to its name; documents that are none have other things there.
pub(crate) fn place(row: &RawDocument, all: &mut HashMap<String, Found>) -> Result<bool, Failure> {
    let Ok(name) = row.get_str("_id") else {
        return Ok(false);
    };
    if let Some(found) = found(row)? {
        all.insert(name.to_owned(), found);
    }
    Ok(true)
}

/// What is under each of the names.
pub(crate) fn placed(names: &[String], all: &HashMap<String, Found>) -> Vec<Option<Found>> {
    names.iter().map(|name| all.get(name).cloned()).collect()
}

impl Store for MongoDb {
    fn info(&self) -> Info {
        Info {
            kind: "mongodb",
            place: self.link.config.to_string(),
            durability: if self.link.config.is_lasting() {
                Durability::Power
            } else {
                Durability::Process
            },
            embedded: false,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: LONGEST_NAME,
            largest_value: LARGEST,
            longest_ttl: None,
            ttl_precision: Duration::from_millis(2),
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        self.later(|server| {
            let name = named(name);
            async move { server.get(name?).await }
        })
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        self.later(move |server| {
            let asked = named(name).and_then(|name| Ok((name, put(&bytes, ttl)?.1)));
            async move {
                let (name, fields) = asked?;
                let update = update(doc! { "_id": name }, vec![replace(&fields)], true);
                server.update(update).await.map(drop)
            }
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        self.later(|server| {
            let name = named(name);
            async move { server.delete(name?).await }
        })
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        self.later(|server| {
            let names = all_named(names);
            async move { server.get_many(names?).await }
        })
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        self.later(|server| {
            // The last one of a name counts.
            let entries: BTreeMap<&str, &Entry<'_>> =
                entries.iter().map(|entry| (entry.name, entry)).collect();
            let all: Result<Vec<_>, Failure> = entries
                .into_values()
                .map(|entry| {
                    let fields = put(&entry.bytes, entry.ttl)?.1;
                    Ok((
                        named(entry.name)?,
                        fields,
                        entry.bytes.len() + entry.name.len(),
                    ))
                })
                .collect();
            async move { server.set_many(all?).await }
        })
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        self.later(|server| {
            let names = all_named(names);
            async move { server.delete_many(names?).await }
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.later(|server| {
            let ids = range(prefix);
            async move { server.clear(ids).await }
        })
    }

    fn sweep(&self) -> Answer<'_, u64> {
        self.later(|server| async move { server.sweep().await })
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.later(|server| async move { server.command(doc! { "ping": 1 }).await.map(drop) })
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

impl fmt::Debug for MongoDb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MongoDb")
            .field("place", &self.link.config.to_string())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_a_prefix_ends_before_the_next_character() {
        assert_eq!(end("shop:").as_deref(), Some("shop;"));
        assert_eq!(end("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(end("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(end("\u{10ffff}"), None);
        assert_eq!(end(""), None);
    }
}
