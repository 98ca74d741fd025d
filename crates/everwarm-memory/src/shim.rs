//! The locks and counters this crate stands on: real ones, or those of a schedule explorer.

#[cfg(feature = "shuttle")]
pub(crate) use self::explored::{AtomicU64, AtomicUsize, Mutex, MutexGuard};
#[cfg(not(feature = "shuttle"))]
pub(crate) use self::real::{AtomicU64, AtomicUsize, Mutex, MutexGuard};

#[cfg(not(feature = "shuttle"))]
mod real {
    pub(crate) use lock_api::{Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize};
}

#[cfg(feature = "shuttle")]
mod explored {
    pub(crate) use shuttle::sync::atomic::{AtomicU64, AtomicUsize};
    use std::marker::PhantomData;
    use std::ops::{Deref, DerefMut};
    use std::sync::PoisonError;

    /// A mutex without poison, as the real one; the explorer's, whatever the kind of lock.
    pub(crate) struct Mutex<L, T>(shuttle::sync::Mutex<T>, PhantomData<fn() -> L>);

    impl<L, T> Mutex<L, T> {
        pub(crate) fn new(inner: T) -> Self {
            Self(shuttle::sync::Mutex::new(inner), PhantomData)
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, L, T> {
            MutexGuard(
                self.0.lock().unwrap_or_else(PoisonError::into_inner),
                PhantomData,
            )
        }
    }

    /// Its guard.
    pub(crate) struct MutexGuard<'a, L, T>(
        shuttle::sync::MutexGuard<'a, T>,
        PhantomData<fn() -> L>,
    );

    impl<L, T> Deref for MutexGuard<'_, L, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<L, T> DerefMut for MutexGuard<'_, L, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.0
        }
    }
}

/// Keeps what it holds on cache lines of its own (two of 64 bytes, since processors fetch them in pairs).
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);
