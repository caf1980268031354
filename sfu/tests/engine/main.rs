//! The engine end to end: real peers, a lossy network, virtual time.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]

mod support;

mod a_late_joiner_gets_the_cached_picture;
mod a_late_worker_leaves_reports_unread;
mod a_long_fan_out_takes_time;
mod a_publisher_gets_feedback;
mod a_thin_path_is_let_go;
mod a_viewer_gets_what_its_path_carries;
mod a_viewer_may_come_before_its_publisher;
mod an_uplink_loses_packets;
mod another_codec_ends_only_viewers_without_it;
mod catching_up_is_paced;
mod full_intra_requests_are_passed_on;
mod ghosts_end;
mod hostile_packets_disturb_nobody;
mod keyframe_requests_become_one;
mod layers_are_chosen;
mod lost_packets_come_again;
mod no_number_is_sealed_twice;
mod numbers_go_on;
mod obs_publishes;
mod one_picture_is_one_message;
mod repair_packets_mend_losses;
mod sender_reports_are_translated;
mod sessions_are_limited;
mod sound_goes_twice_over_lossy_paths;
mod sub_layers_are_capped;
mod takeover_keeps_viewers;
mod two_viewers_share_a_path;
mod unconnected_peers_cost_nothing;
mod whatever_the_path_does;
mod workers_share_a_channel;
