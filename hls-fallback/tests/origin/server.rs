//! An origin that listens, and a client of it.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, StatusCode};
use spillway_hls::origin::{Limits, Origin, Presentation};
use tokio::net::TcpListener;

pub(crate) struct Server {
    pub(crate) origin: Origin,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
}

impl Server {
    /// An origin with channel `demo`.
    pub(crate) async fn with(presentation: &Presentation) -> Self {
        let server = Self::limited(Limits::default()).await;
        server.origin.publish("demo", presentation).unwrap();
        server
    }

    pub(crate) async fn limited(limits: Limits) -> Self {
        let origin = Origin::new(limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = origin.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            origin,
            address,
            client: Client::new(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/hls/demo/{path}", self.address)
    }

    pub(crate) fn request(&self, path: &str) -> reqwest::RequestBuilder {
        self.client
            .get(self.url(path))
            .timeout(Duration::from_secs(10))
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.request(path).send().await.unwrap()
    }

    pub(crate) async fn status(&self, path: &str) -> StatusCode {
        self.get(path).await.status()
    }

    /// The body of an answer that has to be 200.
    pub(crate) async fn text(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.text().await.unwrap()
    }

    pub(crate) async fn bytes(&self, path: &str) -> Vec<u8> {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.bytes().await.unwrap().to_vec()
    }

    /// A request that is on its way while the test goes on.
    pub(crate) fn start(&self, path: &str) -> tokio::task::JoinHandle<(StatusCode, String)> {
        let request = self.request(path);
        tokio::spawn(async move {
            let response = request.send().await.unwrap();
            (response.status(), response.text().await.unwrap())
        })
    }
}

pub(crate) fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

/// The values of a tag's attribute, or of the tag itself, line by line.
pub(crate) fn lines<'a>(playlist: &'a str, tag: &str) -> Vec<&'a str> {
    playlist
        .lines()
        .filter_map(|line| line.strip_prefix(tag))
        .collect()
}

pub(crate) fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let at = line.find(&format!("{name}="))?;
    let value = &line[at + name.len() + 1..];
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split(',').next(),
    }
}

pub(crate) fn seconds(text: &str) -> f64 {
    text.trim_end_matches(',').parse().unwrap()
}
