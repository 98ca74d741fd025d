//! The facets of a memory store with one fault.

use std::time::Duration;

use everwarm_conformance::wait;
use everwarm_core::mark::{Reading, Tag, valid};
use everwarm_core::store::{
    Answer, Bytes, Computed, Condition, Conditional, Counters, Found, Generations, Grant, Leases,
    Messages, Notify, Page, Scan, Settled, Store, Touch,
};

use super::faulty::{Done, EVER, Fault, Faulty, content_version, now, pause};

impl Faulty {
    fn counts(&self) -> &dyn Counters {
        self.inner.counters().expect("it has counters")
    }

    fn compares(&self) -> &dyn Conditional {
        self.inner.conditional().expect("it has conditional writes")
    }

    fn lends(&self) -> &dyn Leases {
        self.inner.leases().expect("it has leases")
    }

    fn scans(&self) -> &dyn Scan {
        self.inner.scan().expect("it has scan")
    }

    fn touches(&self) -> &dyn Touch {
        self.inner.touch().expect("it has touch")
    }

    pub(crate) fn numbers(&self) -> &dyn Generations {
        self.inner.generations().expect("it has generations")
    }
}

impl Counters for Faulty {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        let initial = if self.has(Fault::ForgetsInitial) {
            0
        } else {
            initial
        };
        now(|| {
            if self.has(Fault::CountsInTwoSteps) {
                let text = wait(self.inner.get(name))?.map(|found| found.bytes);
                let before = text.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
                let after = before.unwrap_or(initial) + by;
                pause();
                wait(self.inner.set(name, after.to_string().into(), None))?;
                return Ok(after);
            }
            let counted = wait(self.counts().incr(name, by, initial, ttl));
            match (
                self.has(Fault::Saturates),
                self.has(Fault::CountsText),
                &counted,
            ) {
                (true, _, Err(_)) => return Ok(i64::MAX),
                (_, true, Err(_)) => wait(self.inner.set(name, Bytes::from("0"), None))?,
                _ => {}
            }
            let number = counted?;
            if self.has(Fault::CountsInHex) {
                wait(self.inner.set(name, format!("{number:#x}").into(), None))?;
            }
            if self.has(Fault::RenewsCounters) {
                wait(self.touches().expire(name, ttl))?;
            }
            Ok(number)
        })
    }
}

