//! Random verbs, and a plain map that says what each must answer.

use std::collections::BTreeMap;
use std::time::Duration;

use everwarm_core::store::{Bytes, Condition, Entry};

use super::LONG;
use crate::harness::Bench;
use crate::numbers::Numbers;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::wait;

const SEEDS: u64 = 6;
const STEPS: usize = 250;
const NAMES: usize = 8;

/// What the store should hold: bytes, and when they end by the model's own clock.
#[derive(Default)]
struct Model {
    entries: BTreeMap<String, (Bytes, Option<Duration>)>,
    now: Duration,
}

impl Model {
    fn get(&self, name: &str) -> Option<&Bytes> {
        self.entries.get(name).map(|(bytes, _)| bytes)
    }

    fn set(&mut self, name: &str, bytes: &Bytes, ttl: Option<Duration>) {
        let until = ttl.map(|ttl| self.now + ttl);
        self.entries.insert(name.to_owned(), (bytes.clone(), until));
    }

    fn pass(&mut self, span: Duration) {
        self.now += span;
        self.entries
            .retain(|_, (_, until)| until.is_none_or(|until| until > self.now));
    }

    fn clear(&mut self, prefix: &str) {
        self.entries.retain(|name, _| !name.starts_with(prefix));
    }
}

struct Run<'a> {
    bench: &'a Bench<'a>,
    numbers: Numbers,
    names: Vec<String>,
    model: Model,
}

pub(crate) fn random_verbs_agree_with_a_model(bench: &Bench<'_>) -> Kept {
    for seed in 0..SEEDS {
        let names = (0..NAMES).map(|n| bench.name(&format!("{seed}:{}:{n}", n % 2)));
        let mut run = Run {
            bench,
            numbers: Numbers::from_seed(seed),
            names: names.collect(),
            model: Model::default(),
        };
        for step in 0..STEPS {
            run.step()
                .map_err(|broken| Broken::new(format!("seed {seed}, step {step}: {broken}")))?;
        }
    }
    Ok(())
}

impl Run<'_> {
    fn step(&mut self) -> Kept {
        let name = self.names[self.numbers.below(NAMES)].clone();
        match self.numbers.below(14) {
            0..3 => self.set(&name),
            3..6 => self.check(&name),
            6 => {
                let was = self.model.entries.remove(&name).is_some();
                let said = wait(self.bench.store.delete(&name))?;
                ensure!(
                    said == was,
                    "delete said {said}, and the entry was there: {was}"
                );
                Ok(())
            }
            7 => self.pass(),
            8 => self.clear(&name),
            9 => self.set_many(),
            10 => self.check_all(),
            11 => self.set_if(&name),
            12 => self.expire(&name),
            _ => self.sweep(),
        }
    }

    fn ttl(&mut self) -> Option<Duration> {
        match self.numbers.below(3) {
            0 => None,
            1 if !self.bench.is_real_time() => {
                Some(Duration::from_secs(1 + self.numbers.draw() % 100))
            }
            _ => Some(LONG * 24),
        }
    }

    fn value(&mut self) -> Bytes {
        let length = self.numbers.below(2_000);
        self.numbers.bytes(length).into()
    }

    fn set(&mut self, name: &str) -> Kept {
        let (bytes, ttl) = (self.value(), self.ttl());
        wait(self.bench.store.set(name, bytes.clone(), ttl))?;
        self.model.set(name, &bytes, ttl);
        Ok(())
    }

    fn check(&self, name: &str) -> Kept {
        let found = self.bench.bytes(name)?;
        let expected = self.model.get(name);
        ensure!(
            found.as_ref() == expected,
            "get found {:?} bytes, and {:?} bytes were set",
            found.as_ref().map(Bytes::len),
            expected.map(Bytes::len)
        );
        Ok(())
    }

    fn check_all(&self) -> Kept {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        for (name, found) in names.iter().zip(wait(self.bench.store.get_many(&names))?) {
            let found = found.map(|found| found.bytes);
            ensure!(
                found.as_ref() == self.model.get(name),
                "get_many gave another value than was set"
            );
        }
        Ok(())
    }

    fn pass(&mut self) -> Kept {
        if !self.bench.is_real_time() {
            let span = Duration::from_millis(500 + self.numbers.draw() % 20_000);
            // Beyond the precision, so that the model need not know of it.
            self.bench.outlive(span);
            let precision = self.bench.store.limits().ttl_precision;
            self.model.pass(span + precision + Duration::from_millis(1));
        }
        Ok(())
    }

    fn clear(&mut self, name: &str) -> Kept {
        let prefix = &name[..name.len() - self.numbers.below(3)];
        wait(self.bench.store.clear(prefix))?;
        self.model.clear(prefix);
        Ok(())
    }

    fn set_many(&mut self) -> Kept {
        let values: Vec<_> = (0..3).map(|_| (self.value(), self.ttl())).collect();
        let entries = self
            .names
            .iter()
            .zip(&values)
            .map(|(name, (bytes, ttl))| Entry {
                name,
                bytes: bytes.clone(),
                ttl: *ttl,
            });
        let entries: Vec<_> = entries.collect();
        wait(self.bench.store.set_many(&entries))?;
        for entry in &entries {
            self.model.set(entry.name, &entry.bytes, entry.ttl);
        }
        Ok(())
    }

    fn set_if(&mut self, name: &str) -> Kept {
        let (bytes, ttl) = (self.value(), self.ttl());
        let Some(conditional) = self.bench.store.conditional() else {
            return Ok(());
        };
        let version = self.bench.found(name)?.map(|found| found.version);
        let is_there = self.model.get(name).is_some();
        let (condition, holds) = match self.numbers.below(4) {
            0 => (Condition::Absent, !is_there),
            1 => (Condition::Present, is_there),
            2 => (Condition::Version(version.unwrap_or(1)), is_there),
            _ => (Condition::Version(version.unwrap_or(0) ^ (1 << 40)), false),
        };
        let set = wait(conditional.set_if(name, bytes.clone(), ttl, condition))?;
        ensure!(
            set.is_some() == holds,
            "{condition:?} held: {holds}, and set_if said {set:?}"
        );
        if holds {
            self.model.set(name, &bytes, ttl);
        }
        Ok(())
    }

    fn expire(&mut self, name: &str) -> Kept {
        let ttl = self.ttl();
        let Some(touch) = self.bench.store.touch() else {
            return Ok(());
        };
        let was = wait(touch.expire(name, ttl))?;
        let bytes = self.model.get(name).cloned();
        ensure!(
            was == bytes.is_some(),
            "expire said {was}, and the entry was there: {}",
            !was
        );
        if let Some(bytes) = bytes {
            self.model.set(name, &bytes, ttl);
        }
        Ok(())
    }

    fn sweep(&self) -> Kept {
        wait(self.bench.store.sweep())?;
        let Some(scan) = self.bench.store.scan() else {
            return Ok(());
        };
        let prefix = &self.names[0][..self.names[0].len() - 3];
        let mut names = super::scan::all(scan, prefix, 3)?;
        names.sort();
        let expected: Vec<String> = self.model.entries.keys().cloned().collect();
        ensure!(
            names == expected,
            "a scan gave {} names, and {} are there",
            names.len(),
            expected.len()
        );
        Ok(())
    }
}
