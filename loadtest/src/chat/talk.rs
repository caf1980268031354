//! A client on its connections, one after another.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};
use url::Url;

use super::channels::{Channels, Peers};
use super::client::{Client, Shared};
use super::line::{Line, LineError};
use super::options::{Options, Transport};
use crate::load::clock::since_1970;
use crate::load::http::Caller;
use crate::peer::Label;
use crate::sources;

/// Before a client that has lost its connection opens another, and up to twice that.
const AGAIN: Duration = Duration::from_millis(250);
/// How long a server may take to welcome.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all clients are told.
#[derive(Debug, Clone)]
pub enum Course {
    /// To write and tap, in nanoseconds since 1970.
    Talk(Range<u64>),
    /// To listen, as at the beginning.
    Listen,
    /// To leave.
    Leave,
}

/// How connections are opened.
#[derive(Clone)]
pub struct Way {
    node: Url,
    channel: String,
    transport: Transport,
    sources: Option<ipnet::IpNet>,
    token: Option<String>,
    peers: Rc<Peers>,
}

impl Way {
    /// As the options say.
    pub fn new(options: &Options) -> Result<Self, LineError> {
        Ok(Self {
            node: options.url.clone(),
            channel: options.channel.clone(),
            transport: options.transport,
            sources: options.sources,
            token: options.token.clone(),
            peers: Rc::new(Peers::new()?),
        })
    }

    /// Opens a connection for client `number`.
    pub async fn open(&self, number: usize) -> Result<Line, LineError> {
        let from = sources::address(&self.node, self.sources, number);
        match self.transport {
            Transport::Websocket => Line::websocket(&self.node, &self.channel, from).await,
            Transport::Datachannel => {
                let mut endpoint = self.node.clone();
                endpoint.set_path(&format!("/whep/{}", self.channel));
                let caller = Caller {
                    from,
                    token: self.token.clone(),
                };
                let channels = Channels::open(self.peers.clone(), &endpoint, caller);
                let channels = Box::pin(channels).await?;
                Ok(Line::Channels(Box::new(channels)))
            }
        }
    }
}

/// Keeps a client connected until it is to leave.
pub async fn talk(
    way: Way,
    number: usize,
    shared: Rc<Shared>,
    client: Rc<RefCell<Client>>,
    mut course: watch::Receiver<Course>,
) {
    loop {
        let ended = match way.open(number).await {
            Ok(line) => carry(line, &shared, &client, &mut course).await,
            Err(error) => Err(error),
        };
        let Err(error) = ended else { return };
        client.borrow_mut().leave(&shared);
        shared.tally.borrow_mut().on_failure(&error.to_string());
        // Not all at once.
        sleep(AGAIN.mul_f64(rand::rng().random_range(1.0..2.0))).await;
        if matches!(*course.borrow(), Course::Leave) {
            return;
        }
    }
}

/// One connection, until it ends, or the client is to leave.
async fn carry(
    mut line: Line,
    shared: &Shared,
    client: &RefCell<Client>,
    course: &mut watch::Receiver<Course>,
) -> Result<(), LineError> {
    let hello = client.borrow_mut().hello(shared);
    let mut to_say = vec![(Label::Chat, hello)];
    let impatience = tokio::time::Instant::now() + PATIENCE;
    loop {
        for (on, frame) in to_say {
            line.send(on, frame).await?;
        }
        let (is_in, next) = {
            let client = client.borrow();
            (client.is_in(), client.next_timeout())
        };
        let wait = next.map_or(PATIENCE, |at| {
            Duration::from_nanos(at.saturating_sub(since_1970()))
        });
        tokio::select! {
            frame = line.receive() => {
                client.borrow_mut().hear(since_1970(), &frame?, shared);
            }
            () = sleep(wait) => {}
            () = sleep_until(impatience), if !is_in => return Err(LineError::TooLong),
            Ok(()) = course.changed() => {
                let course = course.borrow_and_update().clone();
                match course {
                    Course::Talk(window) => client.borrow_mut().begin(&window),
                    Course::Listen => {}
                    Course::Leave => {
                        line.close().await;
                        return Ok(());
                    }
                }
            }
        }
        to_say = client.borrow_mut().due(since_1970());
    }
}
