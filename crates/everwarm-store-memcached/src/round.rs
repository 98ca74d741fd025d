//! One trip to a server about some names: each question brings the numbers of their namespaces along, and what was asked under numbers
//! that are not those any more is asked again.
//!
//! So nobody waits to learn them first, and no clear that was acknowledged before is missed. What was written under an old number is
//! never found again, and neither here nor there by who asks after the clear. What must not even be written in vain is read first: the
//! write that follows is made under the number that was read, over what was read.

use std::sync::Arc;

use everwarm_core::store::Failure;

use crate::batch::{Batch, Mode, Terms};
use crate::error::{contended, foreign, unexpected};
use crate::generation::Generation;
use crate::item::Clock;
use crate::life::Life;
use crate::names::{self, CLOCK, key_of_space, space_of};
use crate::node::Node;
use crate::replies::{Reply, Said};
use everwarm_network::chance::number;

/// How often a question is asked again whose numbers have changed.
const TRIES: usize = 16;
/// How long a clock of a server is kept: as long as it takes spans.
const CLOCK_SPAN: u32 = 30 * 24 * 60 * 60;

/// What a server said about a name.
pub(crate) struct Answer {
    /// The name's key, by the number that it had.
    pub(crate) key: Vec<u8>,
    pub(crate) reply: Reply,
}

/// What is asked about names of one server.
pub(crate) struct Round<'a> {
    pub(crate) node: &'a Node,
    pub(crate) names: &'a [&'a str],
    /// Whether no other server is asked at the same time.
    pub(crate) is_alone: bool,
}

impl<'a> Round<'a> {
    /// What the server says to what `ask` writes, one command for each name: it is given the name's place and its key.
    ///
    /// # Errors
    /// If the server cannot be asked, or its namespaces keep being cleared.
    pub(crate) async fn ask(
        &self,
        ask: impl Fn(usize, &[u8], &mut Batch) + Send,
    ) -> Result<Vec<Answer>, Failure> {
        let (answers, _) = self.ask_by(false, ask).await?;
        Ok(answers)
    }

