//! Stores whose answers come later, as if they were behind a connection.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::store::{Answer, Bytes, Failure, Found, Info, Limits, Store};

/// Whether its time has come, and who waits for it.
#[derive(Default)]
struct Alarm {
    is_due: bool,
    waiter: Option<Waker>,
}

type Due = (Instant, Arc<Mutex<Alarm>>);

/// An answer that comes after a while, from another thread.
pub fn later<'a, T: Send + 'a>(after: Duration, result: Result<T, Failure>) -> Answer<'a, T> {
    Answer::later(async move {
        elapsed(after).await;
        result
    })
}

/// Is over after a while; another thread says so.
async fn elapsed(after: Duration) {
    let alarm = Arc::new(Mutex::new(Alarm::default()));
    // The thread ends with the process alone.
    let _ = ringer().send((Instant::now() + after, Arc::clone(&alarm)));
    std::future::poll_fn(move |context| {
        let mut alarm = alarm.lock().unwrap_or_else(PoisonError::into_inner);
        if alarm.is_due {
            return Poll::Ready(());
        }
        alarm.waiter = Some(context.waker().clone());
        Poll::Pending
    })
    .await;
}

fn ringer() -> &'static Sender<Due> {
    static RINGER: OnceLock<Sender<Due>> = OnceLock::new();
    RINGER.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Due>();
        thread::spawn(move || {
            let mut waiting: Vec<Due> = Vec::new();
            loop {
                let next = waiting.iter().map(|(at, _)| *at).min();
                let left = next.map_or(Duration::from_secs(3600), |at| {
                    at.saturating_duration_since(Instant::now())
                });
                match receiver.recv_timeout(left) {
                    Ok(due) => waiting.push(due),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                let now = Instant::now();
                for (_, alarm) in waiting.extract_if(.., |(at, _)| *at <= now) {
                    let mut alarm = alarm.lock().unwrap_or_else(PoisonError::into_inner);
                    alarm.is_due = true;
                    let waiter = alarm.waiter.take();
                    drop(alarm);
                    waiter.into_iter().for_each(Waker::wake);
                }
            }
        });
        sender
    })
}

/// A store with the six verbs of another, each answered after a while: what layers and drivers are tried on.
#[derive(Debug)]
pub struct Later<S> {
    store: S,
    after: Duration,
}

impl<S: Store> Later<S> {
    /// `store`, whose answers come `after` a while.
    pub const fn new(store: S, after: Duration) -> Self {
        Self { store, after }
    }

    fn asked<'a, T: Send + 'a>(
        &'a self,
        ask: impl FnOnce(&'a S) -> Answer<'a, T> + Send + 'a,
    ) -> Answer<'a, T> {
        Answer::later(async move {
            elapsed(self.after).await;
            ask(&self.store).await
        })
    }
}

impl<S: Store> Store for Later<S> {
    fn info(&self) -> Info {
        Info {
            embedded: false,
            ..self.store.info()
        }
    }

    fn limits(&self) -> Limits {
        self.store.limits()
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        self.asked(move |store| store.get(name))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        self.asked(move |store| store.set(name, bytes, ttl))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        self.asked(move |store| store.delete(name))
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.asked(move |store| store.clear(prefix))
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.asked(Store::ping)
    }

    fn close(&self) -> Answer<'_, ()> {
        self.asked(Store::close)
    }
}
