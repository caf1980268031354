//! `?token=`: how players that can't set a header say who they are.

use crate::platform::{BearerToken, Caller};

const TOKEN: &str = "token";

/// Who asks. The header wins over the query.
pub(crate) fn viewer(mut caller: Caller, query: Option<&str>) -> Caller {
    let in_query = || {
        let mut pairs = form_urlencoded::parse(query?.as_bytes());
        let (_, token) = pairs.find(|(key, _)| key == TOKEN)?;
        Some(BearerToken(token.into_owned()))
    };
    caller.token = caller.token.or_else(in_query);
    caller
}

/// The query without the token, however that is written, as it stands behind a path.
pub(crate) fn without(query: Option<&str>) -> String {
    let mut kept = String::new();
    for pair in query.unwrap_or_default().split('&') {
        let mut named = form_urlencoded::parse(pair.as_bytes());
        if pair.is_empty() || named.next().is_some_and(|(key, _)| key == TOKEN) {
            continue;
        }
        kept.push(if kept.is_empty() { '?' } else { '&' });
        kept.push_str(pair);
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn token(header: Option<&str>, query: &str) -> Option<String> {
        let caller = Caller {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            token: header.map(|token| BearerToken(token.to_owned())),
            user_agent: None,
            origin: crate::Origin::default(),
        };
        viewer(caller, Some(query)).token.map(|token| token.0)
    }

    #[test]
    fn the_token_is_decoded_and_the_header_wins() {
        assert_eq!(token(None, "a=b&token=a%2Eb%2Bc").as_deref(), Some("a.b+c"));
        assert_eq!(token(Some("mine"), "token=other").as_deref(), Some("mine"));
        assert_eq!(token(None, "tokens=x"), None);
    }

    #[test]
    fn the_token_goes_and_the_rest_stays() {
        for (asked, kept) in [
            ("", ""),
            ("_HLS_msn=3&_HLS_part=1", "?_HLS_msn=3&_HLS_part=1"),
            ("token=secret&_HLS_msn=3", "?_HLS_msn=3"),
            ("%74oken=secret&&a=%2F", "?a=%2F"),
            ("token=secret", ""),
        ] {
            assert_eq!(without(Some(asked)), kept, "{asked}");
        }
        assert_eq!(without(None), "");
    }
}
