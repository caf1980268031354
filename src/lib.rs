//! The platform of a Spillway node: configuration, command line, channels and broadcasts, storage, tokens, webhooks,
//! metrics. It assembles the media core and the HTTP face into one server.

pub mod config;
pub mod demo;
