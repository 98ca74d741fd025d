//! The store: which requests each verb is.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Entry, Failure, Found, Generations, Health,
    Info, Leases, Limits, Scan, Store, Suspend, Touch,
};
use everwarm_network::chance;
use futures_util::FutureExt;

use crate::client::{Client, Part, Undone, all};
use crate::clock::PRECISION;
use crate::config::Config;
use crate::error::{closed, long_name, too_large};
use crate::head::{Head, Value};
use crate::names::LONGEST;
use crate::process::Process;

/// A store of objects.
///
/// Nothing is connected before it is needed, and to open one never fails because a service is down.
pub struct Objects {
    config: Config,
    process: Process,
    is_closed: AtomicBool,
}

impl Objects {
    /// A store as `config` says.
    ///
    /// # Errors
    /// `Permanent` for files and options that cannot be used, `Authentication` for variables that are not there.
    pub fn open(config: Config) -> Result<Self, Failure> {
        Ok(Self {
            process: Process::new(&config)?,
            config,
            is_closed: AtomicBool::new(false),
        })
    }

    /// What the store was told.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// What this process asks with.
    ///
    /// # Errors
    /// `Closed`, and as [`Client::new`] in a child.
    pub(crate) fn client(&self) -> Result<&Client, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        self.process.client(&self.config)
    }

    /// Refuses a name that is too long.
    ///
    /// # Errors
    /// `Capacity`.
    pub(crate) fn check(&self, name: &str) -> Result<&Client, Failure> {
        if name.len() > LONGEST {
            return Err(long_name(name.len()));
        }
        self.client()
    }

    /// Refuses bytes that are too many, and a name that is too long.
    ///
    /// # Errors
    /// `Capacity`.
    pub(crate) fn check_bytes(&self, name: &str, bytes: &Bytes) -> Result<&Client, Failure> {
        let (length, most) = (bytes.len() as u64, self.config.max_value);
        if length > most {
            return Err(too_large(length, most));
        }
        self.check(name)
    }

    pub(crate) async fn found(&self, name: &str) -> Result<Option<Found>, Failure> {
        let client = self.check(name)?;
        let seen = client.read(&client.keys.entry(name), Part::Whole).await?;
        let entry = client.entry(seen.as_ref())?;
        Ok(entry.head.value.map(|value| Found {
            bytes: entry.bytes,
            remaining: value.remaining(entry.now),
            version: value.version,
        }))
    }

    pub(crate) async fn put(
        &self,
        name: &str,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Result<(), Failure> {
        let client = self.check_bytes(name, &bytes)?;
        if ttl.is_some() {
            client.met().await?;
        }
        let head = Head {
            value: Some(Value::new(chance::number(), client.clock.now(), ttl)),
            lease: None,
        };
        client
            .replace(
                &client.keys.entry(name),
                head.written(chance::number()),
                bytes,
            )
            .await
    }

    /// Whether something was there is exact where a delete may have a condition.
    async fn taken(&self, name: &str) -> Result<bool, Failure> {
        const TRIES: u32 = 8;
        let client = self.check(name)?;
        let key = client.keys.entry(name);
        for tries in 0..TRIES {
            crate::changes::pause(tries).await?;
            let Some(seen) = client.read(&key, Part::Head).await? else {
                return Ok(false);
            };
            let was = client.entry(Some(&seen))?.head.value.is_some();
            // The last time it is deleted whatever it is.
            let only = Some(&seen.version).filter(|_| tries + 1 < TRIES);
            match client.delete(&key, only).await {
                Ok(()) => return Ok(was),
                Err(Undone::Missing) => return Ok(false),
                Err(Undone::Unmet) => {}
                Err(Undone::Failed(failure)) => return Err(failure),
            }
        }
        Ok(true)
    }

    async fn cleared(&self, prefix: &str) -> Result<u64, Failure> {
        let client = self.client()?;
        let begins = client.keys.entries(prefix);
        let (mut cleared, mut after) = (0, None);
        loop {
            let (keys, next) = client.page(&begins, after.as_deref(), 1_000).await?;
            cleared += keys.len() as u64;
            if !keys.is_empty() {
                client.delete_all(keys).await?;
            }
            after = next;
            if after.is_none() {
                return Ok(cleared);
            }
        }
    }

    /// Deletes what has expired, and only that: where deletes have no conditions, a rule of the bucket has to do it.
    async fn swept(&self) -> Result<u64, Failure> {
        let client = self.client()?;
        if !client.honours().await?.deletes {
            return Ok(0);
        }
        let begins = client.keys.entries("");
        let (mut swept, mut after) = (0, None);
        loop {
            let (keys, next) = client.page(&begins, after.as_deref(), 1_000).await?;
            let each = keys
                .iter()
                .map(|key| self.swept_one(client, key.as_ref()).boxed());
            let gone = all(each.collect()).await?;
            swept += gone.into_iter().filter(|&gone| gone).count() as u64;
            after = next;
            if after.is_none() {
                return Ok(swept);
            }
        }
    }

    async fn swept_one(&self, client: &Client, key: &str) -> Result<bool, Failure> {
        let Some(seen) = client.read(key, Part::Head).await? else {
            return Ok(false);
        };
        // Of what is none of ours nothing is known.
        let Some(head) = Head::read(&seen.bytes) else {
            return Ok(false);
        };
        // Others may still see it: their clocks need not agree with this one's.
        let now = client
            .clock
            .now()
            .saturating_sub(PRECISION.as_micros() as u64);
        if !head.at(now).is_over() {
            return Ok(false);
        }
        match client.delete(key, Some(&seen.version)).await {
            Ok(()) => Ok(head.value.is_some()),
            Err(Undone::Missing | Undone::Unmet) => Ok(false),
            Err(Undone::Failed(failure)) => Err(failure),
        }
    }
}

impl Store for Objects {
    fn info(&self) -> Info {
        Info {
            kind: self.config.service.scheme(),
            place: self.config.to_string(),
            durability: Durability::Power,
            embedded: false,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: LONGEST,
            largest_value: self.config.max_value,
            longest_ttl: None,
            ttl_precision: PRECISION,
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        Answer::later(self.found(name))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        Answer::later(self.put(name, bytes, ttl))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        Answer::later(self.taken(name))
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        Answer::later(async move {
            self.client()?;
            all(names.iter().map(|name| self.found(name).boxed()).collect()).await
        })
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        Answer::later(async move {
            self.client()?;
            for entry in entries {
                self.check_bytes(entry.name, &entry.bytes)?;
            }
            let put =
                |entry: &'a Entry<'a>| self.put(entry.name, entry.bytes.clone(), entry.ttl).boxed();
            all(entries.iter().map(put).collect()).await.map(drop)
        })
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        Answer::later(async move {
            self.client()?;
            for name in names {
                self.check(name)?;
            }
            let were = all(names.iter().map(|name| self.taken(name).boxed()).collect()).await?;
            Ok(were.into_iter().filter(|&was| was).count() as u64)
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        Answer::later(self.cleared(prefix))
    }

    fn sweep(&self) -> Answer<'_, u64> {
        Answer::later(self.swept())
    }

    fn ping(&self) -> Answer<'_, ()> {
        Answer::later(async move {
            let client = self.client()?;
            client
                .read(&client.keys.trial(0), Part::Head)
                .await
                .map(drop)
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        self.is_closed.store(true, Ordering::Relaxed);
        if let Ok(client) = self.process.client(&self.config) {
            client.leave();
        }
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

impl fmt::Debug for Objects {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Objects")
            .field("place", &self.config.to_string())
            .finish_non_exhaustive()
    }
}
