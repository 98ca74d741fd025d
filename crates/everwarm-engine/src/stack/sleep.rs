//! Sleep as an argument: how long a wait lasts is the stack's to say, what passes the time is not.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};

use crate::process::Process;
use crate::shim::Mutex;
use crate::ticker::Ticker;

/// A wait that ends by itself.
pub type Nap = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What passes the time, on whichever thread or loop the nap is polled.
pub trait Sleep: Send + Sync {
    /// Waits for so long.
    fn sleep(&self, span: Duration) -> Nap;
}

/// Sleeps with the help of one thread, which begins with the first nap and wakes whoever sleeps: it serves any executor. The child
/// of a fork makes one of its own; from its parent's there is no waiting.
#[derive(Debug)]
pub struct Sleeper {
    alarms: Mutex<Option<mpsc::Sender<Alarm>>>,
    process: Process,
}

/// When to wake whom.
#[derive(Debug)]
struct Alarm {
    due: Instant,
    sleeper: Arc<Mutex<Asleep>>,
}

#[derive(Debug, Default)]
struct Asleep {
    over: bool,
    waker: Option<Waker>,
}

impl Sleeper {
    /// A sleeper without a thread as yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            alarms: Mutex::new(None),
            process: Process::current(),
        }
    }

    fn set(&self, mut alarm: Alarm) {
        if self.process.is_parent() {
            alarm.sleeper.lock().over = true;
            return;
        }
        let mut alarms = self.alarms.lock();
        if let Some(sender) = &*alarms {
            match sender.send(alarm) {
                Ok(()) => return,
                Err(mpsc::SendError(back)) => alarm = back,
            }
        }
        let (sender, set) = mpsc::channel();
        let sleeper = Arc::clone(&alarm.sleeper);
        sender.send(alarm).expect("the receiver is here");
        let thread = thread::Builder::new().name("everwarm-alarm".to_owned());
        match thread.spawn(move || ring(&set)) {
            Ok(_) => *alarms = Some(sender),
            // Without a thread there is no waiting: whoever would sleep looks again at once.
            Err(_) => sleeper.lock().over = true,
        }
    }
}

impl Default for Sleeper {
    fn default() -> Self {
        Self::new()
    }
}

impl Sleep for Sleeper {
    fn sleep(&self, span: Duration) -> Nap {
        let sleeper = Arc::new(Mutex::new(Asleep::default()));
        self.set(Alarm {
            due: Ticker::system().now().after(span),
            sleeper: Arc::clone(&sleeper),
        });
        Box::pin(poll_fn(move |context| {
            let mut asleep = sleeper.lock();
            if asleep.over {
                return Poll::Ready(());
            }
            asleep.waker = Some(context.waker().clone());
            Poll::Pending
        }))
    }
}

/// Rings each alarm when it is due, until nobody can set one any more.
fn ring(alarms: &mpsc::Receiver<Alarm>) {
    let clock = Ticker::system();
    let mut waiting: BinaryHeap<Alarm> = BinaryHeap::new();
    loop {
        let now = clock.now();
        while let Some(alarm) = waiting.pop() {
            if alarm.due > now {
                waiting.push(alarm);
                break;
            }
            let mut asleep = alarm.sleeper.lock();
            asleep.over = true;
            let waker = asleep.waker.take();
            drop(asleep);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        let next = match waiting.peek() {
            Some(alarm) => alarms.recv_timeout(alarm.due.since(now)),
            None => alarms
                .recv()
                .map_err(|_| mpsc::RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(alarm) => waiting.push(alarm),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    // The heap gives its greatest first, which is to be the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.due.cmp(&self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parker::Parker;
    use std::task::Context;

    #[test]
    fn naps_end_in_the_order_of_their_ends() {
        let sleeper = Sleeper::new();
        let parker = Parker::new();
        let waker = parker.waker();
        let mut context = Context::from_waker(&waker);
        let mut long = sleeper.sleep(Duration::from_millis(60));
        let mut short = sleeper.sleep(Duration::from_millis(10));
        let mut ended = Vec::new();
        while ended.len() < 2 {
            for (name, nap) in [("long", &mut long), ("short", &mut short)] {
                if !ended.contains(&name) && nap.as_mut().poll(&mut context).is_ready() {
                    ended.push(name);
                }
            }
            if ended.len() < 2 {
                parker.park(Duration::from_secs(10));
            }
        }
        assert_eq!(ended, ["short", "long"]);
    }
}
