//! A growing array, in which an item that is as large as a cache line fills one.

use std::ops::{Index, IndexMut};

/// Two vectors, of which one is used. Where the other kind begins is its allocator's choice, mostly 16 bytes into a line: each item of
/// 64 bytes would lie in two of them.
#[repr(C)]
pub(crate) struct Slots<S> {
    lines: Vec<Line<S>>,
    others: Vec<S>,
}

/// An item in a cache line of its own.
#[repr(align(64))]
struct Line<S>(S);

impl<S> Slots<S> {
    const FILLS_LINES: bool = size_of::<S>() == align_of::<Line<S>>();

    pub(crate) const fn new() -> Self {
        Self {
            lines: Vec::new(),
            others: Vec::new(),
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        match Self::FILLS_LINES {
            true => self.lines.len(),
            false => self.others.len(),
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self, at: usize) -> Option<&S> {
        match Self::FILLS_LINES {
            true => self.lines.get(at).map(|line| &line.0),
            false => self.others.get(at),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &S> {
        self.lines.iter().map(|line| &line.0).chain(&self.others)
    }

    pub(crate) fn capacity(&self) -> usize {
        match Self::FILLS_LINES {
            true => self.lines.capacity(),
            false => self.others.capacity(),
        }
    }

    pub(crate) fn reserve_exact(&mut self, more: usize) {
        match Self::FILLS_LINES {
            true => self.lines.reserve_exact(more),
            false => self.others.reserve_exact(more),
        }
    }

    pub(crate) fn push(&mut self, slot: S) {
        match Self::FILLS_LINES {
            true => self.lines.push(Line(slot)),
            false => self.others.push(slot),
        }
    }
}

impl<S> Index<usize> for Slots<S> {
    type Output = S;

    #[inline(always)]
    fn index(&self, at: usize) -> &S {
        match Self::FILLS_LINES {
            true => &self.lines[at].0,
            false => &self.others[at],
        }
    }
}

impl<S> IndexMut<usize> for Slots<S> {
    #[inline(always)]
    fn index_mut(&mut self, at: usize) -> &mut S {
        match Self::FILLS_LINES {
            true => &mut self.lines[at].0,
            false => &mut self.others[at],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled<S: Default>() -> Slots<S> {
        let mut slots = Slots::new();
        for _ in 0..100 {
            slots.reserve_exact(1);
            slots.push(S::default());
        }
        assert_eq!((slots.len(), slots.iter().count()), (100, 100));
        assert!(slots.get(99).is_some() && slots.get(100).is_none());
        slots
    }

    #[test]
    fn items_as_large_as_a_cache_line_fill_one() {
        let slots = filled::<[u64; 8]>();
        assert!(
            slots
                .iter()
                .all(|slot| std::ptr::from_ref(slot).addr() % 64 == 0)
        );
    }

    #[test]
    fn items_of_other_sizes_lie_without_gaps() {
        let mut slots = filled::<[u64; 10]>();
        slots[1][0] = 7;
        let at = |one: usize| std::ptr::from_ref(&slots[one]).addr();
        assert_eq!((at(99) - at(0), slots[1][0]), (99 * 80, 7));
    }
}
