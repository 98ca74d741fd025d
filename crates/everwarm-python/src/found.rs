//! What a call is given without computing: an entry that its plan takes.

use everwarm_core::clock::Instant;
use everwarm_core::judge::Freshness;
use everwarm_core::using::{Plan, Read};
use pyo3::prelude::*;

use crate::errors;
use crate::function::Function;
use crate::home::{Home, Keyed};
use crate::object::Object;
use crate::shared::Held;

impl Function {
    /// The value of an entry that the plan takes. A call that is to be served from the cache alone fails without.
    pub(crate) fn found(
        &self,
        py: Python<'_>,
        home: &Home,
        keyed: &Keyed,
        plan: Plan,
    ) -> PyResult<Option<(Object, Freshness)>> {
        let (engine, scope) = (&home.engine, &home.scope);
        if let Plan::Only(read) = plan {
            return self.found_only(py, home, keyed, read).map(Some);
        }
        let read = plan.read();
        let found = match read {
            Read::Any => engine.hit(scope, keyed.hash, &keyed.key),
            Read::Nothing => None,
            Read::Within(_) => match since(home, read) {
                Instant::ZERO => engine.hit(scope, keyed.hash, &keyed.key),
                Instant::NEVER => None,
                since => engine.hit_since(scope, keyed.hash, &keyed.key, since),
            },
        };
        Ok(match found {
            Some(value) => Some((value, Freshness::Fresh)),
            None => self.found_old(home, keyed, read),
        })
    }

    /// The value of an entry that is kept in case of an error, for a call that takes it without computing.
    fn found_old(&self, home: &Home, keyed: &Keyed, read: Read) -> Option<(Object, Freshness)> {
        read.stale()?;
        let (engine, since) = (&home.engine, since(home, read));
        let old = engine.take_old(&home.scope, (keyed.hash, &keyed.key), read, since)?;
        Some((old, Freshness::Stale))
    }

    /// The value of an entry for a call that is to be served from the cache alone: also a stale one that would be served.
    fn found_only(
        &self,
        py: Python<'_>,
        home: &Home,
        keyed: &Keyed,
        read: Read,
    ) -> PyResult<(Object, Freshness)> {
        let (engine, scope) = (&home.engine, &home.scope);
        if let Some(old) = self.found_old(home, keyed, read) {
            return Ok(old);
        }
        if let Some(served) = engine.take(scope, keyed.hash, &keyed.key, since(home, read)) {
            return Ok((served.value, served.freshness));
        }
        if let Some(held) = Held::new(py, home, keyed)?
            && let Some(kept) = held.read_if(py, read)?
        {
            let freshness = kept.freshness();
            match freshness {
                Freshness::Fresh => scope.count_hit(),
                Freshness::Stale => scope.count_stale(),
            }
            return Ok((kept.value, freshness));
        }
        scope.count_miss();
        Err(errors::not_cached(py, &self.title(py)))
    }
}

/// The earliest instant at which an entry of memory may have been written.
fn since(home: &Home, read: Read) -> Instant {
    // Only stores know how old a value is that memory has from them.
    match read.asks_age() && home.link.is_some() {
        true => Instant::NEVER,
        false => read.since(home.engine.now()),
    }
}
