//! The entity tag of a session's ICE session, and `If-Match` (RFC 9110 §13.1.1, RFC 9725 §4.3.1).

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::problem::Problem;

/// What a `PATCH` is meant for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// `*`: whatever the ICE session is now. Asks for an ICE restart.
    Any,
    /// The ICE sessions of these strong tags.
    Tags(Vec<String>),
}

impl IfMatch {
    /// The header of the request: 428 when it's missing, 400 when it isn't one.
    pub(crate) fn required(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut lines = headers.get_all(header::IF_MATCH).iter().peekable();
        if lines.peek().is_none() {
            return Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "send If-Match with the ETag of the session to add candidates, or with * to restart ICE",
            ));
        }
        let mut text = String::new();
        for line in lines {
            let line = line.to_str().map_err(|_| malformed())?;
            text.push_str(line);
            text.push(',');
        }
        Self::parse(&text).ok_or_else(malformed)
    }

    fn parse(list: &str) -> Option<Self> {
        let mut entries = list
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .peekable();
        entries.peek()?;
        let entries: Vec<&str> = entries.collect();
        if entries == ["*"] {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        for entry in entries {
            let (weak, quoted) = match entry.strip_prefix("W/") {
                Some(quoted) => (true, quoted),
                None => (false, entry),
            };
            let tag = quoted.strip_prefix('"')?.strip_suffix('"')?;
            if tag.contains('"') {
                return None;
            }
            // If-Match compares strongly, so a weak tag never matches.
            if !weak {
                tags.push(tag.to_owned());
            }
        }
        Some(Self::Tags(tags))
    }
}

fn malformed() -> Problem {
    Problem::bad_request("If-Match is neither * nor a list of quoted entity tags")
}

/// The value of an `ETag` header.
pub(crate) fn entity_tag(tag: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(&format!("\"{tag}\""))
        .map_err(|error| Problem::internal(format_args!("the ICE tag can't be an ETag: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(list: &[&str]) -> IfMatch {
        IfMatch::Tags(list.iter().map(|&tag| tag.to_owned()).collect())
    }

    #[test]
    fn if_match_is_a_star_or_strong_tags() {
        assert_eq!(IfMatch::parse("*,"), Some(IfMatch::Any));
        assert_eq!(IfMatch::parse("\"a+/b\""), Some(tags(&["a+/b"])));
        assert_eq!(
            IfMatch::parse(" \"a\" , W/\"b\",\"c\","),
            Some(tags(&["a", "c"]))
        );
        assert_eq!(IfMatch::parse("W/\"b\""), Some(tags(&[])));
    }

    #[test]
    fn what_is_not_a_list_of_tags_is_refused() {
        for bad in [
            "", ",", "a", "\"a", "a\"", "\"", "*, \"a\"", "\"a\"b\"", "W/a",
        ] {
            assert_eq!(IfMatch::parse(bad), None, "{bad:?}");
        }
    }
}
