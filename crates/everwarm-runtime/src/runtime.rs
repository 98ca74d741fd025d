//! The runtime of this process.
//!
//! It is made when it is first needed, and known by its process: the child of a fork has its parent's memory but none of its
//! threads, so it makes one of its own and leaves the other where it is. Nothing here is a lock, since one that another thread of
//! the parent held at the fork would be held in the child for ever: whoever makes a runtime takes a place that nobody else writes
//! to, and then says in one step that this is the place to look at.

use std::mem::ManuallyDrop;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use everwarm_core::store::{Failure, FailureKind};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::alarms::Alarms;
use crate::forking::{self, Inside};
use crate::process::process_id;

/// Threads that do I/O.
const THREADS: usize = 2;

/// How many runtimes a process and those it was forked from may have between them.
const PLACES: usize = 256;

static RUNTIMES: Runtimes = Runtimes::new();

/// The runtime of this process, on which connections live.
///
/// # Errors
/// A failure of kind capacity, if the operating system gives no thread or no descriptor.
pub fn handle() -> Result<Handle, Failure> {
    RUNTIMES
        .of(process_id())
        .map(|own| own.runtime.handle().clone())
}

/// The alarms of the runtime of this process.
///
/// # Errors
/// As [`handle`].
pub(crate) fn alarms() -> Result<&'static Arc<Alarms>, Failure> {
    RUNTIMES.of(process_id()).map(|own| &own.alarms)
}

/// A runtime, which stays for as long as its process.
struct Own {
    runtime: ManuallyDrop<Runtime>,
    alarms: Arc<Alarms>,
}

/// In the place of a place: somebody in that process makes it.
const MAKING: u32 = u32::MAX;

/// The runtimes of this process and of those it was forked from.
struct Runtimes {
    /// Which process has a runtime, or makes one, and at which place; 0 before the first.
    current: AtomicU64,
    taken: AtomicUsize,
    places: [OnceLock<Own>; PLACES],
}

impl Runtimes {
    const fn new() -> Self {
        Self {
            current: AtomicU64::new(0),
            taken: AtomicUsize::new(0),
            places: [const { OnceLock::new() }; PLACES],
        }
    }

    /// The runtime of a process.
    fn of(&self, process: u32) -> Result<&Own, Failure> {
        loop {
            let current = self.current.load(Ordering::Acquire);
            let (whose, place) = ((current >> u32::BITS) as u32, current as u32);
            if whose != process {
                if let Some(made) = self.make(process, current) {
                    return made;
                }
            } else if place == MAKING {
                // Who makes it is a thread of this process, and runs.
                thread::yield_now();
            } else if let Some(own) = self.places.get(place as usize).and_then(OnceLock::get) {
                return Ok(own);
            }
        }
    }

    /// Makes that of a process which has none; None if another thread was first.
    fn make(&self, process: u32, before: u64) -> Option<Result<&Own, Failure>> {
        let own = |place: u32| u64::from(process) << u32::BITS | u64::from(place);
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        self.current
            .compare_exchange(before, own(MAKING), success, failure)
            .ok()?;
        let _inside = Inside::enter();
        let put = made().and_then(|runtime| self.put(runtime));
        let place = put.as_ref().map_or(0, |(place, _)| own(*place));
        self.current.store(place, Ordering::Release);
        Some(put.map(|(_, own)| own))
    }

    /// Puts a runtime in a place of its own, where it stays.
    fn put(&self, runtime: Runtime) -> Result<(u32, &Own), Failure> {
        let own = Own {
            alarms: Alarms::of(runtime.handle()),
            runtime: ManuallyDrop::new(runtime),
        };
        let place = self.taken.fetch_add(1, Ordering::Relaxed);
        // Nobody else is given this place, so nobody is waited for.
        let free = self.places.get(place).ok_or_else(no_place)?;
        free.set(own).map_err(|_| no_place())?;
        let own = free.get().ok_or_else(no_place)?;
        Ok((u32::try_from(place).map_err(|_| no_place())?, own))
    }
}

fn made() -> Result<Runtime, Failure> {
    // The first threads it starts are those that do I/O; they are inside while they are not parked.
    let started = AtomicUsize::new(0);
    let start = move || {
        if started.fetch_add(1, Ordering::Relaxed) < THREADS {
            forking::enter();
        }
    };
    let build = || {
        Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(THREADS)
            .thread_name("everwarm-io")
            .on_thread_start(start)
            .on_thread_park(forking::leave)
            .on_thread_unpark(forking::enter)
            .enable_io()
            .enable_time()
            .build()
    };
    // Where there are no threads to be had it panics.
    match catch_unwind(build) {
        Ok(Ok(runtime)) => Ok(runtime),
        _ => Err(Failure::new(
            FailureKind::Capacity,
            "the operating system gave no threads for I/O",
            "allow this process more threads and more open files",
        )),
    }
}

fn no_place() -> Failure {
    Failure::new(
        FailureKind::Capacity,
        "a process that does I/O was forked from one that did, too many times over",
        "fork from a process that has not used its stores yet, or start another program",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn of(runtimes: &Runtimes, process: u32) -> Handle {
        let Ok(own) = runtimes.of(process) else {
            panic!("there are threads")
        };
        own.runtime.handle().clone()
    }

    fn answers(handle: &Handle) -> bool {
        let answer = handle.spawn(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            thread::current().name().map(str::to_owned)
        });
        let name = handle.block_on(answer).expect("it is not cancelled");
        name.as_deref() == Some("everwarm-io")
    }

    #[test]
    fn a_process_has_one() {
        let runtimes = Runtimes::new();
        let first = of(&runtimes, 1);
        let second = of(&runtimes, 1);
        assert_eq!(first.id(), second.id());
        assert!(answers(&first));
        assert_eq!(
            handle().map(|handle| handle.id()),
            handle().map(|handle| handle.id())
        );
    }

    #[test]
    fn a_forked_child_has_its_own_and_the_parents_still_works() {
        let runtimes = Runtimes::new();
        let parents = of(&runtimes, 1);
        let childs = of(&runtimes, 2);
        assert_ne!(parents.id(), childs.id());
        assert!(answers(&childs) && answers(&parents));
    }

    #[test]
    fn threads_that_ask_at_once_are_given_the_same() {
        let runtimes = Runtimes::new();
        let ids: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| of(&runtimes, 7).id()))
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined.collect::<Result<_, _>>().expect("they end")
        });
        assert!(ids.iter().all(|id| *id == ids[0]));
    }

    #[test]
    fn too_many_forks_are_a_failure() {
        let runtimes = Runtimes::new();
        runtimes.taken.store(PLACES, Ordering::Relaxed);
        let failure = runtimes.of(1).err().expect("there is no place");
        assert_eq!(failure.kind, FailureKind::Capacity);
    }
}
