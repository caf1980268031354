//! What the connections of an HTTP server may cost, the node's as a sidecar's: how many there may be, how long a head may take,
//! and how many files the process may open for them.

mod bounds;
mod connections;
mod customer;
pub mod descriptors;

pub use bounds::bound;
pub use connections::{
    BoundedAcceptor, ConnectionBound, ConnectionLimits, Connections, SeatedStream,
};
pub use customer::Customer;
