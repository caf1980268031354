//! The platform of a Spillway node: configuration, command line, channels and broadcasts, storage, tokens, webhooks,
//! metrics. It assembles the media core and the HTTP face into one server.

pub mod auth;
pub mod config;
pub mod demo;
pub mod media;
pub mod metrics;
pub mod platform;
pub mod store;
pub mod time;
pub mod webhooks;
