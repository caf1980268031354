//! Segments of plain HLS: rows of segments that last 4 s or more together, the same ones in every rendition.

use std::collections::VecDeque;

/// A row of segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    /// Its media sequence number.
    pub(super) sequence: u64,
    pub(super) first: u64,
    pub(super) last: u64,
}

/// The rows of a presentation.
#[derive(Debug, Default)]
pub(super) struct SegmentGroups {
    groups: VecDeque<Group>,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    sequence: u64,
    first: u64,
    last: u64,
    /// Microseconds.
    start: u64,
}

impl SegmentGroups {
    /// A rendition has come to segment `number`, which begins at `start` microseconds. A row is complete when it lasts
    /// `shortest`, and before a discontinuity.
    pub(super) fn segment_began(
        &mut self,
        number: u64,
        start: u64,
        discontinuous: bool,
        shortest: u64,
    ) {
        let Some(open) = &mut self.open else {
            self.open = Some(Open {
                sequence: number,
                first: number,
                last: number,
                start,
            });
            return;
        };
        if number <= open.last {
            return;
        }
        if start.saturating_sub(open.start) < shortest && !discontinuous {
            open.last = number;
            return;
        }
        let closed = *open;
        *open = Open {
            sequence: closed.sequence + 1,
            first: number,
            last: number,
            start,
        };
        self.close(closed);
    }

    /// No segment follows.
    pub(super) fn end(&mut self) {
        if let Some(open) = self.open.take() {
            self.close(open);
        }
    }

    fn close(
        &mut self,
        Open {
            sequence,
            first,
            last,
            ..
        }: Open,
    ) {
        self.groups.push_back(Group {
            sequence,
            first,
            last,
        });
    }

    /// Segments before `first` are gone.
    pub(super) fn forget_before(&mut self, first: u64) {
        while self.groups.front().is_some_and(|group| group.first < first) {
            self.groups.pop_front();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Group> + '_ {
        self.groups.iter().copied()
    }

    pub(super) fn contains(&self, first: u64, last: u64) -> bool {
        self.groups
            .iter()
            .any(|group| group.first == first && group.last == last)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn rows(groups: &SegmentGroups) -> Vec<(u64, u64, u64)> {
        groups
            .iter()
            .map(|group| (group.sequence, group.first, group.last))
            .collect()
    }

    #[test]
    fn a_row_is_as_many_segments_as_last_four_seconds() {
        let mut groups = SegmentGroups::default();
        for number in 0..7 {
            // Each rendition tells of each segment.
            for _ in 0..3 {
                groups.segment_began(100 + number, number * 1_500_000, false, 4_000_000);
            }
        }
        assert_eq!(rows(&groups), [(100, 100, 102), (101, 103, 105)]);
        groups.end();
        assert_eq!(rows(&groups).last(), Some(&(102, 106, 106)));
    }

    #[test]
    fn no_row_holds_a_discontinuity() {
        let mut groups = SegmentGroups::default();
        groups.segment_began(5, 0, false, 4_000_000);
        groups.segment_began(6, 2_000_000, true, 4_000_000);
        assert_eq!(rows(&groups), [(5, 5, 5)]);
    }
}
