//! The locks and shared numbers of this crate: parking_lot's and std's, or the schedule explorer's.

#[cfg(feature = "shuttle")]
pub(crate) use self::explored::{AtomicU64, Mutex, MutexGuard};
#[cfg(not(feature = "shuttle"))]
pub(crate) use self::plain::{AtomicU64, Mutex, MutexGuard};

#[cfg(not(feature = "shuttle"))]
mod plain {
    pub(crate) use parking_lot::{Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::AtomicU64;
}

#[cfg(feature = "shuttle")]
mod explored {
    pub(crate) use shuttle::sync::MutexGuard;
    pub(crate) use shuttle::sync::atomic::AtomicU64;

    /// A mutex whose every acquisition is a place where the explorer may switch threads.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0
                .lock()
                .expect("a thread panicked while it held this lock")
        }
    }

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }
}
