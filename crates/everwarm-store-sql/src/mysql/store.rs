//! The store: each verb is a script of statements, asked in one trip.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Entry, Failure, Found, Generations, Health,
    Info, Leases, Limits, Notify, Scan, Store, Suspend, Touch,
};

use super::dial::Dialer;
use super::entry::{LONGEST_NAME, micros, named, placed, range};
use super::own::Connected;
use super::pool::largest;
use super::script::{Script, Value};
use super::statements::Statement;
use super::sweep::sweep;
use crate::server::config::Config;
use crate::server::link::Link;
use crate::server::teller::Trust;
use crate::server::told::{of_clear, of_key};
use everwarm_network::chance;

/// Names, and bytes, that one script has.
pub(super) const AT_ONCE: usize = 1_000;
const BYTES_AT_ONCE: usize = 512 << 10;
/// What the names of locks and limiters begin with, of which nobody keeps anything in memory.
const PRIVATE: char = '!';

/// A store in tables of MySQL or MariaDB.
///
/// Nothing is connected before it is needed, and to open one never fails because a server is down.
pub struct Mysql {
    pub(super) link: Link<Connected>,
}

impl Mysql {
    /// A store as `config` says.
    ///
    /// # Errors
    /// `Permanent` for files of certificates that cannot be used.
    pub fn open(config: Config) -> Result<Self, Failure> {
        Ok(Self {
            link: Link::new(Connected::new(Dialer::new(config)?, Trust::default())),
        })
    }

    /// What makes its tables: statements for whoever may make them.
    #[must_use]
    pub fn ddl(&self) -> String {
        self.dialer().names.ddl()
    }

    pub(super) fn dialer(&self) -> &Dialer {
        &self.link.here().dialer
    }

    /// The message that tells this.
    pub(super) fn says(&self, what: &str) -> String {
        self.link.here().hearing.teller.says(what)
    }

    /// What others are told of names that are written by hand; of some nobody is.
    pub(super) fn told<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> String {
        let lines = names
            .into_iter()
            .filter(|name| !name.starts_with(PRIVATE))
            .map(|name| self.says(&of_key(name)));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Sets entries of different names in one step.
    async fn put(&self, entries: &[&Entry<'_>]) -> Result<(), Failure> {
        let rows: Result<Vec<_>, Failure> = entries
            .iter()
            .map(|entry| row(entry.name, &entry.bytes, chance::bigint(), entry.ttl))
            .collect();
        let told = self.told(entries.iter().map(|entry| entry.name));
        let mut script = self.link.script();
        begin(&mut script, &told);
        script.add(Statement::Set, &[Value::Rows(&rows?)]);
        end(&mut script, &told);
        self.link.ask(script).await.map(drop)
    }

    /// Deletes in one step; how many were there.
    async fn strip(
        &self,
        [first, rest]: [Statement; 2],
        values: &[Value<'_>],
        told: &str,
    ) -> Result<u64, Failure> {
        let mut script = self.link.script();
        script.all(&[Statement::Doing, Statement::Start]);
        let gone = script.add(first, values);
        script.add(rest, values);
        tell(&mut script, told);
        script.all(&[Statement::Commit]);
        self.link.ask(script).await?.affected(gone)
    }
}

/// Begins a step that others are told of; where nobody is, a statement is a step by itself.
pub(super) fn begin(script: &mut Script<'_>, told: &str) {
    if !told.is_empty() {
        script.all(&[Statement::Doing, Statement::Start]);
    }
}

/// Ends it.
pub(super) fn end(script: &mut Script<'_>, told: &str) {
    if !told.is_empty() {
        tell(script, told);
        script.all(&[Statement::Commit]);
    }
}

/// Tells others, if the step did something.
pub(super) fn tell(script: &mut Script<'_>, told: &str) {
    if !told.is_empty() {
        tell_of(script, Value::Bytes(told.as_bytes()));
    }
}

pub(super) fn tell_of(script: &mut Script<'_>, told: Value<'_>) {
    script.add(Statement::Draw, &[Value::Int(chance::bigint())]);
    script.all(&[Statement::Drawn]);
    script.add(Statement::Tell, &[told]);
}

/// An entry as a row.
///
/// # Errors
/// `Capacity` for a name that is too long.
pub(super) fn row<'a>(
    name: &'a str,
    bytes: &'a Bytes,
    version: i64,
    ttl: Option<Duration>,
) -> Result<Vec<Value<'a>>, Failure> {
    Ok(vec![
        Value::Bytes(named(name)?),
        Value::Bytes(bytes),
        Value::Int(version),
        Value::End(micros(ttl)),
    ])
}

/// Names as a statement has them.
///
/// # Errors
/// `Capacity` for one that is too long.
pub(super) fn all_named<'a>(names: &[&'a str]) -> Result<Vec<&'a [u8]>, Failure> {
    names.iter().map(|name| named(name)).collect()
}

