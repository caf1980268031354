//! `[http]`: the address, TLS, proxies and cross-origin rules of the HTTP face.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use spillway_signaling::WebOrigin;

use super::Problem;

/// `[http]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port of pages, API, WHIP and WHEP.
    #[serde(deserialize_with = "deserialize_listen")]
    pub listen: SocketAddr,
    /// The URL by which the world reaches this node, for what is printed at the start. Empty: made from `listen`.
    pub public_url: String,
    /// PEM file with the certificate chain. Empty: no TLS.
    pub tls_cert: PathBuf,
    /// PEM file with the certificate's private key.
    pub tls_key: PathBuf,
    /// Proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they name the client; the other one is never read.
    pub forwarded_header: ForwardedHeader,
    /// The origins of other nodes: the pages of this one may make sessions there.
    pub other_nodes: Vec<String>,
    /// How long a shutdown may take before what is left is cut off.
    #[serde(with = "humantime_serde")]
    pub shutdown_deadline: Duration,
}

/// Reads an address with its port.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("\"{text}\" isn't an IP address with a port, such as 0.0.0.0:8080 or [::]:8080")
    })
}

fn deserialize_listen<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    listen_address(&String::deserialize(from)?).map_err(D::Error::custom)
}

/// The header in which a proxy names the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`
    XForwardedFor,
    /// `Forwarded` (RFC 7239)
    Forwarded,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
            public_url: String::new(),
            tls_cert: PathBuf::new(),
            tls_key: PathBuf::new(),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
            other_nodes: Vec::new(),
            shutdown_deadline: Duration::from_secs(10),
        }
    }
}

impl Http {
    /// Certificate and key, if this node serves HTTPS.
    pub fn tls(&self) -> Option<(&PathBuf, &PathBuf)> {
        let given = |path: &PathBuf| !path.as_os_str().is_empty();
        (given(&self.tls_cert) && given(&self.tls_key)).then_some((&self.tls_cert, &self.tls_key))
    }

    /// The base URL for a newcomer to open: `public_url`, or `localhost` when all interfaces are listened on.
    pub fn base_url(&self) -> String {
        if !self.public_url.is_empty() {
            return self.public_url.trim_end_matches('/').to_owned();
        }
        let scheme = if self.tls().is_some() {
            "https"
        } else {
            "http"
        };
        if self.listen.ip().is_unspecified() {
            format!("{scheme}://localhost:{}", self.listen.port())
        } else {
            format!("{scheme}://{}", self.listen)
        }
    }

    /// `other_nodes`, as far as they are origins; [`Config::validate`](super::Config::validate) tells of the others.
    pub(crate) fn other_nodes(&self) -> Vec<WebOrigin> {
        let nodes = self.other_nodes.iter();
        nodes.filter_map(|node| node.parse().ok()).collect()
    }

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let (cert, key) = (&self.tls_cert, &self.tls_key);
        if cert.as_os_str().is_empty() && !key.as_os_str().is_empty() {
            problems.push(Problem::new(
                "http.tls_cert",
                "is missing; HTTPS needs both tls_cert and tls_key",
            ));
        }
        if key.as_os_str().is_empty() && !cert.as_os_str().is_empty() {
            problems.push(Problem::new(
                "http.tls_key",
                "is missing; HTTPS needs both tls_cert and tls_key",
            ));
        }
        for node in &self.other_nodes {
            if let Err(error) = node.parse::<WebOrigin>() {
                problems.push(Problem::new(
                    "http.other_nodes",
                    format!("has {node:?}, which {error}"),
                ));
            }
        }
        let url = &self.public_url;
        if !(url.is_empty() || url.starts_with("http://") || url.starts_with("https://")) {
            problems.push(Problem::new(
                "http.public_url",
                format!("is \"{url}\"; it begins with http:// or https://"),
            ));
        }
    }
}
