//! A store behind a layer.
#![deny(clippy::missing_trait_methods)]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::bus::mac::Mac;
use everwarm_core::layer::{Layer, Verb, besides};
use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::store::{
    Answer, Bytes, Computed, Condition, Conditional, Counters, Entry, Failure, Found, Freed,
    Generations, Grant, Health, Info, Leased, Leases, Limits, Messages, Notify, Page, Scan,
    Settled, Store, Suspend, Touch,
};

/// A store with a layer around each of its verbs. It is a store with the same facets, so that layers pile up:
/// the outermost sees each operation first.
pub struct Layered<S, L> {
    store: S,
    layer: L,
}

impl<S: Store, L: Layer> Layered<S, L> {
    /// `store` behind `layer`.
    pub const fn new(store: S, layer: L) -> Self {
        Self { store, layer }
    }

    /// The store itself.
    pub const fn inner(&self) -> &S {
        &self.store
    }

    fn write<'a, T: Send + 'a>(
        &'a self,
        size: usize,
        attempt: impl Fn(&'a S) -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        self.layer
            .around(Verb::Write, size, move || attempt(&self.store))
    }

    fn change<'a, F: ?Sized + 'a, T: Send + 'a>(
        &'a self,
        size: usize,
        facet: impl Fn(&'a S) -> Option<&'a F> + Send + Sync + 'a,
        attempt: impl Fn(&'a F) -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        self.layer.around(Verb::Change, size, move || {
            asked(facet(&self.store), &attempt)
        })
    }

    fn passed(&self, found: Option<Found>) -> Option<Found> {
        found.map(|found| Found {
            bytes: self.layer.found(found.bytes),
            ..found
        })
    }

    fn look<'a, F: ?Sized + 'a, T: Send + 'a>(
        &'a self,
        facet: impl Fn(&'a S) -> Option<&'a F> + Send + Sync + 'a,
        attempt: impl Fn(&'a F) -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        self.layer
            .around(Verb::Read, 0, move || asked(facet(&self.store), &attempt))
    }
}

/// Asks a facet that was there when the layer was asked for it.
fn asked<'a, F: ?Sized, T>(
    facet: Option<&'a F>,
    attempt: impl Fn(&'a F) -> Answer<'a, T>,
) -> Answer<'a, T> {
    match facet {
        Some(facet) => attempt(facet),
        None => Answer::failed(Failure::new(
            everwarm_core::store::FailureKind::Capability,
            "a store offered a facet, and does so no more",
            "this is a fault of the store: tell who wrote it",
        )),
    }
}

impl<S: Store, L: Layer> Store for Layered<S, L> {
    fn info(&self) -> Info {
        self.store.info()
    }

    fn limits(&self) -> Limits {
        self.store.limits()
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        let attempt = move || self.store.get(name);
        let answer = self.layer.look(Option::is_none, 0, attempt);
        answer.map(|found| self.passed(found))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        self.write(bytes.len(), move |store| {
            store.set(name, bytes.clone(), ttl)
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        // Done twice it says false the second time.
        self.layer
            .around(Verb::Change, 0, move || self.store.delete(name))
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        let is_miss = |found: &Vec<Option<Found>>| found.iter().all(Option::is_none);
        let attempt = move || self.store.get_many(names);
        let answer = self.layer.look(is_miss, besides(names.len()), attempt);
        answer.map(|found| found.into_iter().map(|found| self.passed(found)).collect())
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        let bytes: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
        self.write(bytes + besides(entries.len()), move |store| {
            store.set_many(entries)
        })
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        self.layer
            .around(Verb::Change, besides(names.len()), move || {
                self.store.delete_many(names)
            })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.layer
            .around(Verb::All, 0, move || self.store.clear(prefix))
    }

    fn sweep(&self) -> Answer<'_, u64> {
        self.layer.around(Verb::All, 0, || self.store.sweep())
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.layer.around(Verb::Life, 0, || self.store.ping())
    }

    fn close(&self) -> Answer<'_, ()> {
        self.layer.around(Verb::Life, 0, || self.store.close())
    }

    fn doubts(&self) -> Vec<String> {
        self.store.doubts()
    }

    fn proves(&self, _found: &Found) -> bool {
        // What a layer did to the bytes the store does not know.
        false
    }

    fn may_wait(&self) -> bool {
        self.store.may_wait()
    }

    fn lot(&self) -> Option<usize> {
        self.store.lot()
    }

    fn after_fork(&self) {
        self.store.after_fork();
    }

