//! Delivery directives: what a client asks of a playlist (RFC 8216bis §6.2.5).

/// How far a playlist is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// The number of the last segment that has a part.
    pub(super) segment: u64,
    /// How many.
    pub(super) parts: u32,
    /// It gets no more of them.
    pub(super) complete: bool,
}

impl Position {
    /// Whether the playlist has that part, or that segment whole. A part past the end of its segment is the first one of
    /// the next (RFC 8216bis §6.2.5.2).
    pub(super) fn has(self, wanted: Wanted) -> bool {
        self.segment > wanted.segment
            || self.segment == wanted.segment
                && wanted
                    .part
                    .map_or(self.complete, |part| part < u64::from(self.parts))
    }

    /// The number of the last whole segment.
    fn last_complete(self) -> u64 {
        if self.complete {
            self.segment
        } else {
            self.segment.saturating_sub(1)
        }
    }

    /// Whether that is too far ahead to wait for: `limit` is the Advance Part Limit.
    pub(super) fn is_too_far(self, wanted: Wanted, limit: u64) -> bool {
        if wanted.segment > self.last_complete() + 2 {
            return true;
        }
        let Some(part) = wanted.part else {
            return false;
        };
        // How many parts a segment will have isn't known: it has one at least.
        match wanted.segment.checked_sub(self.segment) {
            None => false,
            Some(0) => part >= u64::from(self.parts) + limit,
            Some(segments) => part.saturating_add(segments) > limit,
        }
    }
}

/// What a client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) segment: u64,
    pub(super) part: Option<u64>,
}

/// `_HLS_msn`, `_HLS_part` and `_HLS_skip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Directives {
    pub(super) wanted: Option<Wanted>,
    pub(super) skip: bool,
}

/// A request to answer with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadDirective {
    #[error("{0} must be a decimal number, given once")]
    Number(&'static str),
    #[error("_HLS_part needs _HLS_msn")]
    PartAlone,
    #[error("_HLS_skip must be YES or v2")]
    Skip,
    #[error("_HLS_msn or _HLS_part is too far ahead of the playlist: ask for what comes next")]
    TooFar,
}

impl Directives {
    /// Of a request's query. What isn't a directive belongs to others and is passed over.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, BadDirective> {
        let (mut segment, mut part, mut skip) = (None, None, false);
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "_HLS_msn" => set(&mut segment, value, "_HLS_msn")?,
                "_HLS_part" => set(&mut part, value, "_HLS_part")?,
                // v2 may leave out date ranges too, of which there are none.
                "_HLS_skip" if value == "YES" || value == "v2" => skip = true,
                "_HLS_skip" => return Err(BadDirective::Skip),
                _ => {}
            }
        }
        let wanted = match (segment, part) {
            (None, Some(_)) => return Err(BadDirective::PartAlone),
            (None, None) => None,
            (Some(segment), part) => Some(Wanted { segment, part }),
        };
        Ok(Self { wanted, skip })
    }
}

fn set(number: &mut Option<u64>, value: &str, name: &'static str) -> Result<(), BadDirective> {
    let parsed = decimal(value).ok_or(BadDirective::Number(name))?;
    match number.replace(parsed) {
        None => Ok(()),
        Some(_) => Err(BadDirective::Number(name)),
    }
}

/// A decimal-integer (RFC 8216bis §4.2) without sign.
pub(super) fn decimal(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn wanted(segment: u64, part: Option<u64>) -> Wanted {
        Wanted { segment, part }
    }

    const INSIDE: Position = Position {
        segment: 7,
        parts: 3,
        complete: false,
    };
    const WHOLE: Position = Position {
        segment: 7,
        parts: 10,
        complete: true,
    };

    #[test]
    fn a_part_is_there_once_as_many_are() {
        assert!(INSIDE.has(wanted(7, Some(2))));
        assert!(!INSIDE.has(wanted(7, Some(3))));
        assert!(INSIDE.has(wanted(6, Some(99))));
        assert!(!INSIDE.has(wanted(8, Some(0))));
    }

    #[test]
    fn a_segment_is_there_once_it_is_whole() {
        assert!(INSIDE.has(wanted(6, None)));
        assert!(!INSIDE.has(wanted(7, None)));
        assert!(WHOLE.has(wanted(7, None)));
    }

    #[test]
    fn a_part_past_the_end_of_its_segment_is_the_first_of_the_next() {
        assert!(!WHOLE.has(wanted(7, Some(10))));
        let next = Position {
            segment: 8,
            parts: 1,
            complete: false,
        };
        assert!(next.has(wanted(7, Some(10))));
    }

    #[test]
    fn more_than_two_segments_ahead_of_the_last_is_too_far() {
        assert!(!INSIDE.is_too_far(wanted(8, None), 15));
        assert!(INSIDE.is_too_far(wanted(9, None), 15));
        assert!(!WHOLE.is_too_far(wanted(9, None), 15));
        assert!(WHOLE.is_too_far(wanted(10, None), 15));
    }

    #[test]
    fn more_parts_ahead_than_the_advance_part_limit_is_too_far() {
        assert!(!INSIDE.is_too_far(wanted(7, Some(2 + 15)), 15));
        assert!(INSIDE.is_too_far(wanted(7, Some(2 + 16)), 15));
        assert!(!INSIDE.is_too_far(wanted(8, Some(14)), 15));
        assert!(INSIDE.is_too_far(wanted(8, Some(15)), 15));
        assert!(INSIDE.is_too_far(wanted(8, Some(u64::MAX)), 15));
    }

    #[test]
    fn directives_are_read_beside_other_parameters() {
        let read = Directives::parse(Some("token=a&_HLS_msn=7&_HLS_part=2&_HLS_skip=YES"));
        assert_eq!(
            read,
            Ok(Directives {
                wanted: Some(wanted(7, Some(2))),
                skip: true
            })
        );
        assert_eq!(Directives::parse(None), Ok(Directives::default()));
    }

    #[test]
    fn bad_directives_are_refused() {
        for (query, expected) in [
            ("_HLS_part=1", BadDirective::PartAlone),
            ("_HLS_msn=-1", BadDirective::Number("_HLS_msn")),
            ("_HLS_msn=", BadDirective::Number("_HLS_msn")),
            (
                "_HLS_msn=99999999999999999999",
                BadDirective::Number("_HLS_msn"),
            ),
            ("_HLS_msn=1&_HLS_msn=2", BadDirective::Number("_HLS_msn")),
            ("_HLS_msn=1&_HLS_part=x", BadDirective::Number("_HLS_part")),
            ("_HLS_skip=NO", BadDirective::Skip),
        ] {
            assert_eq!(Directives::parse(Some(query)), Err(expected), "{query}");
        }
    }
}