impl Conditional for Faulty {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        now(|| {
            let there = wait(self.inner.get(name))?;
            let ttl = self.ttl(name, ttl)?;
            let mut condition = condition;
            if self.has(Fault::IgnoresCondition) {
                condition = if there.is_some() {
                    Condition::Present
                } else {
                    Condition::Absent
                };
            }
            if let (true, Condition::Version(asked), Some(there)) =
                (self.has(Fault::ReusesVersions), condition, &there)
                && content_version(&there.bytes) == asked
            {
                condition = Condition::Version(there.version);
            }
            if self.has(Fault::ComparesInTwoSteps) {
                let version = there.map(|there| there.version);
                let holds = match condition {
                    Condition::Absent => version.is_none(),
                    Condition::Present => version.is_some(),
                    Condition::Version(asked) => version == Some(asked),
                };
                pause();
                if holds {
                    wait(self.inner.set(name, bytes, ttl))?;
                }
                return Ok(holds.then_some(1));
            }
            let set = wait(self.compares().set_if(name, bytes.clone(), ttl, condition))?;
            if set.is_none() && self.has(Fault::RefreshesInVain) {
                wait(self.touches().expire(name, ttl))?;
            }
            Ok(set.map(|version| match self.has(Fault::ReusesVersions) {
                true => content_version(&bytes),
                false => version,
            }))
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        match self.has(Fault::DeletesAnyVersion) {
            true => self.inner.delete(name),
            false => self.compares().delete_if(name, version),
        }
    }
}

impl Leases for Faulty {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        now(|| {
            if self.has(Fault::LeasesInTwoSteps) {
                let lease = format!("lease of {name}");
                let own = Bytes::from(token.to_string());
                let there = wait(self.inner.get(&lease))?;
                pause();
                if there.is_some_and(|there| there.bytes != own) {
                    return Ok(Grant::Held(ttl));
                }
                wait(self.inner.set(&lease, own, Some(ttl)))?;
                return Ok(Grant::Granted);
            }
            let before = self.seen().tokens.insert(name.to_owned(), token);
            if self.has(Fault::RenewsInVain) && before == Some(token) {
                return Ok(Grant::Granted);
            }
            let ttl = if self.has(Fault::LeasesForEver) {
                EVER
            } else {
                ttl
            };
            match wait(self.lends().lease(name, token, ttl))? {
                Grant::Held(_) if self.has(Fault::LeasesToAll) => Ok(Grant::Granted),
                grant => Ok(grant),
            }
        })
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        self.lends().renew(name, token, ttl)
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        match self.has(Fault::NeverReleases) {
            true => self.lends().renew(name, token, EVER),
            false => self.lends().release(name, token),
        }
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        now(|| {
            let set = wait(self.lends().set_leased(name, token, bytes.clone(), ttl))?;
            if set && self.has(Fault::KeepsLeaseAfterSettling) {
                self.give_back(name)?;
            }
            if set && self.has(Fault::TellsOfComputed) {
                wait(self.inner.set(name, bytes, ttl))?;
            }
            Ok(set)
        })
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        now(|| {
            let each = names
                .iter()
                .map(|&(name, token)| wait(self.lease(name, token, ttl)));
            let mut grants = each.collect::<Done<Vec<_>>>()?;
            if self.has(Fault::LeasesAllOrNone) && !grants.iter().all(|one| *one == Grant::Granted)
            {
                grants.fill(Grant::Held(ttl));
            }
            Ok(grants)
        })
    }
}

impl Scan for Faulty {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        now(|| {
            if self.has(Fault::ScansExpired) {
                let names = self.seen().names.clone();
                let names = names.into_iter().filter(|name| name.starts_with(prefix));
                return Ok(Page {
                    names: names.collect(),
                    next: None,
                });
            }
            let prefix = self.prefix(prefix);
            if self.has(Fault::ScansByNumber) {
                let skipped: usize = after.and_then(|after| after.parse().ok()).unwrap_or(0);
                let all = wait(self.scans().page(prefix, None, usize::MAX - 1))?.names;
                let names: Vec<_> = all.into_iter().skip(skipped).take(limit).collect();
                let next = (names.len() == limit).then(|| (skipped + limit).to_string());
                return Ok(Page { names, next });
            }
            let mut page = wait(self.scans().page(prefix, after, limit))?;
            if let Some(after) = after {
                if self.has(Fault::ScansTwice) {
                    page.names.insert(0, after.to_owned());
                }
                if self.has(Fault::ScansSkipping) {
                    page.names.pop();
                }
            }
            if self.has(Fault::ScansByCase) {
                page.names
                    .iter_mut()
                    .for_each(|name| *name = name.to_lowercase());
            }
            Ok(page)
        })
    }
}

impl Touch for Faulty {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        now(|| {
            let there: Option<Found> = wait(self.inner.get(name))?;
            if let Some(there) = &there {
                let is_shorter =
                    ttl.is_some_and(|ttl| there.remaining.is_none_or(|left| ttl < left));
                if self.has(Fault::OnlyLengthens) && is_shorter {
                    return Ok(true);
                }
                if self.has(Fault::TouchRewrites) {
                    wait(self.inner.set(name, there.bytes.clone(), ttl))?;
                }
            } else if self.has(Fault::TouchRevives) {
                wait(self.inner.set(name, Bytes::new(), ttl))?;
                return Ok(false);
            }
            wait(self.touches().expire(name, ttl))
        })
    }
}

