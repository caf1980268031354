//! Load and network conditions for testing Spillway.
//!
//! [`link::model`] is a pure model of a lossy, slow link in virtual time, for tests without sockets;
//! the command `spillway-loadtest link` puts the same model between two network namespaces.

pub mod link;
