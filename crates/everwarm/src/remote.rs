//! The part of a call that stores have: what lies there before it computes, and what it has computed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::judge::Freshness;
use everwarm_engine::stack::{Place, Seat, Written};
use everwarm_engine::{Key, Offer, Settle};
use everwarm_tiers::Standing;

use crate::call::{Call, Next};
use crate::home::{Home, Worth};
use crate::job::Leading;
use crate::link::{Asking, Kept, Link, Taken, Writing};

/// How long an old value is served without a look at the stores while another process computes it anew.
const ELSEWHERE: Duration = Duration::from_secs(1);

/// A computed value on its way into stores, and then into memory.
pub(crate) struct Storing<K: Key, V: Clone> {
    pub(crate) leading: Leading<K, V>,
    pub(crate) value: V,
    pub(crate) worth: Worth,
    pub(crate) tags: Vec<Arc<str>>,
}

/// What becomes of a computed value that may be kept.
#[expect(
    clippy::large_enum_variant,
    reason = "a cache in memory would pay for the box"
)]
pub(crate) enum Keeping<K: Key, V: Clone> {
    /// The stores are asked to take it; then it is [`Call::stored`].
    Stores(Box<Storing<K, V>>, Writing),
    /// There are none, or they have no place for it: memory may take it, or only those who wait.
    Memory(Storing<K, V>, Standing),
}

impl<K: Key, V: Clone> Home<K, V> {
    /// Where the entry of a key lies in stores.
    pub(crate) fn place(&self, key: &K) -> Option<Place> {
        self.link.as_ref()?.place(key)
    }

    /// The tags of an entry, with those by which memory hears of it.
    pub(crate) fn tags(&self, place: &Place, given: &[Arc<str>]) -> Vec<Arc<str>> {
        let own = self.link.iter().flat_map(|link| link.own_tags(place));
        given.iter().cloned().chain(own).collect()
    }
}