    fn counters(&self) -> Option<&dyn Counters> {
        self.store.counters().is_some().then_some(self)
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        self.store.conditional().is_some().then_some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.store.leases().is_some().then_some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        self.store.scan().is_some().then_some(self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        self.store.touch().is_some().then_some(self)
    }

    fn generations(&self) -> Option<&dyn Generations> {
        self.store.generations().is_some().then_some(self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        self.store.notify().is_some().then_some(self)
    }

    fn suspending(&self) -> Option<&dyn Suspend> {
        self.store.suspending().is_some().then_some(self)
    }

    fn health(&self) -> Option<&dyn Health> {
        // How the store is has nothing to do with how calls fare.
        self.store.health()
    }
}

impl<S: Store, L: Layer> Counters for Layered<S, L> {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        self.change(0, S::counters, move |facet| {
            facet.incr(name, by, initial, ttl)
        })
    }
}

impl<S: Store, L: Layer> Conditional for Layered<S, L> {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        let size = bytes.len();
        self.change(size, S::conditional, move |facet| {
            facet.set_if(name, bytes.clone(), ttl, condition)
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        self.change(0, S::conditional, move |facet| {
            facet.delete_if(name, version)
        })
    }
}

impl<S: Store, L: Layer> Leases for Layered<S, L> {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        self.change(0, S::leases, move |facet| facet.lease(name, token, ttl))
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        self.change(0, S::leases, move |facet| facet.renew(name, token, ttl))
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        self.change(0, S::leases, move |facet| facet.release(name, token))
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        let size = bytes.len();
        self.change(size, S::leases, move |facet| {
            facet.set_leased(name, token, bytes.clone(), ttl)
        })
    }

    fn freed<'a>(&'a self, name: &'a str) -> Option<Freed<'a>> {
        self.store.leases()?.freed(name)
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        self.change(besides(names.len()), S::leases, move |facet| {
            facet.lease_many(names, ttl)
        })
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        let bytes: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
        let size = bytes + besides(entries.len());
        self.change(size, S::leases, move |facet| facet.set_leased_many(entries))
    }
}

impl<S: Store, L: Layer> Scan for Layered<S, L> {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.look(S::scan, move |facet| facet.page(prefix, after, limit))
    }
}

impl<S: Store, L: Layer> Touch for Layered<S, L> {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        self.change(0, S::touch, move |facet| facet.expire(name, ttl))
    }
}

impl<S: Store, L: Layer> Generations for Layered<S, L> {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        self.change(0, S::generations, move |facet| {
            facet.begin(namespace, tags, keep)
        })
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.look(S::generations, move |facet| facet.read(namespace, tags))
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        let is_miss = |(found, _): &(Option<Found>, Reading)| found.is_none();
        let answer = self.layer.look(is_miss, 0, move || {
            asked(self.store.generations(), |facet| {
                facet.get_with(name, namespace, tags)
            })
        });
        answer.map(|(found, reading)| (self.passed(found), reading))
    }

    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        let is_miss =
            |(found, _): &(Vec<Option<Found>>, Reading)| found.iter().all(Option::is_none);
        let answer = self.layer.look(is_miss, besides(names.len()), move || {
            asked(self.store.generations(), |facet| {
                facet.get_many_with(names, namespace, tags)
            })
        });
        answer.map(|(found, reading)| {
            let found = found.into_iter().map(|found| self.passed(found));
            (found.collect(), reading)
        })
    }

    fn counts_writes(&self) -> bool {
        let authority = self.store.generations();
        authority.is_some_and(Generations::counts_writes)
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.change(0, S::generations, move |facet| {
            facet.invalidate(namespace, tags)
        })
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        let size = computed.bytes.len();
        self.change(size, S::generations, move |facet| {
            facet.settle(computed.clone())
        })
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        let bytes: usize = computed.iter().map(|computed| computed.bytes.len()).sum();
        let size = bytes + besides(computed.len());
        self.change(size, S::generations, move |facet| {
            facet.settle_many(computed)
        })
    }

    fn recall(&self, namespace: &str, tags: &[Tag], keep: Option<Duration>) -> Option<Vec<Mark>> {
        self.store.generations()?.recall(namespace, tags, keep)
    }

    fn set_under<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        let size = computed.bytes.len();
        self.change(size, S::generations, move |facet| {
            facet.set_under(computed.clone())
        })
    }

    fn set_with<'a>(
        &'a self,
        entries: &'a [Entry<'a>],
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        let bytes: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
        let size = bytes + besides(entries.len());
        self.change(size, S::generations, move |facet| {
            facet.set_with(entries, namespace, tags, keep)
        })
    }
}

impl<S: Store, L: Layer> Suspend for Layered<S, L> {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        self.change(0, S::suspending, move |facet| {
            facet.suspend(namespace, tags, span)
        })
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.change(0, S::suspending, move |facet| facet.resume(namespace, tags))
    }
}

impl<S: Store, L: Layer> Notify for Layered<S, L> {
    fn change(&self) -> u64 {
        // A look at a number is no operation.
        self.store.notify().map_or(0, Notify::change)
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        self.layer.around(Verb::Listen, 0, move || {
            asked(self.store.notify(), |facet| facet.messages(after))
        })
    }

    fn silence(&self) -> Duration {
        self.store.notify().map_or(Duration::ZERO, Notify::silence)
    }

    fn failovers(&self) -> u64 {
        self.store.notify().map_or(0, Notify::failovers)
    }

    fn authenticate(&self, mac: &Arc<dyn Mac>) {
        if let Some(notify) = self.store.notify() {
            notify.authenticate(mac);
        }
    }

    fn way(&self) -> Option<&'static str> {
        self.store.notify().and_then(Notify::way)
    }

    fn refused(&self) -> u64 {
        self.store.notify().map_or(0, Notify::refused)
    }
}

impl<S: Store, L: Layer> fmt::Debug for Layered<S, L> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Layered")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
