//! The right to compute, among the processes of a host. A lease ends by the store's time, whatever became of its holder.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Grant, Leased, Leases};

use crate::error::Step;
use crate::files::remaining;
use crate::index::{At, Slot};
use crate::store::Disk;
use crate::writing::Writing;

impl Leases for Disk {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        let granted = self.check(name, 0).and_then(|()| {
            self.write(|writing| {
                let granted = grant(writing, (name, token), ttl)?;
                writing.commit_changes()?;
                Ok(granted)
            })
        });
        Answer::Now(granted)
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        let renewed = self.write(|writing| {
            let Some((at, slot)) = held(writing, name, token)? else {
                return Ok(false);
            };
            let deadline = writing.deadline(Some(ttl));
            writing.change_slot(at, &Slot { deadline, ..slot })?;
            Ok(true)
        });
        Answer::Now(renewed)
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        let released = self.write(|writing| {
            let Some((_, slot)) = held(writing, name, token)? else {
                return Ok(false);
            };
            writing.take_slot(&slot)?;
            writing.commit()?;
            Ok(true)
        });
        Answer::Now(released)
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        let set = self.put_if((name, &bytes, ttl), false, |writing| {
            Ok(held(writing, name, token)?.map(|_| ()).ok_or(()))
        });
        Answer::Now(set.map(|set| set.is_ok()))
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        let checked = names.iter().try_for_each(|(name, _)| self.check(name, 0));
        let granted = checked.and_then(|()| {
            self.in_few_steps(names, |writing, &wanted| grant(writing, wanted, ttl))
        });
        Answer::Now(granted)
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        let put = |entry: &'a Leased<'a>| (entry.name, &entry.bytes, entry.ttl);
        let set = self.put_all_if(entries, put, |writing, entry| {
            let held = held(writing, entry.name, entry.token)?;
            Ok(held.map(|_| ()).ok_or(()))
        });
        Answer::Now(set.map(|set| set.iter().map(Result::is_ok).collect()))
    }
}

/// Gives a lease within a step, if nobody else has it.
fn grant(writing: &mut Writing<'_>, (name, token): (&str, u64), ttl: Duration) -> Step<Grant> {
    let deadline = writing.deadline(Some(ttl));
    match writing.lease(name)? {
        Some((at, slot, holder)) if holder == token => {
            writing.change_slot(at, &Slot { deadline, ..slot })?;
        }
        Some((_, slot, _)) => {
            let left = remaining(slot.deadline, writing.now).unwrap_or(Duration::MAX);
            return Ok(Grant::Held(left));
        }
        None => writing.put_lease(name, token, deadline)?,
    }
    Ok(Grant::Granted)
}

/// The slot of a lease, if it is there and of this token.
pub(super) fn held(writing: &mut Writing<'_>, name: &str, token: u64) -> Step<Option<(At, Slot)>> {
    let lease = writing.lease(name)?;
    Ok(lease.and_then(|(at, slot, holder)| (holder == token).then_some((at, slot))))
}
