//! A client on its connections, one after another.

use std::cell::RefCell;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};
use url::Url;

use super::client::{Client, Shared};
use super::line::{Line, LineError};
use super::options::{Options, Transport};
use crate::load::clock::since_1970;
use crate::sources;

/// Before a client that has lost its connection opens another, and up to twice that.
const AGAIN: Duration = Duration::from_millis(250);
/// How long a server may take to welcome.
const PATIENCE: Duration = Duration::from_secs(10);

/// When all write and tap, in nanoseconds since 1970; empty before it's known.
pub type Window = Range<u64>;

/// How connections are opened.
#[derive(Clone)]
pub struct Way {
    node: Url,
    channel: String,
    transport: Transport,
    sources: Option<ipnet::IpNet>,
}

impl Way {
    /// As the options say.
    pub fn new(options: &Options) -> Self {
        Self {
            node: options.url.clone(),
            channel: options.channel.clone(),
            transport: options.transport,
            sources: options.sources,
        }
    }

    /// Opens a connection for client `number`.
    pub async fn open(&self, number: usize) -> Result<Line, LineError> {
        match self.transport {
            Transport::Websocket => {
                Line::websocket(&self.node, &self.channel, self.source(number)).await
            }
        }
    }

    fn source(&self, number: usize) -> Option<IpAddr> {
        sources::address(&self.node, self.sources, number)
    }
}

/// Keeps a client connected until it is dropped.
pub async fn talk(
    way: Way,
    number: usize,
    shared: Rc<Shared>,
    client: Rc<RefCell<Client>>,
    mut window: watch::Receiver<Window>,
) {
    loop {
        let ended = match way.open(number).await {
            Ok(line) => carry(line, &shared, &client, &mut window).await,
            Err(error) => error,
        };
        client.borrow_mut().leave(&shared);
        shared.tally.borrow_mut().on_failure(&ended.to_string());
        // Not all at once.
        sleep(AGAIN.mul_f64(rand::rng().random_range(1.0..2.0))).await;
    }
}

/// One connection, until it ends.
async fn carry(
    mut line: Line,
    shared: &Shared,
    client: &RefCell<Client>,
    window: &mut watch::Receiver<Window>,
) -> LineError {
    let hello = client.borrow_mut().hello(shared);
    let mut to_say = vec![hello];
    let impatience = tokio::time::Instant::now() + PATIENCE;
    loop {
        for frame in to_say {
            if let Err(error) = line.send(frame).await {
                return error;
            }
        }
        let (is_in, next) = {
            let client = client.borrow();
            (client.is_in(), client.next_timeout())
        };
        let wait = next.map_or(PATIENCE, |at| {
            Duration::from_nanos(at.saturating_sub(since_1970()))
        });
        tokio::select! {
            frame = line.receive() => match frame {
                Ok(frame) => client.borrow_mut().hear(since_1970(), &frame, shared),
                Err(error) => return error,
            },
            () = sleep(wait) => {}
            () = sleep_until(impatience), if !is_in => return LineError::TooLong,
            Ok(()) = window.changed() => {
                client.borrow_mut().begin(&window.borrow_and_update());
            }
        }
        to_say = client.borrow_mut().due(since_1970());
    }
}
