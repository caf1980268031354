//! `Link` headers that tell the client its STUN and TURN servers (RFC 9725 §4.6).

use std::{fmt, net::Ipv6Addr};

use axum::http::HeaderValue;

/// The `Link` header of one STUN or TURN server. Made when the configuration is read, so that no session is made whose
/// answer couldn't be written. Holds a password: `Debug` doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServerLink(HeaderValue);

/// What of an ICE server can't be told to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIceServer {
    /// Its URL.
    #[error(
        "isn't stun:host:port, turn:host:port or turns:host:port (?transport=udp or tcp may follow turn and turns)"
    )]
    Url,
    /// Its user name.
    #[error("has a control character")]
    Username,
    /// Its password.
    #[error("has a control character")]
    Credential,
}

impl IceServerLink {
    /// The server of that URL (RFC 7064, RFC 7065), with user name and password for TURN.
    pub fn new(url: &str, credentials: Option<(&str, &str)>) -> Result<Self, InvalidIceServer> {
        if !is_ice_url(url) {
            return Err(InvalidIceServer::Url);
        }
        let mut link = format!("<{url}>; rel=\"ice-server\"");
        if let Some((username, credential)) = credentials {
            let username = quoted(username).ok_or(InvalidIceServer::Username)?;
            let credential = quoted(credential).ok_or(InvalidIceServer::Credential)?;
            link = format!(
                "{link}; username={username}; credential={credential}; credential-type=\"password\""
            );
        }
        // What can't stand in a header was refused above.
        HeaderValue::from_str(&link)
            .map(Self)
            .map_err(|_| InvalidIceServer::Url)
    }

    pub(crate) fn value(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for IceServerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IceServerLink(…)")
    }
}

fn is_ice_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else {
        return false;
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let is_known = match scheme {
        "stun" | "stuns" => query.is_none(),
        "turn" | "turns" => matches!(query, None | Some("transport=udp" | "transport=tcp")),
        _ => false,
    };
    is_known && is_host_with_port(place)
}

/// `host`, `host:port`, `[IPv6]` or `[IPv6]:port`.
fn is_host_with_port(place: &str) -> bool {
    let bracketed = place
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'));
    let (is_host, port) = if let Some((host, port)) = bracketed {
        (host.parse::<Ipv6Addr>().is_ok(), port)
    } else {
        let (host, port) = place.split_at(place.find(':').unwrap_or(place.len()));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        (!host.is_empty() && host.bytes().all(is_name), port)
    };
    let is_port = match port.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
        None => port.is_empty(),
    };
    is_host && is_port
}

/// A quoted-string (RFC 9110 §5.6.4).
fn quoted(text: &str) -> Option<String> {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    (!text.contains(char::is_control)).then(|| format!("\"{escaped}\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn stun_needs_no_credentials() {
        assert_eq!(
            IceServerLink::new("stun:stun.example.net:3478", None)
                .unwrap()
                .0,
            "<stun:stun.example.net:3478>; rel=\"ice-server\""
        );
    }

    #[test]
    fn quotes_in_a_password_are_escaped() {
        let link =
            IceServerLink::new("turn:t.example.net?transport=udp", Some(("u", "a\"b\\"))).unwrap();
        assert_eq!(
            link.0,
            "<turn:t.example.net?transport=udp>; rel=\"ice-server\"; username=\"u\"; credential=\"a\\\"b\\\\\"; \
             credential-type=\"password\""
        );
        assert!(!format!("{link:?}").contains('b'));
    }

    #[test]
    fn a_control_character_is_refused_where_it_stands() {
        let link = |user, password| IceServerLink::new("turn:a", Some((user, password)));
        assert_eq!(link("u\n", "c"), Err(InvalidIceServer::Username));
        assert_eq!(link("u", "a\r\nb"), Err(InvalidIceServer::Credential));
        assert!(link("ü", "ß").is_ok());
    }

    #[test]
    fn urls_are_those_of_rfc_7064_and_7065() {
        for sound in [
            "stun:192.0.2.1",
            "stuns:a.example:5349",
            "turn:[2001:db8::1]:3478?transport=tcp",
            "turns:[2001:db8::1]",
        ] {
            assert!(IceServerLink::new(sound, None).is_ok(), "{sound}");
        }
        for unsound in [
            "",
            "a.example",
            "http:a.example",
            "stun:",
            "stun://a.example",
            "stun:a>; rel=\"x",
            "stun:a b",
            "stun:a:0",
            "stun:a:65536",
            "stun:a:",
            "stun:[::1",
            "stun:[a]",
            "stun:a?transport=udp",
            "turn:a?transport=sctp",
            "turn:a\n",
        ] {
            assert_eq!(
                IceServerLink::new(unsound, None),
                Err(InvalidIceServer::Url),
                "{unsound:?}"
            );
        }
    }
}