impl<K: Key, V: Clone> Call<'_, K, V> {
    fn linked(&self) -> Option<(&Link<K, V>, &Place)> {
        self.home.link.as_ref().zip(self.place)
    }

    /// The tags that users gave, as stores are told of them.
    fn given(&self) -> Arc<[Arc<str>]> {
        let given = self.tags.iter().filter(|tag| !crate::link::is_own(tag));
        given.cloned().collect()
    }

    /// Asks the stores for a lead that may wait for another process, or may not; None if there are none.
    pub(crate) fn asking(&self, waits: bool) -> Option<impl Future<Output = Taken<V>>> {
        let (link, place) = self.linked()?;
        let read = self.plan.read();
        let wanted = (place.clone(), self.given());
        Some(self.home.asked(link, wanted, Asking::Lead { read, waits }))
    }

    /// Asks the stores what somebody has computed since an old value was served; None if there are none, or it was not.
    pub(crate) fn asking_behind(
        &self,
        leading: &Leading<K, V>,
    ) -> Option<impl Future<Output = Taken<V>> + use<'_, K, V>> {
        let (link, place) = self.linked().filter(|_| leading.lead.is_behind())?;
        let wanted = (place.clone(), self.given());
        Some(self.home.asked(link, wanted, Asking::Behind))
    }

    /// What is left to do after what stores had for a lead.
    pub(crate) fn taken(&self, leading: Leading<K, V>, taken: Taken<V>) -> Next<K, V> {
        match taken {
            Taken::Kept(kept) => {
                let is_due = kept.is_due() && !leading.lead.is_behind();
                let value = self.found(leading, *kept);
                let anew =
                    is_due.then(|| self.home.engine.lead_behind(self.asked(&[], false, true)));
                match anew.flatten() {
                    Some(lead) => Next::Refresh(value, Leading::new(self, lead)),
                    None => Next::Return(value),
                }
            }
            Taken::Seat(seat, old) => Next::Compute(self.seated(leading, seat, old)),
            Taken::Elsewhere => Next::Compute(leading),
        }
    }

    /// The same for a lead behind a value that was served.
    ///
    /// # Errors
    /// The lead, which is to compute.
    #[expect(
        clippy::result_large_err,
        reason = "who goes on to compute is no error, and is moved once"
    )]
    pub(crate) fn taken_behind(
        &self,
        leading: Leading<K, V>,
        taken: Taken<V>,
    ) -> Result<V, Leading<K, V>> {
        match taken {
            Taken::Kept(kept) => Ok(self.found(leading, *kept)),
            Taken::Seat(seat, old) => Err(self.seated(leading, seat, old)),
            Taken::Elsewhere => match leading.lead.fallback() {
                Some(old) => {
                    leading.lead.defer(ELSEWHERE);
                    Ok(old.value)
                }
                None => Err(leading),
            },
        }
    }

    fn seated(
        &self,
        mut leading: Leading<K, V>,
        seat: Seat,
        old: Option<Box<Kept<V>>>,
    ) -> Leading<K, V> {
        leading.seat = Some(seat);
        if let Some(old) = old {
            leading.lead.offer(&Offer {
                value: &old.value,
                lifetime: self.home.in_memory(old.lifetime),
                age: old.age,
                tags: &old.tags,
                weight: self.home.weigh(self.key, &old.value),
            });
        }
        leading
    }

    /// Ends with a value that stores had: those who wait get it, and memory keeps it as long as stores would.
    fn found(&self, leading: Leading<K, V>, kept: Kept<V>) -> V {
        let scope = &self.home.scope;
        match kept.freshness() {
            _ if leading.lead.is_behind() => scope.recount_as_found(),
            Freshness::Fresh => scope.recount_as_hit(),
            Freshness::Stale => scope.recount_as_stale(),
        }
        let settle = Settle {
            lifetime: self.home.in_memory(kept.lifetime),
            tags: &kept.tags,
            weight: self.home.weigh(self.key, &kept.value),
            age: kept.age,
            ..Settle::default()
        };
        leading.lead.settle(kept.value.clone(), settle);
        kept.value
    }

    /// Begins to store a computed value behind memory.
    pub(crate) fn keeping(&self, mut storing: Storing<K, V>) -> Keeping<K, V> {
        let seat = storing.leading.seat.take();
        let Some(((link, _), seat)) = self.linked().zip(seat) else {
            return Keeping::Memory(storing, Standing::Kept);
        };
        let stack = link.stores.stack();
        let Some(payload) = link.encoded(&storing.value) else {
            self.home.scope.count_refused();
            let standing = match stack.is_overtaken(&seat, &storing.tags) {
                true => Standing::Overtaken,
                false => Standing::Kept,
            };
            return Keeping::Memory(storing, standing);
        };
        let tags = self.tags.iter().chain(&storing.tags);
        let mut meta = link.meta(self.key, storing.worth.lifetime(), tags);
        meta.computed_in = self.since(storing.leading.began);
        Keeping::Stores(
            Box::new(storing),
            Box::pin(stack.settle(seat, payload, meta)),
        )
    }

    fn since(&self, began: Instant) -> Duration {
        self.home.now().since(began)
    }

    /// Whose a value is of which this became in stores.
    pub(crate) fn standing(&self, written: &Written) -> Standing {
        let is_silent = self
            .linked()
            .is_some_and(|(link, _)| link.stores.is_silent());
        Standing::of(written, is_silent, true)
    }

    /// Ends the computation of a value that memory may take; the value.
    pub(crate) fn stored(&self, storing: Storing<K, V>, standing: Standing) -> V {
        let Storing {
            leading,
            value,
            worth,
            tags,
        } = storing;
        if standing == Standing::Overtaken {
            leading.lead.withhold();
            return value;
        }
        let settle = Settle {
            store: standing == Standing::Kept,
            ..self.kept(Some(worth), (&value, &tags))
        };
        leading.lead.settle(value.clone(), settle);
        value
    }
}
