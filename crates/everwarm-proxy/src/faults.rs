//! The faults in force.

use crate::draw::Draw;
use crate::fault::{Fault, Kind, Way};

/// One of each kind and direction at most.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Puts a fault in force, in the place of one of its kind and direction.
    pub(crate) fn set(&mut self, fault: Fault) {
        self.0
            .retain(|other| other.kind.name() != fault.kind.name() || other.way != fault.way);
        self.0.push(fault);
    }

    /// Lifts a kind, in both directions.
    pub(crate) fn lift(&mut self, name: &str) {
        self.0.retain(|fault| fault.kind.name() != name);
    }

    /// Lifts all.
    pub(crate) fn calm(&mut self) {
        self.0.clear();
    }

    fn position(&self, name: &str, way: Option<Way>) -> Option<usize> {
        self.0.iter().position(|f| {
            f.kind.name() == name && (way.is_none() || f.way.is_none() || f.way == way)
        })
    }

    /// Whether a kind is in force; one that has happened often enough still is, for whom it has befallen.
    pub(crate) fn lasts(&self, name: &str, way: Option<Way>) -> bool {
        self.position(name, way).is_some()
    }

    /// The fault of a kind that is in force.
    pub(crate) fn find(&self, name: &str, way: Option<Way>) -> Option<Kind> {
        Some(self.0[self.position(name, way)?].kind)
    }

    /// Whether a fault of that kind befalls now. If so it is counted, and the caller brings it about.
    pub(crate) fn befalls(
        &mut self,
        name: &str,
        way: Option<Way>,
        draw: &mut Draw,
    ) -> Option<Kind> {
        let at = self.position(name, way)?;
        let fault = &mut self.0[at];
        if fault.times == Some(0) || draw.unit() >= fault.chance {
            return None;
        }
        fault.times = fault.times.map(|left| left - 1);
        Some(fault.kind)
    }

    /// Takes back that a fault has befallen.
    pub(crate) fn spared(&mut self, name: &str, way: Way) {
        if let Some(at) = self.position(name, Some(way)) {
            self.0[at].times = self.0[at].times.map(|left| left + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(faults: &mut Faults, name: &str, way: Way) -> usize {
        let mut draw = Draw::new(7, 0);
        (0..1000)
            .filter(|_| faults.befalls(name, Some(way), &mut draw).is_some())
            .count()
    }

    #[test]
    fn a_fault_befalls_its_direction_with_its_chance_as_often_as_it_may() {
        let mut faults = Faults::default();
        faults.set(Fault::corrupt().down().chance(0.1));
        assert_eq!(count(&mut faults, "corrupt", Way::Up), 0);
        assert!((50..150).contains(&count(&mut faults, "corrupt", Way::Down)));
        faults.set(Fault::corrupt().down().times(3));
        assert_eq!(count(&mut faults, "corrupt", Way::Down), 3);
        faults.spared("corrupt", Way::Down);
        assert_eq!(count(&mut faults, "corrupt", Way::Down), 1);
        assert!(faults.lasts("corrupt", Some(Way::Down)));
        faults.lift("corrupt");
        assert!(!faults.lasts("corrupt", None));
    }

    #[test]
    fn directions_have_faults_of_their_own() {
        let mut faults = Faults::default();
        faults.set(Fault::reset().up().times(1));
        faults.set(Fault::reset().down().times(2));
        assert_eq!(count(&mut faults, "reset", Way::Up), 1);
        assert_eq!(count(&mut faults, "reset", Way::Down), 2);
        faults.calm();
        assert!(!faults.lasts("reset", None));
    }
}
