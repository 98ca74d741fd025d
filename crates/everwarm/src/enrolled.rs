//! The decorated functions of the process that were called, and what is asked of all of them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::cache::texts;
use crate::stores::{Stores, wait};
use crate::timed::{PACE, Refreshing};

/// The decorated functions of the process that were called.
static FUNCTIONS: Mutex<Vec<&'static (dyn Enrolled + Sync)>> = Mutex::new(Vec::new());

/// A decorated function, whatever it returns.
pub(crate) trait Enrolled {
    /// Makes every entry with one of these tags gone, from memory.
    fn invalidate_tags(&self, tags: &[Arc<str>]);

    /// The stores behind it.
    fn stores(&self) -> Option<Stores>;

    /// Has what is due computed anew; how much that was, and after how long to look again.
    fn run_due(&'static self) -> (usize, Duration);
}

/// Has the process know of a function.
pub(crate) fn enrol(function: &'static (dyn Enrolled + Sync)) {
    FUNCTIONS.lock().push(function);
}

fn enrolled() -> Vec<&'static (dyn Enrolled + Sync)> {
    FUNCTIONS.lock().clone()
}

/// Makes every entry with one of these tags gone, of whatever decorated function of the process.
///
/// What is being computed under them goes to those who wait for it already, and to nobody later. Where functions that were called have
/// stores it goes to these first.
///
/// ```
/// #[everwarm::cached(tags = ["user:{id}"])]
/// fn name(id: u64) -> String { format!("user {id}") }
///
/// name(7);
/// everwarm::invalidate_tags(["user:7"]);
/// assert!(name::peek(7).is_none());
/// ```
pub fn invalidate_tags<T: Into<Arc<str>>>(tags: impl IntoIterator<Item = T>) {
    wait(invalidate_tags_async(tags));
}

/// As [`invalidate_tags`], in this task.
pub fn invalidate_tags_async<T: Into<Arc<str>>, I: IntoIterator<Item = T>>(
    tags: I,
) -> impl Future<Output = ()> + Send + use<T, I> {
    let tags = texts(tags);
    async move {
        let functions = enrolled();
        let mut done: Vec<Stores> = Vec::new();
        for stores in functions.iter().filter_map(|function| function.stores()) {
            if !done.iter().any(|other| other.is_same(&stores)) {
                stores.invalidate(&tags).await;
                done.push(stores);
            }
        }
        functions
            .iter()
            .for_each(|function| function.invalidate_tags(&tags));
    }
}

/// Has computed anew what is due of all decorated functions of the process with `refresh_every`; how many computations that were. They are
/// run by what each function's `background` or `spawn` says, so it is called in the runtime that the latter needs.
///
/// ```
/// use everwarm::{duration::secs, testing::ManualClock};
///
/// #[everwarm::cached(ttl = "10m", refresh_every = "30s", background = |work| work())]
/// fn rates() -> Vec<f64> { vec![1.1] }
///
/// let clock = ManualClock::new();
/// let _held = clock.hold_functions();
/// rates();
/// rates(); // It is in use.
/// clock.advance(secs(30));
/// assert_eq!((everwarm::run_due(), everwarm::run_due()), (1, 0));
/// assert_eq!(rates::stats().computations, 2);
/// ```
pub fn run_due() -> usize {
    enrolled().iter().map(|function| function.run_due().0).sum()
}

/// A thread that calls [`run_due`] whenever something is due, or a second later, until what is returned is dropped.
///
/// ```
/// use std::{thread, time::Duration};
///
/// #[everwarm::cached(ttl = "10m", refresh_every = "20ms", background = |work| work())]
/// fn rates() -> Vec<f64> { vec![1.1] }
///
/// rates();
/// rates(); // It is in use.
/// let _refreshing = everwarm::refresh_in_thread();
/// while rates::stats().computations < 2 {
///     thread::sleep(Duration::from_millis(1));
/// }
/// ```
///
/// # Panics
/// If there is no room for a thread.
pub fn refresh_in_thread() -> Refreshing {
    Refreshing::new(|| {
        enrolled()
            .iter()
            .map(|function| function.run_due().1)
            .min()
            .or(Some(PACE))
    })
}
