//! Which renditions a broadcast has, as its source changes size.
//!
//! Browsers change the size of what they send with the path's capacity and the processor's load, several times a minute. A
//! rendition that followed them would cost players a discontinuity each time. So renditions keep the size they have, and pictures
//! are scaled to it; only a source that stays larger than any before, or of another shape, changes them.

use super::ladder::{Ladder, Rendition, Size};

/// A source is larger if it has so many times the pixels.
const LARGER: f64 = 1.1;
/// Slots that a new size has to stay: two seconds at 30 a second.
const STAYS: u32 = 60;

#[derive(Debug)]
pub(super) struct Layout {
    ladder: Ladder,
    /// What the renditions are made for.
    source: Size,
    renditions: Vec<Rendition>,
    /// A size that may become the source, and the slots it stayed.
    candidate: Option<(Size, u32)>,
}

impl Layout {
    pub(super) fn new(ladder: Ladder, source: Size) -> Self {
        Self {
            renditions: ladder.renditions(source),
            ladder,
            source,
            candidate: None,
        }
    }

    pub(super) fn renditions(&self) -> Vec<Rendition> {
        self.renditions.clone()
    }

    /// A slot shows a picture of this size.
    pub(super) fn on_slot(&mut self, size: Size) {
        let larger = size.pixels() as f64 > self.source.pixels() as f64 * LARGER;
        self.candidate = match self.candidate {
            _ if !larger && size.is_like(self.source) => None,
            Some((candidate, stayed)) if candidate == size => {
                Some((size, stayed.saturating_add(1)))
            }
            _ => Some((size, 1)),
        };
    }

    /// The renditions from the segment on that begins now, if they change.
    pub(super) fn on_segment(&mut self) -> Option<Vec<Rendition>> {
        let (size, _) = self.candidate.take_if(|(_, stayed)| *stayed >= STAYS)?;
        self.source = size;
        let mut renditions = self.ladder.renditions(size);
        for before in &self.renditions {
            if renditions.iter().all(|r| r.name != before.name) {
                renditions.push(Rendition::of(size, before.rung));
            }
        }
        let changes = renditions != self.renditions;
        self.renditions = renditions;
        changes.then(|| self.renditions())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    fn names(renditions: &[Rendition]) -> Vec<&str> {
        renditions.iter().map(|r| r.name.as_str()).collect()
    }

    fn stay(layout: &mut Layout, size: Size, slots: u32) -> Option<Vec<Rendition>> {
        for _ in 0..slots {
            layout.on_slot(size);
        }
        layout.on_segment()
    }

    #[test]
    fn a_source_that_grows_and_stays_gets_more_renditions() {
        let mut layout = Layout::new(Ladder::default(), size(640, 360));
        assert_eq!(names(&layout.renditions()), ["360p", "144p"]);
        assert_eq!(stay(&mut layout, size(1_280, 720), STAYS - 1), None);
        let more = stay(&mut layout, size(1_280, 720), 1).unwrap();
        assert_eq!(names(&more), ["720p", "480p", "360p", "144p"]);
    }

    #[test]
    fn one_that_shrinks_or_wavers_changes_nothing() {
        let mut layout = Layout::new(Ladder::default(), size(1_280, 720));
        assert_eq!(stay(&mut layout, size(320, 180), 1_000), None);
        for _ in 0..100 {
            assert_eq!(stay(&mut layout, size(1_920, 1_080), STAYS / 2), None);
            assert_eq!(stay(&mut layout, size(1_280, 720), STAYS / 2), None);
        }
    }

    #[test]
    fn one_that_is_turned_changes_the_shape() {
        let mut layout = Layout::new(Ladder::default(), size(1_280, 720));
        let turned = stay(&mut layout, size(720, 1_280), STAYS).unwrap();
        assert_eq!(turned[0].size, size(720, 1_280));
        assert_eq!(names(&turned), ["720p", "480p", "360p", "144p"]);
        let smaller = stay(&mut layout, size(640, 480), STAYS).unwrap();
        assert_eq!(names(&smaller), ["480p", "360p", "144p", "720p"]);
        assert_eq!(smaller[3].size, size(960, 720));
    }
}
