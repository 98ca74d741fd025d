//! The right to compute, among the processes of a host. A lease ends by the store's time, whatever became of its holder.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Grant, Leases};

use crate::error::Step;
use crate::files::remaining;
use crate::index::{At, Slot};
use crate::store::Disk;
use crate::writing::Writing;

impl Leases for Disk {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        let granted = self.check(name, 0).and_then(|()| {
            self.write(|writing| {
                let deadline = writing.deadline(Some(ttl));
                match writing.lease(name)? {
                    Some((at, slot, holder)) if holder == token => {
                        writing.change_slot(at, &Slot { deadline, ..slot })?;
                    }
                    Some((_, slot, _)) => {
                        let left = remaining(slot.deadline, writing.now).unwrap_or(Duration::MAX);
                        return Ok(Grant::Held(left));
                    }
                    None => {
                        writing.put_lease(name, token, deadline)?;
                        writing.commit()?;
                    }
                }
                Ok(Grant::Granted)
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
}

/// The slot of a lease, if it is there and of this token.
pub(super) fn held(writing: &mut Writing<'_>, name: &str, token: u64) -> Step<Option<(At, Slot)>> {
    let lease = writing.lease(name)?;
    Ok(lease.and_then(|(at, slot, holder)| (holder == token).then_some((at, slot))))
}
