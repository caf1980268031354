//! Who the client is, when proxies may stand in between.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header::FORWARDED};
use ipnet::IpNet;

use crate::config::ForwardedHeader;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address: the connection's, unless that's a trusted proxy; then the rightmost address in the header that
/// isn't a trusted proxy itself, because everything left of it is the client's own invention. An entry that isn't an
/// address ends the search: the proxy that reported it is as far as we know.
pub(crate) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    header: ForwardedHeader,
    trusted: &[IpNet],
) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(&client) {
        return client;
    }
    for hop in hops(headers, header).into_iter().rev() {
        let Some(address) = hop else { break };
        client = address;
        if !is_trusted(&client) {
            break;
        }
    }
    client
}

/// Whether any proxy says that it forwarded this request.
pub(crate) fn was_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED) || headers.contains_key(X_FORWARDED_FOR)
}

/// The addresses in the header from left to right; `None` where one isn't an address.
fn hops(headers: &HeaderMap, header: ForwardedHeader) -> Vec<Option<IpAddr>> {
    let name = match header {
        ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
        ForwardedHeader::Forwarded => FORWARDED,
    };
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(|element| match header {
            ForwardedHeader::XForwardedFor => parse_node(element),
            ForwardedHeader::Forwarded => forwarded_for(element).and_then(parse_node),
        })
        .collect()
}

/// The `for=` parameter of one element (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    })
}

/// An address, with or without port, brackets and quotes: `192.0.2.1:99`, `"[2001:db8::1]:99"` (RFC 7239 §6).
fn parse_node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bracketed = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bracketed
        .unwrap_or(text)
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn find(peer: &str, header: ForwardedHeader, lines: &[(&'static str, &str)]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, header, &trusted).to_string()
    }

    #[test]
    fn strangers_are_not_believed() {
        let lines = [("x-forwarded-for", "1.1.1.1")];
        assert_eq!(
            find("203.0.113.9", ForwardedHeader::XForwardedFor, &lines),
            "203.0.113.9"
        );
    }

    #[test]
    fn the_rightmost_untrusted_hop_is_the_client() {
        let x = ForwardedHeader::XForwardedFor;
        for (value, client) in [
            ("198.51.100.7", "198.51.100.7"),
            ("6.6.6.6, 198.51.100.7, 10.1.1.1", "198.51.100.7"),
            ("6.6.6.6, 198.51.100.7:4711", "198.51.100.7"),
            ("10.9.9.9, 10.1.1.1", "10.9.9.9"),
            ("1.2.3.4, nonsense, 10.1.1.1", "10.1.1.1"),
            ("nonsense", "10.0.0.1"),
            ("", "10.0.0.1"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
        ] {
            assert_eq!(
                find("10.0.0.1", x, &[("x-forwarded-for", value)]),
                client,
                "{value}"
            );
        }
    }

    #[test]
    fn several_header_lines_are_one_list() {
        let lines = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "198.51.100.7"),
        ];
        assert_eq!(
            find("10.0.0.1", ForwardedHeader::XForwardedFor, &lines),
            "198.51.100.7"
        );
    }

    #[test]
    fn rfc_7239_is_understood_when_configured() {
        let value =
            "for=6.6.6.6, For=\"[2001:db8::17]:4711\";proto=https;by=10.0.0.3, for=10.2.2.2";
        assert_eq!(
            find(
                "fd00::1",
                ForwardedHeader::Forwarded,
                &[("forwarded", value)]
            ),
            "2001:db8::17"
        );
        assert_eq!(
            find(
                "10.0.0.1",
                ForwardedHeader::Forwarded,
                &[("forwarded", "for=_hidden")]
            ),
            "10.0.0.1"
        );
    }

    #[test]
    fn only_the_configured_header_is_read() {
        let lines = [
            ("x-forwarded-for", "6.6.6.6"),
            ("forwarded", "for=198.51.100.7"),
        ];
        assert_eq!(
            find("10.0.0.1", ForwardedHeader::Forwarded, &lines),
            "198.51.100.7"
        );
        assert_eq!(
            find("10.0.0.1", ForwardedHeader::XForwardedFor, &lines),
            "6.6.6.6"
        );
    }
}
