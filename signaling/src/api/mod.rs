//! The REST API.

pub mod model;
