//! A store that several have is one, too: so layers can be put around a store whose type nobody knows.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Answer, Bytes, Conditional, Counters, Entry, Found, Generations, Health, Info, Leases, Limits,
    Notify, Scan, Store, Suspend, Touch,
};

#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> Store for Arc<S> {
    fn info(&self) -> Info {
        (**self).info()
    }

    fn limits(&self) -> Limits {
        (**self).limits()
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        (**self).get(name)
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        (**self).set(name, bytes, ttl)
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        (**self).delete(name)
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        (**self).get_many(names)
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        (**self).set_many(entries)
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        (**self).delete_many(names)
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        (**self).clear(prefix)
    }

    fn sweep(&self) -> Answer<'_, u64> {
        (**self).sweep()
    }

    fn ping(&self) -> Answer<'_, ()> {
        (**self).ping()
    }

    fn close(&self) -> Answer<'_, ()> {
        (**self).close()
    }

    fn doubts(&self) -> Vec<String> {
        (**self).doubts()
    }

    fn proves(&self, found: &Found) -> bool {
        (**self).proves(found)
    }

    fn may_wait(&self) -> bool {
        (**self).may_wait()
    }

    fn lot(&self) -> Option<usize> {
        (**self).lot()
    }

    fn after_fork(&self) {
        (**self).after_fork();
    }

    fn counters(&self) -> Option<&dyn Counters> {
        (**self).counters()
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        (**self).conditional()
    }

    fn leases(&self) -> Option<&dyn Leases> {
        (**self).leases()
    }

    fn scan(&self) -> Option<&dyn Scan> {
        (**self).scan()
    }

    fn touch(&self) -> Option<&dyn Touch> {
        (**self).touch()
    }

    fn generations(&self) -> Option<&dyn Generations> {
        (**self).generations()
    }

    fn notify(&self) -> Option<&dyn Notify> {
        (**self).notify()
    }

    fn suspending(&self) -> Option<&dyn Suspend> {
        (**self).suspending()
    }

    fn health(&self) -> Option<&dyn Health> {
        (**self).health()
    }
}
