//! What is made in the background, one attempt at a time, and made anew once it was given up.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use everwarm_core::store::Failure;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::deadline::Deadline;
use crate::error::{given_up, not_yet};
use everwarm_network::chance::part_of;

/// The first wait between two attempts, of which a random part is waited; each failure doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// Within how long those come back that lost it at once.
const APART: Duration = Duration::from_millis(20);
/// The longest wait: what is owed to a server reaches it within two seconds of its return.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Something that may not be there yet, or not any more. While it cannot be had, who asks is refused at once; where one was lost, the
/// first attempt to have another is waited for.
pub(crate) struct Renewed<T> {
    /// What it is called in messages.
    name: String,
    state: Arc<Mutex<State<T>>>,
}

type Made<T> = Option<Result<Arc<T>, Failure>>;

struct State<T> {
    there: Option<Arc<T>>,
    making: Option<watch::Receiver<Made<T>>>,
    failures: u32,
    not_before: Option<Instant>,
    why: Option<Failure>,
    /// Whether no attempt has ended yet: who asks first may wait for longer.
    is_first: bool,
    is_closed: bool,
}

impl<T: Send + Sync + 'static> Renewed<T> {
    /// Nothing yet.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state: Arc::new(Mutex::new(State {
                there: None,
                making: None,
                failures: 0,
                not_before: None,
                why: None,
                is_first: true,
                is_closed: false,
            })),
        }
    }

    /// What is there.
    pub(crate) fn there(&self) -> Option<Arc<T>> {
        self.state.lock().there.clone()
    }

    /// Whether no attempt has ended yet.
    pub(crate) fn is_first(&self) -> bool {
        self.state.lock().is_first
    }

    /// What is there, or what `make` makes. The first is waited for as long as `first` says, later ones until the deadline.
    ///
    /// # Errors
    /// That of `make`, of this attempt or of the last one, or a timeout.
    pub(crate) async fn get<F>(
        &self,
        (deadline, first): (&Deadline, Duration),
        make: impl FnOnce() -> F,
    ) -> Result<Arc<T>, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (mut making, is_first) = {
            let mut state = self.state.lock();
            if let Some(there) = &state.there {
                return Ok(Arc::clone(there));
            }
            if state.is_closed {
                return Err(given_up(&self.name));
            }
            if state.making.is_none() && state.not_before.is_some_and(|at| Instant::now() < at) {
                let why = state.why.clone();
                return Err(why.unwrap_or_else(|| given_up(&self.name)));
            }
            (self.begin(&mut state, make)?, state.is_first)
        };
        let deadline = if is_first {
            Deadline::after(first, 0)
        } else {
            *deadline
        };
        let made = async {
            making
                .wait_for(Option::is_some)
                .await
                .map(|made| made.clone())
        };
        match deadline.within(made, || 0).await? {
            Some(Ok(Some(made))) => made,
            Some(_) => {
                // The task is gone, as at the end of a process.
                self.state.lock().making = None;
                Err(given_up(&self.name))
            }
            None => Err(not_yet(&self.name, deadline.limit(0))),
        }
    }

    /// Makes it anew behind the back of those who use the old one, unless that was done a moment ago.
    pub(crate) fn renew<F>(&self, make: impl FnOnce() -> F)
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let mut state = self.state.lock();
        let is_early = state.not_before.is_some_and(|at| Instant::now() < at);
        if !is_early {
            // A failure to begin is one that the next who asks meets.
            let _ = self.begin(&mut state, make);
        }
    }

    /// Gives up what was found useless, unless it was replaced already.
    pub(crate) fn give_up(&self, old: &Arc<T>) {
        let mut state = self.state.lock();
        if state
            .there
            .as_ref()
            .is_some_and(|there| Arc::ptr_eq(there, old))
        {
            let gone = state.there.take();
            state.not_before = None;
            drop(state);
            drop(gone);
        }
    }

    /// Lets go of what is there, and of what is still to come.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let gone = state.there.take();
        drop(state);
        drop(gone);
    }

    fn begin<F>(
        &self,
        state: &mut State<T>,
        make: impl FnOnce() -> F,
    ) -> Result<watch::Receiver<Made<T>>, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        if let Some(making) = &state.making {
            return Ok(making.clone());
        }
        let runtime = everwarm_runtime::handle()?;
        let (told, making) = watch::channel(None);
        state.making = Some(making.clone());
        let (making_of, work) = (Arc::clone(&self.state), make());
        // What was lost was lost to many at once, who should not all come back at once.
        let was_lost = !state.is_first && state.there.is_none() && state.failures == 0;
        let pause = if was_lost {
            part_of(APART)
        } else {
            Duration::ZERO
        };
        runtime.spawn(async move {
            tokio::time::sleep(pause).await;
            let made = work.await.map(Arc::new);
            let old = making_of.lock().take(&made);
            drop(old);
            // Nobody may be waiting any more.
            let _ = told.send(Some(made));
        });
        Ok(making)
    }
}

impl<T> State<T> {
    /// Takes what an attempt gave; what was there before.
    fn take(&mut self, made: &Result<Arc<T>, Failure>) -> Option<Arc<T>> {
        self.making = None;
        match made {
            Ok(there) => {
                self.failures = 0;
                self.is_first = false;
                self.why = None;
                self.not_before = Some(Instant::now() + FIRST_WAIT + part_of(FIRST_WAIT));
                if self.is_closed {
                    return None;
                }
                self.there.replace(Arc::clone(there))
            }
            Err(failure) => {
                let wait = FIRST_WAIT * 2_u32.saturating_pow(self.failures.min(10));
                self.failures = self.failures.saturating_add(1);
                self.is_first = false;
                self.why = Some(failure.clone());
                self.not_before = Some(Instant::now() + part_of(wait.min(LONGEST_WAIT)));
                None
            }
        }
    }
}
