//! What was counted.

/// Of both tracks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Of the sound.
    pub audio: TrackStatistics,
    /// Of the pictures.
    pub video: TrackStatistics,
    /// Keyframes that were asked for.
    pub keyframe_requests: u64,
    /// Steps of the node's clock, which no frame's time followed.
    pub clock_steps: u64,
}

/// Of one track, since the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrackStatistics {
    /// Packets that came, all that follow among them.
    pub packets: u64,
    /// Packets that were there already.
    pub duplicates: u64,
    /// Packets that came when their turn was over.
    pub late: u64,
    /// Packets that were asked for and came.
    pub repaired: u64,
    /// Packets that were given up.
    pub lost: u64,
    /// Frames that were given out.
    pub frames: u64,
    /// Frames that were broken, or of no use without one that was.
    pub dropped: u64,
    /// Corrections of the track's clock that were too large to be made smoothly.
    pub clock_jumps: u64,
}
