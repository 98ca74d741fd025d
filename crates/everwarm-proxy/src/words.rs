//! The verbs of a proxy as lines of text: `set delay by=50ms way=down`, `calm`, `count delay`.

use std::time::Duration;

use crate::fault::{Fault, Kind, Way};
use crate::proxy::Proxy;

/// Does what a line says, and answers: `ok`, `ok` and a number, or `error` and why not. `log` answers `ok`, how many there are, and a line for each.
///
/// | line | |
/// |---|---|
/// | `set KIND [by= jitter= per_second= of= apart= after=] [way=up\|down] [chance=] [times=]` | [`Proxy::set`] |
/// | `lift KIND`, `calm`, `disconnect` | as the methods |
/// | `count KIND`, `accepted`, `connections`, `log` | as the methods |
///
/// Durations are written as `2s`, `50ms` or `10us`.
#[must_use]
pub fn answer(proxy: &Proxy, line: &str) -> String {
    match Command::read(line) {
        Ok(command) => command.run(proxy),
        Err(why) => format!("error {why}"),
    }
}

#[derive(Debug, PartialEq)]
enum Command {
    Set(Fault),
    Lift(String),
    Calm,
    Disconnect,
    Count(String),
    Accepted,
    Connections,
    Log,
}

impl Command {
    fn read(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words.as_slice() {
            ["set", kind, ref terms @ ..] => Ok(Self::Set(fault(kind, terms)?)),
            ["lift", kind] => Ok(Self::Lift(known(kind)?)),
            ["count", kind] => Ok(Self::Count(known(kind)?)),
            ["calm"] => Ok(Self::Calm),
            ["disconnect"] => Ok(Self::Disconnect),
            ["accepted"] => Ok(Self::Accepted),
            ["connections"] => Ok(Self::Connections),
            ["log"] => Ok(Self::Log),
            _ => Err(format!("no such command: {line}")),
        }
    }

    fn run(self, proxy: &Proxy) -> String {
        match self {
            Self::Set(fault) => proxy.set(fault),
            Self::Lift(kind) => proxy.lift(&kind),
            Self::Calm => proxy.calm(),
            Self::Disconnect => proxy.disconnect(),
            Self::Count(kind) => return format!("ok {}", proxy.count(&kind)),
            Self::Accepted => return format!("ok {}", proxy.accepted()),
            Self::Connections => return format!("ok {}", proxy.connections()),
            Self::Log => {
                let log = proxy.log();
                let lines = log.iter().map(|deed| format!("\n{deed}"));
                return format!("ok {}{}", log.len(), lines.collect::<String>());
            }
        }
        "ok".to_owned()
    }
}

fn known(kind: &str) -> Result<String, String> {
    if Kind::NAMES.contains(&kind) {
        Ok(kind.to_owned())
    } else {
        Err(format!("no such fault: {kind}"))
    }
}

/// What may be said of a fault, each at most once.
struct Terms<'a>(Vec<(&'a str, &'a str)>);

impl Terms<'_> {
    fn take<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let Some(at) = self.0.iter().position(|term| term.0 == key) else {
            return Ok(None);
        };
        let (_, text) = self.0.swap_remove(at);
        match read(text) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("{key} cannot be {text}")),
        }
    }

    fn need<T>(&mut self, key: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, String> {
        self.take(key, read)?
            .ok_or_else(|| format!("{key}= is missing"))
    }
}

fn fault(kind: &str, terms: &[&str]) -> Result<Fault, String> {
    let pairs = terms.iter().map(|term| term.split_once('=').ok_or(*term));
    let mut terms = Terms(
        pairs
            .collect::<Result<_, _>>()
            .map_err(|term| format!("not KEY=VALUE: {term}"))?,
    );
    let mut fault = bare(kind, &mut terms)?;
    match terms.take("way", way)? {
        Some(Way::Up) if kind == "swap" => return Err("replies come down".to_owned()),
        Some(_) if matches!(fault.kind, Kind::Refuse | Kind::Hang) => {
            return Err(format!("{kind} has no way"));
        }
        Some(way) => fault.way = Some(way),
        None => {}
    }
    let (chance, times) = (terms.take("chance", chance)?, terms.take("times", number)?);
    if kind == "refuse" && (chance.is_some() || times.is_some()) {
        return Err("refuse has neither chance nor times".to_owned());
    }
    fault.chance = chance.unwrap_or(fault.chance);
    fault.times = times.or(fault.times);
    match terms.0.first() {
        Some((key, _)) => Err(format!("{kind} has no {key}, or has it once")),
        None => Ok(fault),
    }
}