impl Faulty {
    fn space<'a>(&self, namespace: &'a str) -> &'a str {
        if self.has(Fault::OneNamespace) {
            ""
        } else {
            namespace
        }
    }

    fn stored(&self, computed: Computed<'_>) -> Done<Settled> {
        wait(self.inner.set(computed.name, computed.bytes, computed.ttl))?;
        Ok(Settled::Stored)
    }
}

impl Generations for Faulty {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        now(|| {
            let keep = if self.has(Fault::ForgetsMarkers) {
                Some(Duration::ZERO)
            } else {
                keep
            };
            let mut begun = wait(self.numbers().begin(self.space(namespace), tags, keep))?;
            if self.has(Fault::GivesNoMarkers) {
                begun.markers.fill(None);
            }
            Ok(begun)
        })
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        match self.has(Fault::ReadMarks) {
            true => self.numbers().begin(namespace, tags, None),
            false => self.numbers().read(self.space(namespace), tags),
        }
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        now(|| {
            let mut with = wait(self.numbers().get_with(name, namespace, tags))?;
            if self.has(Fault::MixesUpTags) {
                with.1.markers.reverse();
            }
            Ok(with)
        })
    }

    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        now(|| {
            let many = self.numbers().get_many_with(names, namespace, tags);
            let (mut found, mut reading) = wait(many)?;
            if self.has(Fault::MixesUpMany) {
                found.reverse();
            }
            if self.has(Fault::TellsOlderMarkersOfMany) {
                let markers = reading.markers.iter_mut().flatten();
                markers.for_each(|marker| marker.number = marker.number.saturating_sub(1));
            }
            Ok((found, reading))
        })
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        match self.has(Fault::NumbersStandStill) {
            true => self.numbers().read(namespace, tags),
            false if self.has(Fault::InvalidatingResumes) => {
                self.suspends().resume(namespace, tags)
            }
            false => self.numbers().invalidate(self.space(namespace), tags),
        }
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        now(|| {
            if self.has(Fault::NeverOvertakes) {
                return self.stored(computed);
            }
            if self.is_suspended(computed.tags) {
                return Ok(Settled::Overtaken);
            }
            let markers = wait(self.numbers().read(computed.namespace, computed.tags))?.markers;
            if self.has(Fault::SettlesInTwoSteps) {
                let is_valid = valid(computed.stamps, markers);
                pause();
                return if is_valid {
                    self.stored(computed)
                } else {
                    Ok(Settled::Overtaken)
                };
            }
            let mut computed = computed;
            if self.has(Fault::SettlesWithoutLease) {
                computed.token = None;
            }
            let marked = computed
                .tags
                .iter()
                .zip(markers)
                .filter(|(_, marker)| marker.is_some());
            let marked: Vec<Tag> = marked.map(|(tag, _)| *tag).collect();
            if self.has(Fault::MarksWithStamp) {
                // As if the others had markers that equal the stamp.
                computed.tags = &marked;
                return wait(self.numbers().settle(computed));
            }
            computed.namespace = self.space(computed.namespace);
            wait(self.numbers().settle(computed))
        })
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        now(|| {
            let mut settled = Vec::with_capacity(computed.len());
            for computed in computed {
                settled.push(wait(self.settle(computed.clone()))?);
                if self.has(Fault::SettlesUpToTheFirst) && settled.last() != Some(&Settled::Stored)
                {
                    break;
                }
            }
            settled.resize(computed.len(), Settled::Lost);
            Ok(settled)
        })
    }
}

impl Notify for Faulty {
    fn change(&self) -> u64 {
        let change = self.inner.notify().map_or(0, Notify::change);
        if self.has(Fault::IsSilent) { 0 } else { change }
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        now(|| {
            let after = if self.has(Fault::TellsAgain) {
                after.saturating_sub(1)
            } else {
                after
            };
            let listens = if self.has(Fault::TellsItself) {
                &self.listener
            } else {
                &self.inner
            };
            let mut told = wait(listens.notify().expect("it has notify").messages(after))?;
            if self.has(Fault::HidesGaps) {
                told.gap = false;
            }
            Ok(told)
        })
    }
}
