//! What a worker drives: the media engine, or in tests a stand-in that shows what the sockets do.

use std::time::Instant;

use spillway_sfu::{
    Accepted, IceCredentials, Output, Path, PeerMessage, PublishRequest, Reject, SessionId,
    WatchRequest, WorkerId,
};

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It belonged to a session of this worker.
    Taken,
    /// It names another worker.
    Foreign(WorkerId),
    /// It belongs to nobody here.
    Unknown,
}

/// The sans-IO engine of one worker, with the driving contract of [`spillway_sfu`].
pub trait Core: 'static {
    /// What it says of itself.
    type Statistics: Clone + Send + 'static;

    #[allow(missing_docs)]
    fn publish(
        &mut self,
        now: Instant,
        request: PublishRequest,
        out: &mut dyn Output,
    ) -> Result<Accepted, Reject>;
    #[allow(missing_docs)]
    fn watch(
        &mut self,
        now: Instant,
        request: WatchRequest,
        out: &mut dyn Output,
    ) -> Result<Accepted, Reject>;
    #[allow(missing_docs)]
    fn restart_ice(
        &mut self,
        now: Instant,
        session: SessionId,
        remote: IceCredentials,
    ) -> Result<IceCredentials, Reject>;
    #[allow(missing_docs)]
    fn close(
        &mut self,
        now: Instant,
        session: SessionId,
        out: &mut dyn Output,
    ) -> Result<(), Reject>;
    #[allow(missing_docs)]
    fn close_all(&mut self, now: Instant, out: &mut dyn Output);
    #[allow(missing_docs)]
    fn send_data(
        &mut self,
        now: Instant,
        session: SessionId,
        channel: u16,
        data: &[u8],
        binary: bool,
        out: &mut dyn Output,
    ) -> Result<(), Reject>;
    #[allow(missing_docs)]
    fn handle_datagram(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &mut [u8],
        out: &mut dyn Output,
    ) -> Disposition;
    #[allow(missing_docs)]
    fn connection_closed(&mut self, now: Instant, path: Path);
    #[allow(missing_docs)]
    fn handle_peer(
        &mut self,
        now: Instant,
        from: WorkerId,
        message: PeerMessage,
        out: &mut dyn Output,
    );
    #[allow(missing_docs)]
    fn flush(&mut self, now: Instant, out: &mut dyn Output);
    #[allow(missing_docs)]
    fn next_timeout(&self) -> Option<Instant>;
    #[allow(missing_docs)]
    fn handle_timeout(&mut self, now: Instant, out: &mut dyn Output);
    #[allow(missing_docs)]
    fn statistics(&self, now: Instant) -> Self::Statistics;
}
