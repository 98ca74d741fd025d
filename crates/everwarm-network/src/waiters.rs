//! Who waits for the end of somebody's lease: each name has one bell.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The bells, by name.
#[derive(Default)]
pub struct Waiters(Arc<Mutex<HashMap<Box<str>, Bell>>>);

#[derive(Default)]
struct Bell {
    rings: Arc<Notify>,
    /// How many wait for it.
    waiting: usize,
}

/// One who waits. The last one takes the bell away.
struct Waiter {
    name: Box<str>,
    waiters: Waiters,
}

impl Waiters {
    /// Is over at the next end of a lease of this name.
    pub fn wait(&self, name: &str) -> impl Future<Output = ()> + Send + use<> {
        let rings = {
            let mut bells = self.0.lock();
            let bell = bells.entry(name.into()).or_default();
            bell.waiting += 1;
            Arc::clone(&bell.rings)
        };
        let waiter = Waiter {
            name: name.into(),
            waiters: Self(Arc::clone(&self.0)),
        };
        // It hears of what ends from here on, whether or not it is awaited yet.
        let mut rung = Box::pin(rings.notified_owned());
        rung.as_mut().enable();
        async move {
            rung.await;
            drop(waiter);
        }
    }

    /// Wakes all who wait for this name.
    pub fn wake(&self, name: &str) {
        let rings = self.0.lock().get(name).map(|bell| Arc::clone(&bell.rings));
        if let Some(rings) = rings {
            rings.notify_waiters();
        }
    }

    /// Wakes all who wait for a name that begins with this.
    pub fn wake_all(&self, prefix: &str) {
        let bells = self.0.lock();
        let rung = bells.iter().filter(|(name, _)| name.starts_with(prefix));
        let rung: Vec<_> = rung.map(|(_, bell)| Arc::clone(&bell.rings)).collect();
        drop(bells);
        rung.iter().for_each(|rings| rings.notify_waiters());
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut bells = self.waiters.0.lock();
        if let Some(bell) = bells.get_mut(&self.name) {
            bell.waiting -= 1;
            if bell.waiting == 0 {
                bells.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn is_over(waits: impl Future<Output = ()>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(waits).poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn who_waits_hears_of_what_ended_since_it_asked() {
        let waiters = Waiters::default();
        waiters.wake("a");
        let (one, other, apart) = (waiters.wait("a"), waiters.wait("a"), waiters.wait("b"));
        waiters.wake("a");
        assert!(is_over(one) && is_over(other) && !is_over(apart));
        assert!(!is_over(waiters.wait("a")));
    }

    #[test]
    fn nobody_leaves_anything_behind() {
        let waiters = Waiters::default();
        let (one, other) = (waiters.wait("a"), waiters.wait("a"));
        drop(one);
        assert_eq!(waiters.0.lock().len(), 1);
        waiters.wake("a");
        assert!(is_over(other));
        assert!(waiters.0.lock().is_empty());
    }
}
