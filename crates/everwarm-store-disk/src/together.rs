//! Many writes in as few steps as they fit into: one lock, one append to the log, one head.

use std::time::Duration;

use everwarm_core::store::{Bytes, Failure};

use crate::error::Step;
use crate::put::{Put, value_of};
use crate::record::LARGE_FROM;
use crate::store::Disk;
use crate::writing::Writing;

/// What is put: a name, its bytes, and how long they are kept.
pub(crate) type Kept<'a> = (&'a str, &'a Bytes, Option<Duration>);

impl Disk {
    /// Does the same with each of `all`; what each came to, in their order.
    pub(crate) fn in_few_steps<I, R>(
        &self,
        all: &[I],
        mut each: impl FnMut(&mut Writing<'_>, &I) -> Step<R>,
    ) -> Result<Vec<R>, Failure> {
        let mut done = Vec::with_capacity(all.len());
        while done.len() < all.len() {
            // A step may be begun again: what it did before does not count.
            let more = self.write(|writing| {
                let mut more = Vec::new();
                for item in &all[done.len()..] {
                    if writing.is_long() {
                        break;
                    }
                    more.push(each(writing, item)?);
                }
                writing.commit_changes()?;
                Ok(more)
            })?;
            done.extend(more);
        }
        Ok(done)
    }

    /// Puts those of `all` of which `allowed` says so, and tells nobody; of each, why it is not put. Large values take a step each.
    pub(crate) fn put_all_if<'a, I, R>(
        &self,
        all: &'a [I],
        kept: impl Fn(&'a I) -> Kept<'a>,
        mut allowed: impl FnMut(&mut Writing<'_>, &'a I) -> Step<Result<(), R>>,
    ) -> Result<Vec<Result<(), R>>, Failure> {
        let (mut short, mut large) = (Vec::new(), Vec::new());
        for (at, item) in all.iter().enumerate() {
            let (name, bytes, _) = kept(item);
            self.check(name, bytes.len() as u64)?;
            let is_large = bytes.len() >= LARGE_FROM;
            (if is_large { &mut large } else { &mut short }).push((at, item));
        }
        let put = self.in_few_steps(&short, |writing, &(_, item)| {
            if let Err(refusal) = allowed(writing, item)? {
                return Ok(Err(refusal));
            }
            let (name, bytes, ttl) = kept(item);
            let put = Put {
                name,
                value: value_of(bytes, None),
                deadline: writing.deadline(ttl),
                is_told: false,
            };
            writing.put(&put).map(|_| Ok(()))
        })?;
        let mut came: Vec<_> = short.iter().map(|&(at, _)| at).zip(put).collect();
        for (at, item) in large {
            let put = self.put_if(kept(item), false, |writing| allowed(writing, item))?;
            came.push((at, put.map(|_| ())));
        }
        came.sort_by_key(|&(at, _)| at);
        Ok(came.into_iter().map(|(_, put)| put).collect())
    }
}