    /// The same, and the time by the server's clock.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub(crate) async fn ask_with_clock(
        &self,
        ask: impl Fn(usize, &[u8], &mut Batch) + Send,
    ) -> Result<(Vec<Answer>, Clock), Failure> {
        self.ask_by(true, ask).await
    }

    async fn ask_by(
        &self,
        has_clock: bool,
        ask: impl Fn(usize, &[u8], &mut Batch) + Send,
    ) -> Result<(Vec<Answer>, Clock), Failure> {
        let mut answers: Vec<Option<Answer>> = self.names.iter().map(|_| None).collect();
        for _ in 0..TRIES {
            let open: Vec<usize> = (0..answers.len())
                .filter(|&at| answers[at].is_none())
                .collect();
            let clock = self.ask_once(has_clock, &open, &mut answers, &ask).await?;
            let is_whole = answers.iter().all(Option::is_some);
            if let (Some(clock), true) = (clock, is_whole) {
                return Ok((answers.into_iter().flatten().collect(), clock));
            }
        }
        Err(contended())
    }

    /// Asks about the names at these places, once; those whose numbers are known to be right are answered. The time, if it could be had
    /// or is not wanted.
    async fn ask_once(
        &self,
        has_clock: bool,
        open: &[usize],
        answers: &mut [Option<Answer>],
        ask: &(impl Fn(usize, &[u8], &mut Batch) + Send),
    ) -> Result<Option<Clock>, Failure> {
        let mut spaces: Vec<&str> = Vec::new();
        for &at in open {
            let space = space_of(self.names[at]);
            // They are nearly always all of one.
            if spaces.last() != Some(&space) && !spaces.contains(&space) {
                spaces.push(space);
            }
        }
        let known: Vec<_> = spaces
            .iter()
            .map(|space| self.node.generation(space))
            .collect();
        let mut batch = Batch::default();
        for space in &spaces {
            batch.get(&key_of_space(space), "v");
        }
        if has_clock {
            batch.get(CLOCK, "vt");
        }
        let generation = |name: &str| {
            let space = space_of(name);
            let at = spaces.iter().position(|other| *other == space)?;
            Some((at, known[at].as_ref()?))
        };
        let mut asked = Vec::with_capacity(open.len());
        for &at in open {
            let name = self.names[at];
            if let Some((space, generation)) = generation(name) {
                let number = generation.of(name);
                let key = names::key(number, name);
                ask(at, &key, &mut batch);
                asked.push((at, space, number, key));
            }
        }
        let replies = self.node.exchange(batch, self.is_alone).await?;
        let mut replies = replies.into_iter();
        let mut seen = Vec::with_capacity(spaces.len());
        for (space, known) in spaces.iter().zip(&known) {
            let reply = replies.next().ok_or_else(|| unexpected("a read"))?;
            seen.push(self.seen(space, known.as_ref(), &reply).await?);
        }
        let clock = match has_clock {
            true => {
                let reply = replies.next().ok_or_else(|| unexpected("a read"))?;
                self.clock(&reply).await?
            }
            false => Some(Clock::default()),
        };
        for (at, space, number, key) in asked {
            let reply = replies.next().ok_or_else(|| unexpected("a command"))?;
            let now = seen[space].as_ref();
            if now.is_some_and(|now| now.of(self.names[at]) == number) {
                answers[at] = Some(Answer { key, reply });
            }
        }
        Ok(clock)
    }

    /// The numbers of a namespace as the server said; new ones are made where it has none, and None is given.
    async fn seen(
        &self,
        space: &str,
        known: Option<&Arc<Generation>>,
        reply: &Reply,
    ) -> Result<Option<Arc<Generation>>, Failure> {
        let Some(data) = reply.data()? else {
            self.node.note_generation(space, None);
            self.make(
                &key_of_space(space),
                &Generation::fresh().encode(),
                Life::ENDLESS,
            )
            .await?;
            return Ok(None);
        };
        let now = Generation::decode(data).ok_or_else(foreign)?;
        if let Some(known) = known.filter(|known| ***known == now) {
            return Ok(Some(Arc::clone(known)));
        }
        let now = Arc::new(now);
        self.node.note_generation(space, Some(Arc::clone(&now)));
        Ok(Some(now))
    }

    /// The time by the server's clock: what is left of an item that is never written again. A new one is made where there is none, and
    /// None is given.
    async fn clock(&self, reply: &Reply) -> Result<Option<Clock>, Failure> {
        let Some(data) = reply.data()? else {
            let number = number() as u32;
            let life = Life::kept(Some(CLOCK_SPAN), 0);
            self.make(CLOCK, &number.to_le_bytes(), life).await?;
            return Ok(None);
        };
        let number = data[..].try_into().map_err(|_| foreign())?;
        let left = reply.left.ok_or_else(foreign)?;
        Ok(Some(Clock {
            number: u32::from_le_bytes(number),
            at: CLOCK_SPAN.saturating_sub(left),
        }))
    }

    /// Puts one of our own items where there is none.
    async fn make(&self, key: &[u8], data: &[u8], life: Life) -> Result<(), Failure> {
        let mut batch = Batch::default();
        let terms = Terms {
            mode: Mode::Add,
            flags: 0,
            ends: life.seconds(),
        };
        batch.set(key, &[data], terms);
        let replies = self.node.exchange(batch, self.is_alone).await?;
        match replies.first().map(|reply| &reply.said) {
            // Somebody else may have been first.
            Some(Said::Done | Said::NotStored) => Ok(()),
            Some(_) => Err(replies[0].unexpected("a write")),
            None => Err(unexpected("a write")),
        }
    }
}

/// Asks one thing of a server.
///
/// # Errors
/// If the server cannot be asked.
pub(crate) async fn one(
    node: &Node,
    write: impl FnOnce(&mut Batch) + Send,
) -> Result<Reply, Failure> {
    let mut batch = Batch::default();
    write(&mut batch);
    let replies = node.exchange(batch, true).await?;
    replies
        .into_iter()
        .next()
        .ok_or_else(|| unexpected("a command"))
}
