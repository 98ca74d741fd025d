//! The store: its verbs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Entry, Failure, Found, Generations, Health,
    Info, Leases, Limits, Notify, Scan, Store, Suspend, Touch,
};
use tokio_postgres::Row;

use super::connection::Values;
use super::dial::Dialer;
use super::entry::{LARGEST, LONGEST_NAME, Octets, count, found, micros, named, values, written};
use super::own::Connected;
use super::schema::range;
use super::statements::Statement;
use super::sweep::sweep;
use crate::server::config::Config;
use crate::server::failure::unexpected;
use crate::server::link::Link;
use crate::server::teller::Trust;
use crate::server::told::{of_clear, of_key};
use everwarm_network::chance;

/// Entries, and bytes, that one statement sets.
const AT_ONCE: usize = 1_000;
const BYTES_AT_ONCE: usize = 16 << 20;
/// What the names of locks and limiters begin with, of which nobody keeps anything in memory.
const PRIVATE: char = '!';

/// A store in tables of PostgreSQL.
///
/// Nothing is connected before it is needed, and to open one never fails because a server is down.
pub struct Postgres {
    pub(crate) link: Link<Connected>,
}

impl Postgres {
    /// A store as `config` says.
    ///
    /// # Errors
    /// `Permanent` for files of certificates that cannot be used.
    pub fn open(config: Config) -> Result<Self, Failure> {
        Ok(Self {
            link: Link::new(Connected::new(Dialer::new(config)?, Trust::default())),
        })
    }

    /// What makes its tables and functions: statements for whoever may make them.
    #[must_use]
    pub fn ddl(&self) -> String {
        self.link.dialer().names.ddl()
    }

    pub(crate) async fn ask(
        &self,
        statement: Statement,
        values: Values,
    ) -> Result<Vec<Row>, Failure> {
        self.link.ask(statement, values).await
    }

    /// The channel on which others hear, and what they are told of a name.
    pub(crate) fn told(&self, name: &str) -> (String, Vec<String>) {
        let teller = &self.link.hearing().teller;
        let is_told = !name.starts_with(PRIVATE);
        let told = is_told.then(|| teller.says(&of_key(name)));
        (teller.channel.clone(), told.into_iter().collect())
    }

    fn told_all<'a>(&self, names: impl Iterator<Item = &'a str>) -> (String, Vec<String>) {
        let channel = self.link.hearing().teller.channel.clone();
        (channel, names.flat_map(|name| self.told(name).1).collect())
    }

    /// Sets entries of different names in one statement.
    async fn put(&self, entries: &[&Entry<'_>]) -> Result<(), Failure> {
        let names: Result<Vec<_>, _> = entries.iter().map(|entry| named(entry.name)).collect();
        let bytes: Result<Vec<_>, _> = entries
            .iter()
            .map(|entry| written(entry.bytes.clone()))
            .collect();
        let versions: Vec<i64> = entries.iter().map(|_| chance::bigint()).collect();
        let ttls: Vec<Option<f64>> = entries.iter().map(|entry| micros(entry.ttl)).collect();
        let (channel, told) = self.told_all(entries.iter().map(|entry| entry.name));
        let values = values![names?, bytes?, versions, ttls, channel, told];
        self.ask(Statement::SetMany, values).await.map(drop)
    }
}

impl Store for Postgres {
    fn info(&self) -> Info {
        let config = &self.link.dialer().config;
        Info {
            kind: "postgres",
            place: config.to_string(),
            durability: if config.unlogged {
                Durability::Process
            } else {
                Durability::Power
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
        Answer::later(async move {
            let rows = self.ask(Statement::Get, values![named(name)?]).await?;
            rows.first().map(|row| found(row, 0)).transpose()
        })
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        Answer::later(async move {
            let (channel, told) = self.told(name);
            let (name, bytes) = (named(name)?, written(bytes)?);
            let values = values![name, bytes, chance::bigint(), micros(ttl), channel, told];
            self.ask(Statement::Set, values).await.map(drop)
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        Answer::later(async move {
            let (channel, told) = self.told(name);
            let values = values![named(name)?, channel, told];
            let rows = self.ask(Statement::Delete, values).await?;
            Ok(count(&rows)? > 0)
        })
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        Answer::later(async move {
            let wanted: Result<Vec<_>, _> = names.iter().map(|name| named(name)).collect();
            let rows = self.ask(Statement::GetMany, values![wanted?]).await?;
            placed(&rows, names.len())
        })
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        Answer::later(async move {
            // The last one of a name counts; in the order of the names two that set the same ones do not wait for each other.
            let entries: BTreeMap<&str, &Entry<'_>> =
                entries.iter().map(|entry| (entry.name, entry)).collect();
            let (mut lot, mut size) = (Vec::new(), 0);
            for entry in entries.into_values() {
                if lot.len() == AT_ONCE || size + entry.bytes.len() > BYTES_AT_ONCE {
                    self.put(&lot).await?;
                    (lot, size) = (Vec::new(), 0);
                }
                size += entry.bytes.len();
                lot.push(entry);
            }
            self.put(&lot).await
        })
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        Answer::later(async move {
            let (channel, told) = self.told_all(names.iter().copied());
            let wanted: Result<Vec<_>, _> = names.iter().map(|name| named(name)).collect();
            let rows = self.ask(Statement::DeleteMany, values![wanted?, channel, told]);
            count(&rows.await?)
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        Answer::later(async move {
            if prefix.len() > LONGEST_NAME {
                // No name begins so.
                return self.ask(Statement::Ping, Vec::new()).await.map(|_| 0);
            }
            let teller = &self.link.hearing().teller;
            let told = (!prefix.starts_with(PRIVATE)).then(|| teller.says(&of_clear(prefix)));
            let told: Vec<_> = told.into_iter().collect();
            let (from, end) = range(prefix);
            let values = values![Octets(end), teller.channel.clone(), told, Octets(from)];
            count(&self.ask(Statement::Clear, values).await?)
        })
    }

    fn sweep(&self) -> Answer<'_, u64> {
        Answer::later(async move { sweep(self.link.pool()?).await })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Answer::later(async move { self.ask(Statement::Ping, Vec::new()).await.map(drop) })
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

    fn notify(&self) -> Option<&dyn Notify> {
        Some(self)
    }

    fn suspending(&self) -> Option<&dyn Suspend> {
        Some(self)
    }

    fn health(&self) -> Option<&dyn Health> {
        Some(self)
    }
}

/// Entries in the places that their rows say.
pub(crate) fn placed(rows: &[Row], places: usize) -> Result<Vec<Option<Found>>, Failure> {
    let mut all = vec![None; places];
    for row in rows {
        let place: Option<i64> = row.try_get(0).ok();
        let place = place.and_then(|place| usize::try_from(place - 1).ok());
        let slot = place.and_then(|place| all.get_mut(place));
        *slot.ok_or_else(|| unexpected("a read of many"))? = Some(found(row, 1)?);
    }
    Ok(all)
}

impl fmt::Debug for Postgres {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Postgres")
            .field("place", &self.link.dialer().config.to_string())
            .finish_non_exhaustive()
    }
}
