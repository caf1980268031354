//! What a request makes its answer depend on: preconditions (RFC 9110 §13) and the range that it asks for (§14).

use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderValue, header};
use headers::{
    ETag, HeaderMapExt as _, IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince,
    LastModified,
};

use crate::recordings::ObjectPart;

/// What is known of an object before its bytes.
pub(super) struct Version {
    pub(super) tag: Option<ETag>,
    pub(super) modified: SystemTime,
}

/// What the preconditions say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Go,
    /// The client has it already.
    NotModified,
    /// It isn't what the client takes it for.
    Failed,
}

/// The headers of a request; what can't be read counts as absent.
pub(super) struct Conditions {
    if_match: Option<IfMatch>,
    if_unmodified_since: Option<IfUnmodifiedSince>,
    if_none_match: Option<IfNoneMatch>,
    if_modified_since: Option<IfModifiedSince>,
    if_range: Option<IfRange>,
    range: Option<ObjectPart>,
}

impl Conditions {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            if_match: headers.typed_get(),
            if_unmodified_since: headers.typed_get(),
            if_none_match: headers.typed_get(),
            if_modified_since: headers.typed_get(),
            if_range: headers.typed_get(),
            range: headers.get(header::RANGE).and_then(range),
        }
    }

    /// The range that is asked for, if there is one.
    pub(super) fn range(&self) -> Option<ObjectPart> {
        self.range
    }

    /// In the order of RFC 9110 §13.2.2.
    pub(super) fn verdict(&self, version: &Version) -> Verdict {
        let holds = match (&self.if_match, &self.if_unmodified_since) {
            (Some(wanted), _) => version
                .tag
                .as_ref()
                .is_some_and(|tag| wanted.precondition_passes(tag)),
            (None, Some(since)) => since.precondition_passes(version.modified),
            (None, None) => true,
        };
        if !holds {
            return Verdict::Failed;
        }
        let is_new = match (&self.if_none_match, &self.if_modified_since) {
            (Some(known), _) => version
                .tag
                .as_ref()
                .is_none_or(|tag| known.precondition_passes(tag)),
            (None, Some(since)) => since.is_modified(version.modified),
            (None, None) => true,
        };
        if is_new {
            Verdict::Go
        } else {
            Verdict::NotModified
        }
    }

    /// Whether a range is wanted of another version than this one: then all of this one is (§13.1.5).
    pub(super) fn is_range_of_another(&self, version: &Version) -> bool {
        let modified = LastModified::from(version.modified);
        self.if_range
            .as_ref()
            .is_some_and(|of| of.is_modified(version.tag.as_ref(), Some(&modified)))
    }
}

/// One range of bytes (RFC 9110 §14.1.2). Several at once are answered with the whole, as a server may.
fn range(value: &HeaderValue) -> Option<ObjectPart> {
    let (first, last) = value
        .to_str()
        .ok()?
        .trim()
        .strip_prefix("bytes=")?
        .trim()
        .split_once('-')?;
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Some(ObjectPart::From {
            first,
            last: Some(last),
        }),
        (Some(first), None) if last.is_empty() => Some(ObjectPart::From { first, last: None }),
        (None, Some(length)) if first.is_empty() => Some(ObjectPart::Last(length)),
        _ => None,
    }
}

fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const DAY: u64 = 86_400;
    const DAY_1: &str = "Fri, 02 Jan 1970 00:00:00 GMT";
    const DAY_2: &str = "Sat, 03 Jan 1970 00:00:00 GMT";

    fn conditions(headers: &[(&'static str, &str)]) -> Conditions {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Conditions::of(&map)
    }

    /// Tagged "a", of the second day.
    fn version() -> Version {
        Version {
            tag: Some("\"a\"".parse().unwrap()),
            modified: UNIX_EPOCH + Duration::from_secs(2 * DAY),
        }
    }

    #[test]
    fn preconditions_are_weighed_in_their_order() {
        for (headers, verdict) in [
            (&[][..], Verdict::Go),
            (&[("if-none-match", "\"a\"")], Verdict::NotModified),
            (&[("if-none-match", "\"b\", W/\"a\"")], Verdict::NotModified),
            (&[("if-none-match", "*")], Verdict::NotModified),
            (&[("if-none-match", "\"b\"")], Verdict::Go),
            (&[("if-modified-since", DAY_2)], Verdict::NotModified),
            (&[("if-modified-since", DAY_1)], Verdict::Go),
            (
                &[("if-none-match", "\"b\""), ("if-modified-since", DAY_2)],
                Verdict::Go,
            ),
            (&[("if-match", "\"a\"")], Verdict::Go),
            (&[("if-match", "\"b\"")], Verdict::Failed),
            (&[("if-unmodified-since", DAY_1)], Verdict::Failed),
            (&[("if-unmodified-since", DAY_2)], Verdict::Go),
            (
                &[("if-match", "\"b\""), ("if-none-match", "\"a\"")],
                Verdict::Failed,
            ),
        ] {
            let said = conditions(headers).verdict(&version());
            assert_eq!(said, verdict, "{headers:?}");
        }
    }

    #[test]
    fn a_range_of_another_version_is_noticed() {
        for (of, is_other) in [
            ("\"a\"", false),
            ("\"b\"", true),
            (DAY_2, false),
            (DAY_1, true),
        ] {
            let conditions = conditions(&[("if-range", of)]);
            assert_eq!(conditions.is_range_of_another(&version()), is_other, "{of}");
        }
        assert!(!conditions(&[]).is_range_of_another(&version()));
    }

    #[test]
    fn ranges_are_read_and_what_is_none_counts_as_absent() {
        let from = |first, last| Some(ObjectPart::From { first, last });
        for (text, part) in [
            ("bytes=0-499", from(0, Some(499))),
            ("bytes=500-", from(500, None)),
            ("bytes=-500", Some(ObjectPart::Last(500))),
            ("bytes=0-99999999999999999999999", from(0, Some(u64::MAX))),
            ("bytes=0-1,5-6", None),
            ("bytes=5-4", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("bytes=+1-2", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(conditions(&[("range", text)]).range(), part, "{text}");
        }
    }
}
