//! `Link` headers that tell the client its STUN and TURN servers (RFC 9725 §4.6).

use axum::http::HeaderValue;

use crate::{platform::IceServer, problem::Problem};

/// `<turn:…>; rel="ice-server"; username="…"; credential="…"; credential-type="password"`
pub(crate) fn ice_server_link(server: &IceServer) -> Result<HeaderValue, Problem> {
    let credentials =
        server
            .credentials
            .as_ref()
            .map_or_else(String::new, |(username, credential)| {
                format!(
                    "; username={}; credential={}; credential-type=\"password\"",
                    quoted(username),
                    quoted(credential)
                )
            });
    if server.url.contains(['<', '>', '"', ' ']) {
        return Err(Problem::internal(format_args!(
            "{:?} isn't an ICE server's URL",
            server.url
        )));
    }
    // The text isn't shown: it holds a password.
    HeaderValue::from_str(&format!(
        "<{}>; rel=\"ice-server\"{credentials}",
        server.url
    ))
    .map_err(|_| {
        Problem::internal(format_args!(
            "the ICE server {} has a control character",
            server.url
        ))
    })
}

/// A quoted-string (RFC 9110 §5.6.4).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn link(url: &str, credentials: Option<(&str, &str)>) -> Result<HeaderValue, Problem> {
        ice_server_link(&IceServer {
            url: url.to_owned(),
            credentials: credentials.map(|(user, password)| (user.to_owned(), password.to_owned())),
        })
    }

    #[test]
    fn stun_needs_no_credentials() {
        assert_eq!(
            link("stun:stun.example.net:3478", None).unwrap(),
            "<stun:stun.example.net:3478>; rel=\"ice-server\""
        );
    }

    #[test]
    fn quotes_in_a_password_are_escaped() {
        assert_eq!(
            link("turn:t.example.net?transport=udp", Some(("u", "a\"b\\"))).unwrap(),
            "<turn:t.example.net?transport=udp>; rel=\"ice-server\"; username=\"u\"; credential=\"a\\\"b\\\\\"; \
             credential-type=\"password\""
        );
    }

    #[test]
    fn a_url_that_would_break_out_is_refused() {
        assert!(link("stun:a>; rel=\"x", None).is_err());
        assert!(link("stun:a", Some(("u", "a\r\nb"))).is_err());
    }
}
