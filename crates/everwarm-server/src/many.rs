//! Many at once: get, set, delete, leases, sets under leases.

use everwarm_core::store::{Entry, Leased};
use everwarm_store_http::contract::MOST;
use everwarm_store_http::contract::bodies::{
    Written, body, entries, names, put_found, put_grants, put_yes, wanted, whole,
};

use crate::reply::{Refusal, Reply, done, frames, text};
use crate::serving::{Ask, Serving, check, told};

/// Entries that are read at once, on the way to as many as an answer holds.
pub(crate) const LOT: usize = 100;

/// What a body has, if it is what the contract says.
pub(crate) fn read<T>(
    ask: &Ask,
    read: impl FnOnce(&mut everwarm_store_http::contract::frames::Reader) -> Option<T>,
) -> Result<T, Refusal> {
    whole(ask.body.clone(), read)
        .ok_or_else(|| Refusal::malformed("the body is not in the frames of this route"))
}

/// References to names that are not too long.
pub(crate) fn checked(names: &[String]) -> Result<Vec<&str>, Refusal> {
    let checked = names.iter().map(|name| check(name).map(|()| name.as_str()));
    checked.collect()
}

fn checked_entries(entries: &[Written]) -> Result<(), Refusal> {
    entries.iter().try_for_each(|entry| check(&entry.name))
}

impl Serving {
    /// How many bytes an answer may have.
    pub(crate) fn most(&self, ask: &Ask) -> Result<u64, Refusal> {
        let most = ask.said(MOST, |text| text.parse().ok())?;
        Ok(most.unwrap_or(self.max_body).min(self.max_body))
    }

    pub(crate) async fn get_many(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let (names, most) = (read(ask, names)?, self.most(ask)?);
        let names = checked(&names)?;
        let (mut all, mut size) = (Vec::new(), 0);
        'lots: for lot in names.chunks(LOT) {
            for found in self.store.get_many(lot).await? {
                size += found
                    .as_ref()
                    .map_or(1, |found| found.bytes.len() as u64 + 32);
                // One at least, so that it goes on.
                if size > most && !all.is_empty() {
                    break 'lots;
                }
                all.push(found);
            }
        }
        Ok(frames(body(|to| {
            to.many(all.iter(), |to, one| put_found(to, one.as_ref()));
        })))
    }

    pub(crate) async fn set_many(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let written = read(ask, entries)?;
        checked_entries(&written)?;
        let all: Vec<_> = written
            .iter()
            .map(|one| Entry {
                name: &one.name,
                bytes: one.bytes.clone(),
                ttl: one.ttl,
            })
            .collect();
        let outcome = self.store.set_many(&all).await;
        let names = all.iter().map(|entry| entry.name);
        told(outcome, || self.news.names(ask.client, names))?;
        Ok(done())
    }

    pub(crate) async fn delete_many(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let names = read(ask, names)?;
        let names = checked(&names)?;
        let outcome = self.store.delete_many(&names).await;
        let all = names.iter().copied();
        Ok(text(told(outcome, || self.news.names(ask.client, all))?))
    }

    pub(crate) async fn lease_many(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let leases = self.facet("leases", |store| store.leases())?;
        let (ttl, names) = read(ask, wanted)?;
        let named = names.iter().map(|(name, token)| {
            check(name)?;
            Ok::<_, Refusal>((name.as_str(), *token))
        });
        let named = named.collect::<Result<Vec<_>, _>>()?;
        let grants = leases.lease_many(&named, ttl).await?;
        Ok(frames(body(|to| put_grants(to, &grants))))
    }

    pub(crate) async fn set_leased_many(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let leases = self.facet("leases", |store| store.leases())?;
        let written = read(ask, entries)?;
        checked_entries(&written)?;
        let all: Vec<_> = written
            .iter()
            .map(|one| Leased {
                name: &one.name,
                token: one.token,
                bytes: one.bytes.clone(),
                ttl: one.ttl,
            })
            .collect();
        let stored = leases.set_leased_many(&all).await?;
        Ok(frames(body(|to| put_yes(to, &stored))))
    }
}
