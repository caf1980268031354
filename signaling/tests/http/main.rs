//! The HTTP face on a real socket, over a platform in memory. One row of WHIP and WHEP, or one promise of the REST API, per
//! test; the modules are named by what they're about.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::format_push_string)]

mod client;
mod fake;
mod fake_audiences;
mod fake_chat;
mod fake_events;
mod fake_recordings;
mod fake_sidecars;
mod server;

mod audiences_are_reported;
mod chats_are_joined;
mod client_is_found_behind_proxies;
mod connections_are_bounded;
mod cors_is_on_every_answer;
mod endpoints_answer_offers;
mod endpoints_are_discoverable;
mod hls_comes_from_sidecars;
mod openapi_describes_every_route;
mod operators_see_the_node;
mod pages_are_secured;
mod recordings_are_served;
mod recordings_are_told_of;
mod requests_are_rate_limited;
mod rest_api_manages_channels;
mod rest_api_manages_sessions;
mod rest_api_manages_tokens;
mod rest_api_needs_admin;
mod sessions_end;
mod sessions_take_candidates;
mod sidecars_follow_broadcasts;
mod sidecars_register;
mod tokens_guard_endpoints;
mod tokens_stay_out_of_logs;
mod unknown_addresses_are_problems;
mod viewers_are_told_events;
mod viewers_choose_layers;
mod viewers_wait_or_not;
