//! Slots by number, as many as are of use: a viewer at rest needs few, one that catches up at full speed many.

/// What can lie in a [`Ring`].
pub(super) trait Slot: Copy + Default {
    /// The low bits of its number; `None` for an empty slot.
    fn number(&self) -> Option<u32>;
}

/// A ring of slots, a power of two of them.
#[derive(Debug)]
pub(super) struct Ring<T> {
    slots: Box<[T]>,
    least: usize,
}

impl<T: Slot> Ring<T> {
    /// `least` slots, a power of two, which it never goes below.
    pub(super) fn new(least: usize) -> Self {
        Self {
            slots: vec![T::default(); least].into(),
            least,
        }
    }

    pub(super) fn clear(&mut self) {
        self.slots = vec![T::default(); self.least].into();
    }

    /// The slot where a number would be. Whether it is there is for the caller to see.
    #[inline]
    pub(super) fn at(&self, number: u32) -> &T {
        &self.slots[self.index(number)]
    }

    /// See [`Self::at`].
    #[inline]
    pub(super) fn at_mut(&mut self, number: u32) -> &mut T {
        let index = self.index(number);
        &mut self.slots[index]
    }

    /// The slot for a new number. While what it would overwrite is `of_use` the ring grows, up to `most` slots.
    #[inline]
    pub(super) fn place(
        &mut self,
        number: u32,
        most: usize,
        of_use: impl Fn(&T) -> bool,
    ) -> &mut T {
        let occupant = self.at(number);
        if occupant.number().is_some() && of_use(occupant) && self.slots.len() < most {
            self.resize(self.slots.len() * 2, of_use);
        }
        self.at_mut(number)
    }

    /// Gives memory back where little of it is of use.
    pub(super) fn fit(&mut self, of_use: impl Fn(&T) -> bool) {
        let count = self.slots.iter().filter(|slot| of_use(slot)).count();
        // An eighth more, so that a small change doesn't make it grow at once.
        let enough = (count + count / 8).next_power_of_two().max(self.least);
        if enough < self.slots.len() {
            self.resize(enough, of_use);
        }
    }

    #[cold]
    fn resize(&mut self, len: usize, of_use: impl Fn(&T) -> bool) {
        let old = std::mem::replace(&mut self.slots, vec![T::default(); len].into());
        for slot in old.iter().filter(|slot| of_use(slot)) {
            if let Some(number) = slot.number() {
                *self.at_mut(number) = *slot;
            }
        }
    }

    #[inline]
    fn index(&self, number: u32) -> usize {
        number as usize & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    struct Numbered(Option<u32>);

    impl Slot for Numbered {
        fn number(&self) -> Option<u32> {
            self.0
        }
    }

    fn fill(ring: &mut Ring<Numbered>, numbers: std::ops::Range<u32>, most: usize, kept: u32) {
        for number in numbers {
            let of_use = |slot: &Numbered| slot.0.is_some_and(|n| n + kept > number);
            *ring.place(number, most, of_use) = Numbered(Some(number));
        }
    }

    #[test]
    fn it_grows_for_what_is_of_use_and_no_further() {
        let mut ring = Ring::new(4);
        fill(&mut ring, 0..100, 64, 10);
        assert_eq!(ring.slots.len(), 16);
        for number in 90..100 {
            assert_eq!(ring.at(number).0, Some(number));
        }
        fill(&mut ring, 100..400, 64, 1_000);
        assert_eq!(ring.slots.len(), 64);
        assert_eq!(ring.at(399).0, Some(399));
    }

    #[test]
    fn it_shrinks_and_keeps_what_is_of_use() {
        let mut ring = Ring::new(4);
        fill(&mut ring, 0..100, 64, 1_000);
        ring.fit(|slot| slot.0.is_some_and(|n| n >= 95));
        assert_eq!(ring.slots.len(), 8);
        for number in 95..100 {
            assert_eq!(ring.at(number).0, Some(number));
        }
        ring.fit(|_| false);
        assert_eq!(ring.slots.len(), 4);
    }
}
