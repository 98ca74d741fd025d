//! A store that fails at everything in one way, with every facet.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{
    Answer, Bytes, Computed, Condition, Conditional, Counters, Durability, Failure, FailureKind,
    Found, Generations, Grant, Info, Leases, Limits, Messages, Notify, Page, Scan, Settled, Store,
    Suspend, Touch,
};

/// Fails so.
#[derive(Debug)]
pub(crate) struct Failing(pub(crate) FailureKind);

impl Failing {
    fn fail<T>(&self) -> Answer<'static, T> {
        Answer::failed(Failure::new(self.0, "it fails", "it is made to"))
    }
}

impl Store for Failing {
    fn info(&self) -> Info {
        Info {
            kind: "failing",
            place: String::new(),
            durability: Durability::None,
            embedded: false,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: 1024,
            largest_value: 1024,
            longest_ttl: None,
            ttl_precision: Duration::ZERO,
        }
    }

    fn get<'a>(&'a self, _: &'a str) -> Answer<'a, Option<Found>> {
        self.fail()
    }

    fn set<'a>(&'a self, _: &'a str, _: Bytes, _: Option<Duration>) -> Answer<'a, ()> {
        self.fail()
    }

    fn delete<'a>(&'a self, _: &'a str) -> Answer<'a, bool> {
        self.fail()
    }

    fn clear<'a>(&'a self, _: &'a str) -> Answer<'a, u64> {
        self.fail()
    }

    fn sweep(&self) -> Answer<'_, u64> {
        self.fail()
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.fail()
    }

    fn close(&self) -> Answer<'_, ()> {
        self.fail()
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        Some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        Some(self)
    }

    fn generations(&self) -> Option<&dyn Generations> {
        Some(self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        Some(self)
    }

    fn suspending(&self) -> Option<&dyn Suspend> {
        Some(self)
    }
}

impl Counters for Failing {
    fn incr<'a>(&'a self, _: &'a str, _: i64, _: i64, _: Option<Duration>) -> Answer<'a, i64> {
        self.fail()
    }
}

impl Conditional for Failing {
    fn set_if<'a>(
        &'a self,
        _: &'a str,
        _: Bytes,
        _: Option<Duration>,
        _: Condition,
    ) -> Answer<'a, Option<u64>> {
        self.fail()
    }

    fn delete_if<'a>(&'a self, _: &'a str, _: u64) -> Answer<'a, bool> {
        self.fail()
    }
}

impl Leases for Failing {
    fn lease<'a>(&'a self, _: &'a str, _: u64, _: Duration) -> Answer<'a, Grant> {
        self.fail()
    }

    fn renew<'a>(&'a self, _: &'a str, _: u64, _: Duration) -> Answer<'a, bool> {
        self.fail()
    }

    fn release<'a>(&'a self, _: &'a str, _: u64) -> Answer<'a, bool> {
        self.fail()
    }

    fn set_leased<'a>(
        &'a self,
        _: &'a str,
        _: u64,
        _: Bytes,
        _: Option<Duration>,
    ) -> Answer<'a, bool> {
        self.fail()
    }
}

impl Scan for Failing {
    fn page<'a>(&'a self, _: &'a str, _: Option<&'a str>, _: usize) -> Answer<'a, Page> {
        self.fail()
    }
}

impl Touch for Failing {
    fn expire<'a>(&'a self, _: &'a str, _: Option<Duration>) -> Answer<'a, bool> {
        self.fail()
    }
}

impl Generations for Failing {
    fn begin<'a>(&'a self, _: &'a str, _: &'a [Tag], _: Option<Duration>) -> Answer<'a, Reading> {
        self.fail()
    }

    fn read<'a>(&'a self, _: &'a str, _: &'a [Tag]) -> Answer<'a, Reading> {
        self.fail()
    }

    fn get_with<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        self.fail()
    }

    fn invalidate<'a>(&'a self, _: &'a str, _: &'a [Tag]) -> Answer<'a, Reading> {
        self.fail()
    }

    fn settle<'a>(&'a self, _: Computed<'a>) -> Answer<'a, Settled> {
        self.fail()
    }
}

impl Suspend for Failing {
    fn suspend<'a>(&'a self, _: &'a str, _: &'a [Tag], _: Duration) -> Answer<'a, Reading> {
        self.fail()
    }

    fn resume<'a>(&'a self, _: &'a str, _: &'a [Tag]) -> Answer<'a, Reading> {
        self.fail()
    }
}

impl Notify for Failing {
    /// Something is always new, so that it is always asked for.
    fn change(&self) -> u64 {
        use std::sync::atomic::{AtomicU64, Ordering};
        static CHANGES: AtomicU64 = AtomicU64::new(0);
        CHANGES.fetch_add(1, Ordering::Relaxed)
    }

    fn messages(&self, _: u64) -> Answer<'_, Messages> {
        self.fail()
    }
}