impl Store for Mysql {
    fn info(&self) -> Info {
        Info {
            kind: "mysql",
            place: self.dialer().config.to_string(),
            durability: Durability::Power,
            embedded: false,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: LONGEST_NAME,
            largest_value: largest(self.dialer().packet()) as u64,
            longest_ttl: None,
            ttl_precision: Duration::from_millis(2),
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        Answer::later(async move {
            let names = [named(name)?];
            let mut script = self.link.script();
            let place = script.add(Statement::GetMany, &[Value::Any(&names)]);
            let rows = self.link.ask(script).await?.rows(place)?;
            Ok(placed(rows, &[name])?.pop().flatten())
        })
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        Answer::later(async move { self.put(&[&Entry { name, bytes, ttl }]).await })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        Answer::later(async move {
            let (names, told) = ([named(name)?], self.told([name]));
            let both = [Statement::Delete, Statement::DeleteRest];
            Ok(self.strip(both, &[Value::Any(&names)], &told).await? > 0)
        })
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        Answer::later(async move {
            let mut all = Vec::with_capacity(names.len());
            for names in names.chunks(AT_ONCE) {
                let wanted = all_named(names)?;
                let mut script = self.link.script();
                let place = script.add(Statement::GetMany, &[Value::Any(&wanted)]);
                let rows = self.link.ask(script).await?.rows(place)?;
                all.append(&mut placed(rows, names)?);
            }
            Ok(all)
        })
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        Answer::later(async move {
            // The last one of a name counts; in the order of the names two that set the same ones do not wait for each other.
            let entries: BTreeMap<&str, &Entry<'_>> =
                entries.iter().map(|entry| (entry.name, entry)).collect();
            let (mut lot, mut size) = (Vec::new(), 0);
            for entry in entries.into_values() {
                let is_full = lot.len() == AT_ONCE || size + entry.bytes.len() > BYTES_AT_ONCE;
                if is_full && !lot.is_empty() {
                    self.put(&lot).await?;
                    (lot, size) = (Vec::new(), 0);
                }
                size += entry.bytes.len();
                lot.push(entry);
            }
            if lot.is_empty() {
                return Ok(());
            }
            self.put(&lot).await
        })
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        Answer::later(async move {
            let mut gone = 0;
            for names in names.chunks(AT_ONCE) {
                let (wanted, told) = (all_named(names)?, self.told(names.iter().copied()));
                let both = [Statement::Delete, Statement::DeleteRest];
                gone += self.strip(both, &[Value::Any(&wanted)], &told).await?;
            }
            Ok(gone)
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        Answer::later(async move {
            if prefix.len() > LONGEST_NAME {
                // No name begins so.
                return self.pinged().await.map(|()| 0);
            }
            let is_told = !prefix.starts_with(PRIVATE);
            let told = is_told.then(|| self.says(&of_clear(prefix)));
            let (from, end) = range(prefix);
            let values = [Value::Bytes(from), Value::Bytes(&end)];
            let both = [Statement::Clear, Statement::ClearRest];
            self.strip(both, &values, &told.unwrap_or_default()).await
        })
    }

    fn sweep(&self) -> Answer<'_, u64> {
        Answer::later(async move {
            let own = self.link.open()?;
            sweep(&own.pool, &own.dialer.written).await
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Answer::later(self.pinged())
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

impl Mysql {
    async fn pinged(&self) -> Result<(), Failure> {
        let mut script = self.link.script();
        script.all(&[Statement::Ping]);
        self.link.ask(script).await.map(drop)
    }
}

impl fmt::Debug for Mysql {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Mysql")
            .field("place", &self.dialer().config.to_string())
            .finish_non_exhaustive()
    }
}
