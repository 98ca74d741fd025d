//! The contract of stores, layers and codecs as suites of tests, for the stores of Everwarm and for those of others.
//!
//! Three lines hold a store to it. Each promise is a test of its own, so that the one that fails says what is wrong:
//!
//! ```
//! use everwarm_memory::{Bounds, MemoryStore};
//!
//! everwarm_conformance::store!(|fixture| {
//!     fixture.once(|| MemoryStore::with_clock(Bounds::entries(1_000.try_into().unwrap()), fixture.clock())).handle()
//! }; counters, conditional, leases, scan, touch, generations, notify, suspend, health);
//! ```
//!
//! - The closure is called once for each handle on a place: two calls with the same fixture stand for two processes.
//!   Where there can be no second handle, write `store!(alone |fixture| ...)`.
//! - [`Fixture::directory`] is an empty place for files. A store that reads its time from [`Fixture::clock`] is not waited
//!   for; others are, with ttls of a fraction of a second.
//! - The facets behind it must be offered, and no others; their promises become tests too.
//! - [`run`] checks the same without a test runner, and gives a [`Report`].
//!
//! [`layer!`] and [`codec!`] do the same for layers and codecs, and [`around`] for the layers that a store is behind.
#![forbid(unsafe_code)]

pub mod around;
mod clock;
pub mod codec;
mod figure;
mod harness;
mod hunt;
mod later;
pub mod layer;
mod numbers;
mod promise;
mod report;
mod store;
mod suites;
mod wait;

pub use clock::ManualClock;
pub use figure::{figure, is_ci, ran};
pub use harness::{Bench, Fixture, Harness};
pub use hunt::{Wrong, fuzz, hunt};
pub use later::{Later, later};
pub use numbers::Numbers;
pub use promise::{Broken, Kept};
pub use report::{Outcome, Report, check, hold, run};
pub use suites::{PROMISES, Promise};
pub use wait::wait;

/// Makes a test of each promise of stores, and of the facets that are named.
///
/// ```
/// mod mine {
///     use everwarm_memory::{Bounds, MemoryStore};
///     everwarm_conformance::store!(alone |fixture| {
///         MemoryStore::with_clock(Bounds::entries(1_000.try_into().unwrap()), fixture.clock())
///     }; scan);
/// }
/// ```
#[macro_export]
macro_rules! store {
    (alone $open:expr $(; $($facet:ident),* $(,)?)?) => {
        $crate::store!(@ $crate::Harness::new($open).alone(); $($($facet)*)?);
    };
    ($open:expr $(; $($facet:ident),* $(,)?)?) => {
        $crate::store!(@ $crate::Harness::new($open); $($($facet)*)?);
    };
    (@ $harness:expr; $($facet:ident)*) => {
        fn harness() -> $crate::Harness {
            $harness.offering(&[$(stringify!($facet)),*])
        }
        $crate::__tests_of!(store, super::harness);
        $($crate::__tests_of!($facet, super::harness);)*
    };
}

/// Makes a test of each promise of layers; the layer is made anew for each of them.
///
/// ```
/// use everwarm_core::layer::{Layer, Verb};
/// use everwarm_core::store::Answer;
///
/// struct Nothing;
///
/// impl Layer for Nothing {
///     fn around<'a, T: Send + 'a>(
///         &'a self, _: Verb, _: usize, attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
///     ) -> Answer<'a, T> {
///         attempt()
///     }
/// }
///
/// everwarm_conformance::layer!(Nothing);
/// ```
#[macro_export]
macro_rules! layer {
    ($layer:expr) => {
        $crate::__checks!(layer, $layer, an_answer_passes_as_it_is a_lasting_failure_passes a_change_is_made_once
            a_success_ends_the_attempts an_abandoned_operation_leaves_no_trace);
    };
}

/// Makes a test of each promise of codecs; the codec is made anew for each of them.
#[macro_export]
macro_rules! codec {
    ($codec:expr) => {
        $crate::__checks!(codec, $codec, what_was_sealed_is_opened an_envelope_is_bound_to_its_key damage_is_refused
            any_bytes_are_refused);
    };
}

/// Makes a test of each check of a module.
#[doc(hidden)]
#[macro_export]
macro_rules! __checks {
    ($suite:ident, $made:expr, $($promise:ident)*) => {
        $(
            #[test]
            fn $promise() {
                if let Err(broken) = $crate::$suite::$promise(&$made) {
                    panic!("{}::{} is broken: {broken}", stringify!($suite), stringify!($promise));
                }
            }
        )*
    };
}
