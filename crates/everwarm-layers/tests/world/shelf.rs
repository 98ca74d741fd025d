//! The plainest store there is: a map.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Counters, Durability, Found, Info, Limits, Message, Messages, Notify, Store,
};

#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<BTreeMap<String, Bytes>>);

impl Shelf {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.0.lock().expect("no test panics")
    }
}

impl Store for Shelf {
    fn info(&self) -> Info {
        Info {
            kind: "memory",
            place: String::new(),
            durability: Durability::None,
            embedded: true,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: 1_024,
            largest_value: 1 << 20,
            longest_ttl: None,
            ttl_precision: Duration::ZERO,
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        let bytes = self.all().get(name).cloned();
        Answer::done(bytes.map(|bytes| Found {
            bytes,
            remaining: None,
            version: 0,
        }))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, _: Option<Duration>) -> Answer<'a, ()> {
        self.all().insert(name.to_owned(), bytes);
        Answer::done(())
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        Answer::done(self.all().remove(name).is_some())
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        let mut all = self.all();
        let before = all.len();
        all.retain(|name, _| !name.starts_with(prefix));
        Answer::done((before - all.len()) as u64)
    }

    fn ping(&self) -> Answer<'_, ()> {
        Answer::done(())
    }

    fn close(&self) -> Answer<'_, ()> {
        Answer::done(())
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        Some(self)
    }
}

impl Notify for Shelf {
    fn change(&self) -> u64 {
        1
    }

    fn messages(&self, _: u64) -> Answer<'_, Messages> {
        Answer::done(Messages {
            messages: vec![Message::Key("theirs".into())],
            up_to: 1,
            gap: false,
        })
    }
}

impl Counters for Shelf {
    fn incr<'a>(
        &'a self,
        _: &'a str,
        by: i64,
        initial: i64,
        _: Option<Duration>,
    ) -> Answer<'a, i64> {
        Answer::done(initial + by)
    }
}
