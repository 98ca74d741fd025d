//! Reads that the tasks of one loop await in one of its turns: they are asked together, as one question.
//!
//! Each read leaves its place with the bell of its loop and waits for a future. When the turn is over, what lies there is asked of
//! each stack in one go, however many tasks it is for: one trip, one wake-up, and one pass through the layers. Where a store would rather
//! answer in lots, one that is full leaves at once.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

use everwarm_core::using::Read;
use everwarm_engine::stack::{Place, Stack, Stored};
use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::shared::brought::{self, Brought, One};
use crate::shared::{self, Ours, Step};

/// How many reads are asked together at most, whatever the store.
const MOST: usize = 512;

/// What a read came to.
pub(crate) enum Told {
    /// What the stores have.
    Brought(One),
    /// It is to be asked alone: in one of all these entries somebody has meddled.
    Alone,
}

/// A read that waits; locked by attached threads only.
pub(crate) struct Waiting(Mutex<Slot>);

struct Slot {
    told: Option<Told>,
    future: Py<PyAny>,
}

impl Waiting {
    fn new(future: Py<PyAny>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Slot { told: None, future })))
    }

    /// What it came to, once that is known; else `future` will be done then.
    pub(crate) fn told(
        &self,
        future: impl FnOnce() -> PyResult<Py<PyAny>>,
    ) -> PyResult<Option<Told>> {
        let told = self.0.lock().told.take();
        if told.is_none() {
            let future = future()?;
            let old = mem::replace(&mut self.0.lock().future, future);
            drop(old);
        }
        Ok(told)
    }

    /// Says what it came to; who waits for this future is to go on.
    fn tell(&self, py: Python<'_>, told: Told) -> Py<PyAny> {
        let mut waiting = self.0.lock();
        waiting.told = Some(told);
        waiting.future.clone_ref(py)
    }
}

/// What is read.
pub(crate) struct Sought {
    pub(crate) stack: Arc<Stack>,
    pub(crate) place: Place,
    pub(crate) sort: Sort,
}

/// What for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// To be computed where there is nothing.
    Led,
    /// For memory, too.
    Whole,
    /// For its value alone.
    Value,
}

/// Reads of one stack that were not asked yet.
pub(crate) struct Gathered {
    stack: Arc<Stack>,
    sort: Sort,
    /// How many are asked together.
    lot: usize,
    places: Vec<Place>,
    waiting: Vec<Arc<Waiting>>,
}

impl Gathered {
    fn new(stack: Arc<Stack>, sort: Sort) -> Self {
        let lot = stack.last_store().lot();
        Self {
            stack,
            sort,
            lot: lot.map_or(MOST, |lot| lot.min(MOST)),
            places: Vec::new(),
            waiting: Vec::new(),
        }
    }
}

/// Adds a read to those of its stack; it waits for `future`. Once they are as many as are asked together, they are handed out.
pub(crate) fn add(
    all: &mut Vec<Gathered>,
    sought: Sought,
    future: Py<PyAny>,
) -> (Arc<Waiting>, Option<Gathered>) {
    let waiting = Waiting::new(future);
    let Sought { stack, place, sort } = sought;
    let fits = |some: &Gathered| Arc::ptr_eq(&some.stack, &stack) && some.sort == sort;
    let at = all.iter().position(fits).unwrap_or_else(|| {
        all.push(Gathered::new(stack, sort));
        all.len() - 1
    });
    let some = &mut all[at];
    some.places.push(place);
    some.waiting.push(Arc::clone(&waiting));
    let is_full = some.places.len() >= some.lot;
    (waiting, is_full.then(|| all.remove(at)))
}

/// What stores have of many entries, in their order.
type Answer = Pin<Box<dyn Future<Output = brought::Many> + Send>>;

fn alone(one: impl Future<Output = Option<Stored>> + Send + 'static) -> Answer {
    Box::pin(async move { Brought::Whole(vec![one.await]) })
}

/// Reads that are being asked.
pub(crate) struct Asked {
    answer: Ours<Answer>,
    waiting: Vec<Arc<Waiting>>,
}

impl From<Gathered> for Asked {
    fn from(gathered: Gathered) -> Self {
        let Gathered {
            stack,
            sort,
            mut places,
            waiting,
            ..
        } = gathered;
        let answer: Answer = match (places.pop(), places.len(), sort) {
            (Some(place), 0, Sort::Led) => alone(stack.find(place)),
            (Some(place), 0, _) => alone(stack.get(place, Arc::new([]), Read::Any)),
            (last, _, sort) => {
                places.extend(last);
                match sort {
                    Sort::Led => {
                        let found = stack.find_many(places);
                        Box::pin(async move { Brought::Whole(found.await) })
                    }
                    sort => Box::pin(brought::Many::of(stack, places.into(), sort == Sort::Whole)),
                }
            }
        };
        Self {
            answer: Ours::new(answer),
            waiting,
        }
    }
}

impl Asked {
    /// Asks on, and tells those who wait: the futures that are to be done. None if it is to be asked again, once `waker` is called.
    pub(crate) fn ask(&mut self, py: Python<'_>, waker: &Waker) -> Option<Vec<Py<PyAny>>> {
        let Step::Done(brought) = shared::step_awaited(py, self.answer.get(), waker) else {
            return None;
        };
        let is_alarmed = shared::is_alarmed();
        let each = self.waiting.drain(..).zip(brought.into_each());
        let told = each.map(|(waiting, one)| {
            let told = match is_alarmed {
                true => Told::Alone,
                false => Told::Brought(one),
            };
            waiting.tell(py, told)
        });
        Some(told.collect())
    }
}
