//! The locks of this crate: parking_lot's, or the schedule explorer's.

#[cfg(feature = "shuttle")]
pub(crate) use self::explored::Mutex;
#[cfg(not(feature = "shuttle"))]
pub(crate) use parking_lot::Mutex;

#[cfg(feature = "shuttle")]
mod explored {
    /// A mutex whose every acquisition is a place where the explorer may switch threads.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> shuttle::sync::MutexGuard<'_, T> {
            self.0
                .lock()
                .expect("a thread panicked while it held this lock")
        }
    }
}
