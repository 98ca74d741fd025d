//! Whether a thread or a loop that has asked looks for its answer for a moment before it sleeps.
//!
//! Where processors idle, two of them have to be woken one after the other, which takes longer than the answer; where they are busy,
//! looking takes what others need. What took less time lately decides.

use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;

/// For how long one looks at most.
const LONGEST: Duration = Duration::from_micros(150);
/// Each so many questions the other way is tried.
const OTHERS: u32 = 64;
/// What longer answers count as: a server that stood still says nothing of the way.
const MOST: Duration = Duration::from_millis(1);

/// How one waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It looks at first, and lets others go before it meanwhile.
    Looking,
    /// It sleeps until it is woken.
    Sleeping,
}

/// What one connection knows of both ways.
#[derive(Debug, Default)]
pub struct Patience {
    asked: u32,
    looking: Mean,
    sleeping: Mean,
}

/// One who waits for an answer.
#[derive(Debug)]
pub struct Wait {
    way: Way,
    since: Instant,
}

impl Wait {
    /// Whether to look once more, and not to sleep yet.
    #[must_use]
    pub fn looks(&self) -> bool {
        self.way == Way::Looking && self.since.elapsed() < LONGEST
    }
}

impl Patience {
    /// To be called once everything was asked: gives back when something has come, where looking finds it, and else in a moment,
    /// for the thread to sleep.
    pub fn wait(&mut self, socket: impl AsFd) -> Wait {
        let wait = self.begin();
        if wait.way == Way::Looking {
            look(socket, wait.since + LONGEST);
        }
        wait
    }

    /// The same for who has other things to do between two looks.
    pub fn begin(&mut self) -> Wait {
        Wait {
            way: self.way(),
            since: Instant::now(),
        }
    }

    /// To be called once something has come.
    pub fn came(&mut self, wait: &Wait) {
        self.took(wait.way, wait.since.elapsed());
    }

    /// How to wait for the next answer.
    fn way(&mut self) -> Way {
        self.asked = self.asked.wrapping_add(1);
        let (Some(looking), Some(sleeping)) = (self.looking.0, self.sleeping.0) else {
            return match self.sleeping.0 {
                None => Way::Sleeping,
                Some(_) => Way::Looking,
            };
        };
        // Who looks takes processor time for it, which a little would not be worth.
        let pays = looking <= sleeping / 4 * 3;
        let is_other = self.asked.is_multiple_of(OTHERS);
        if pays == is_other {
            Way::Sleeping
        } else {
            Way::Looking
        }
    }

    /// Takes note of how long an answer took on this way.
    fn took(&mut self, way: Way, span: Duration) {
        let mean = match way {
            Way::Looking => &mut self.looking,
            Way::Sleeping => &mut self.sleeping,
        };
        mean.add(span.min(MOST));
    }
}

/// The mean of what was lately, of which the last is a quarter.
#[derive(Debug, Default)]
struct Mean(Option<Duration>);

impl Mean {
    fn add(&mut self, span: Duration) {
        self.0 = Some(self.0.map_or(span, |mean| (mean * 3 + span) / 4));
    }
}

/// Looks at a socket until something has come, it has ended, or the moment is over, and lets others go before it between two looks.
fn look(socket: impl AsFd, until: Instant) {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    while rustix::net::recv(&socket, &mut [0; 1], flags) == Err(Errno::AGAIN)
        && Instant::now() < until
    {
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    /// How many of so many answers are looked for, in a world where both ways take so many microseconds.
    fn looks(patience: &mut Patience, answers: u32, (looking, sleeping): (u64, u64)) -> u32 {
        let mut looks = 0;
        for _ in 0..answers {
            let way = patience.way();
            looks += u32::from(way == Way::Looking);
            let took = match way {
                Way::Looking => looking,
                Way::Sleeping => sleeping,
            };
            patience.took(way, Duration::from_micros(took));
        }
        looks
    }

    #[test]
    fn who_gains_by_it_looks() {
        let looked = looks(&mut Patience::default(), 640, (50, 150));
        assert!((620..640).contains(&looked), "{looked}");
    }

    #[test]
    fn who_gains_little_or_nothing_sleeps() {
        for world in [(24, 23), (20, 23), (400, 400), (122, 68), (90_000, 80_000)] {
            let looked = looks(&mut Patience::default(), 640, world);
            assert!((1..=11).contains(&looked), "{world:?}: {looked}");
        }
    }

    #[test]
    fn what_changes_is_noticed_soon() {
        let (idle, busy) = ((50, 150), (120, 70));
        let mut patience = Patience::default();
        for _ in 0..3 {
            looks(&mut patience, 640, idle);
            assert!(looks(&mut patience, 64, idle) > 60);
            looks(&mut patience, 640, busy);
            assert!(looks(&mut patience, 64, busy) < 4);
        }
    }

    #[test]
    fn what_stood_still_once_is_soon_forgotten() {
        let mut patience = Patience::default();
        looks(&mut patience, 64, (50, 150));
        patience.took(Way::Looking, Duration::from_secs(9));
        assert!(looks(&mut patience, 640, (50, 150)) > 64);
    }

    #[test]
    fn after_two_answers_both_ways_are_known() {
        let (ours, mut theirs) = UnixStream::pair().expect("descriptors");
        let mut patience = Patience::default();
        for _ in 0..2 {
            theirs.write_all(b"x").expect("it is there");
            let wait = patience.wait(&ours);
            (&ours).read_exact(&mut [0; 1]).expect("it was said");
            patience.came(&wait);
        }
        assert!(patience.looking.0.is_some() && patience.sleeping.0.is_some());
    }

    #[test]
    fn who_does_other_things_meanwhile_looks_until_the_moment_is_over() {
        let mut patience = Patience::default();
        let slept_for = patience.begin();
        assert!(!slept_for.looks());
        patience.came(&slept_for);
        let mut wait = patience.begin();
        wait.since += Duration::from_secs(600);
        assert!(wait.looks());
        wait.since -= Duration::from_secs(600) + LONGEST;
        assert!(!wait.looks());
    }

    #[test]
    fn a_look_ends_with_what_comes_with_the_end_and_with_the_moment() {
        let (ours, mut theirs) = UnixStream::pair().expect("descriptors");
        let late = || Instant::now() + Duration::from_secs(600);
        let begun = Instant::now();
        look(&ours, begun + LONGEST);
        assert!(begun.elapsed() >= LONGEST);
        let says = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            theirs.write_all(b"x").expect("it is there");
            theirs
        });
        look(&ours, late());
        let theirs = says.join().expect("it ends");
        (&ours).read_exact(&mut [0; 1]).expect("it was said");
        drop(theirs);
        look(&ours, late());
    }
}
