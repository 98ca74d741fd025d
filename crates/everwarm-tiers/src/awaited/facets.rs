//! The facets of a store that could not be opened yet: asked of the store once it is there.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::bus::mac::Mac;
use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::store::{
    Answer, Bytes, Computed, Condition, Conditional, Counters, Entry, Found, Freed, Generations,
    Grant, Leased, Leases, Messages, Notify, Page, Scan, Settled, Store, Suspend, Touch,
};

use super::Awaited;

/// What stands for the number of the last message while that is not known.
const NEVER: u64 = u64::MAX;

impl Counters for Awaited {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        self.ask_facet(Store::counters, |facet| facet.incr(name, by, initial, ttl))
    }
}

impl Conditional for Awaited {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        self.ask_facet(Store::conditional, |facet| {
            facet.set_if(name, bytes, ttl, condition)
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        self.ask_facet(Store::conditional, |facet| facet.delete_if(name, version))
    }
}

impl Leases for Awaited {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        self.ask_facet(Store::leases, |facet| facet.lease(name, token, ttl))
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        self.ask_facet(Store::leases, |facet| facet.renew(name, token, ttl))
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        self.ask_facet(Store::leases, |facet| facet.release(name, token))
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        self.ask_facet(Store::leases, |facet| {
            facet.set_leased(name, token, bytes, ttl)
        })
    }

    fn freed<'a>(&'a self, name: &'a str) -> Option<Freed<'a>> {
        self.there()?.leases()?.freed(name)
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        self.ask_facet(Store::leases, |facet| facet.lease_many(names, ttl))
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        self.ask_facet(Store::leases, |facet| facet.set_leased_many(entries))
    }
}

impl Scan for Awaited {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.ask_facet(Store::scan, |facet| facet.page(prefix, after, limit))
    }
}

impl Touch for Awaited {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        self.ask_facet(Store::touch, |facet| facet.expire(name, ttl))
    }
}

impl Generations for Awaited {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        self.ask_facet(Store::generations, |facet| {
            facet.begin(namespace, tags, keep)
        })
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.ask_facet(Store::generations, |facet| facet.read(namespace, tags))
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        self.ask_facet(Store::generations, |facet| {
            facet.get_with(name, namespace, tags)
        })
    }

    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        self.ask_facet(Store::generations, |facet| {
            facet.get_many_with(names, namespace, tags)
        })
    }

    fn counts_writes(&self) -> bool {
        let store = self.there();
        let authority = store.and_then(|store| store.generations());
        authority.is_some_and(Generations::counts_writes)
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.ask_facet(Store::generations, |facet| {
            facet.invalidate(namespace, tags)
        })
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        self.ask_facet(Store::generations, |facet| facet.settle(computed))
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        self.ask_facet(Store::generations, |facet| facet.settle_many(computed))
    }

    fn recall(&self, namespace: &str, tags: &[Tag], keep: Option<Duration>) -> Option<Vec<Mark>> {
        self.there()?.generations()?.recall(namespace, tags, keep)
    }

    fn set_under<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        self.ask_facet(Store::generations, |facet| facet.set_under(computed))
    }

    fn set_with<'a>(
        &'a self,
        entries: &'a [Entry<'a>],
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        self.ask_facet(Store::generations, |facet| {
            facet.set_with(entries, namespace, tags, keep)
        })
    }
}

impl Suspend for Awaited {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        self.ask_facet(Store::suspending, |facet| {
            facet.suspend(namespace, tags, span)
        })
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.ask_facet(Store::suspending, |facet| facet.resume(namespace, tags))
    }
}

impl Notify for Awaited {
    fn change(&self) -> u64 {
        // Whoever looks has the store tried again.
        let store = self.store().ok();
        store
            .and_then(|store| store.notify())
            .map_or(NEVER, Notify::change)
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        self.ask_facet(Store::notify, |facet| {
            // What came before is not known to whoever asks with the number of a store that was not open.
            let from = if after == NEVER { 0 } else { after };
            let answer = facet.messages(from);
            answer.map(move |messages| Messages {
                gap: messages.gap || after == NEVER,
                ..messages
            })
        })
    }

    fn silence(&self) -> Duration {
        let notify = self.there().and_then(|store| store.notify());
        notify.map_or(Duration::MAX, Notify::silence)
    }

    fn failovers(&self) -> u64 {
        let notify = self.there().and_then(|store| store.notify());
        notify.map_or(0, Notify::failovers)
    }

    fn authenticate(&self, mac: &Arc<dyn Mac>) {
        let _state = self.0.here().state();
        self.0.mac.get_or_init(|| Arc::clone(mac));
        // What is set is authenticated already: it is set under the same lock.
        if let Some(notify) = self.there().and_then(|store| store.notify()) {
            notify.authenticate(mac);
        }
    }

    fn way(&self) -> Option<&'static str> {
        self.there()?.notify()?.way()
    }

    fn refused(&self) -> u64 {
        let notify = self.there().and_then(|store| store.notify());
        notify.map_or(0, Notify::refused)
    }
}
