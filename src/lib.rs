//! The platform of a Spillway node: configuration, command line, channels and broadcasts, storage, tokens, webhooks,
//! metrics. It assembles the media core and the HTTP face into one server.

pub mod audience;
pub mod auth;
pub mod chat;
pub mod cli;
pub mod commands;
pub mod config;
pub mod data_dir;
pub mod demo;
pub mod doctor;
pub mod logging;
pub mod media;
pub mod metrics;
pub mod pages;
pub mod platform;
pub mod serve;
pub mod sidecar;
pub mod storage;
pub mod store;
pub mod time;
pub mod tls;
pub mod webhooks;