/// A fault with what only its kind has.
fn bare(kind: &str, terms: &mut Terms<'_>) -> Result<Fault, String> {
    Ok(match kind {
        "delay" => {
            let by = terms.need("by", duration)?;
            Fault::jitter(by, terms.take("jitter", duration)?.unwrap_or_default())
        }
        "bandwidth" => Fault::bandwidth(terms.need("per_second", positive)?),
        "slices" => {
            let of = terms.take("of", positive)?.unwrap_or(1);
            let apart = terms.take("apart", duration)?.unwrap_or_default();
            Fault::slices(usize::try_from(of).unwrap_or(usize::MAX), apart)
        }
        "truncate" => Fault::truncate(),
        "freeze" => Fault::freeze(),
        "half_open" => Fault::half_open(),
        "reset" => Fault::reset(),
        "corrupt" => Fault::corrupt(),
        "swap" => Fault::swap(),
        "cut" => Fault::cut(terms.need("after", number)?),
        "refuse" => Fault::refuse(),
        "hang" => Fault::hang(),
        _ => return Err(known(kind).err().unwrap_or_default()),
    })
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn positive(text: &str) -> Option<u64> {
    number(text).filter(|&number| number > 0)
}

fn chance(text: &str) -> Option<f64> {
    text.parse()
        .ok()
        .filter(|chance| (0.0..=1.0).contains(chance))
}

fn way(text: &str) -> Option<Way> {
    [Way::Up, Way::Down]
        .into_iter()
        .find(|way| way.name() == text)
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let seconds = match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        _ => return None,
    };
    let number: f64 = text[..text.len() - unit.len()].parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn each_fault_can_be_said() {
        let said = [
            (
                "delay by=50ms jitter=1.5ms way=up",
                Fault::jitter(50 * MS, 1500 * MS / 1000).up(),
            ),
            ("bandwidth per_second=100", Fault::bandwidth(100)),
            ("slices", Fault::slices(1, Duration::ZERO)),
            ("slices of=2 apart=10us", Fault::slices(2, MS / 100)),
            ("truncate chance=0.5", Fault::truncate().chance(0.5)),
            ("freeze way=down", Fault::freeze().down()),
            ("half_open", Fault::half_open()),
            ("reset times=3", Fault::reset().times(3)),
            ("corrupt times=1 chance=1", Fault::corrupt().times(1)),
            ("swap", Fault::swap()),
            ("cut after=0", Fault::cut(0)),
            ("refuse", Fault::refuse()),
            ("hang", Fault::hang()),
        ];
        for (line, fault) in &said {
            let read = Command::read(&format!("set {line}"));
            assert_eq!(read, Ok(Command::Set(fault.clone())), "{line}");
        }
        for name in Kind::NAMES {
            assert!(
                said.iter().any(|(_, fault)| fault.kind().name() == name),
                "{name}"
            );
            assert_eq!(
                Command::read(&format!("lift {name}")),
                Ok(Command::Lift(name.into()))
            );
        }
    }

    #[test]
    fn what_is_meaningless_is_refused() {
        for line in [
            "",
            "set",
            "set rain",
            "lift rain",
            "count",
            "calm down",
            "set delay",
            "set delay by=50",
            "set delay by=-1s",
            "set delay by=1s by=2s",
            "set delay by",
            "set delay by=infs",
            "set bandwidth per_second=0",
            "set freeze by=1s",
            "set reset chance=1.1",
            "set reset chance=NaN",
            "set reset way=left",
            "set swap way=up",
            "set refuse times=1",
            "set hang way=up",
        ] {
            assert!(Command::read(line).is_err(), "{line}");
        }
    }
}
