//! Errors that no route has for itself alone.

use super::Failure;

/// What every route may answer, before it is asked.
pub(crate) const COMMON: &[Failure] = &[
    Failure::new(400, &["bad_request"], "what was sent is no request of HTTP/1.1"),
    Failure::new(400, &["bad_host"], "`Host` is missing, stands twice or is none"),
    Failure::new(400, &["bad_target"], "what is asked for is no path"),
    Failure::new(400, &["bad_encoding"], "a `%` stands before no digits, or what it encodes is no UTF-8"),
    Failure::new(400, &["plain_http"], "plain HTTP was sent to a port that speaks TLS"),
    Failure::new(401, &["unauthorized"], "a user and its password are needed, or the control token"),
    Failure::new(
        403,
        &["foreign_origin"],
        "a page of another origin may not change anything: see `web.allowed_origins`",
    ),
    Failure::new(404, &["not_found"], "nothing is there"),
    Failure::new(404, &["unknown_feed"], "no feed has this name; `hint` lists those that there are"),
    Failure::new(405, &["wrong_method"], "another method is answered there: the header `Allow` says which"),
    Failure::new(408, &["too_slow"], "half a request came, and then nothing for 5 s"),
    Failure::new(413, &["body_too_large"], "a body is 16 KiB at most, and no route reads one"),
    Failure::new(414, &["uri_too_long"], "path and query are 16 KiB together at most"),
    Failure::new(417, &["bad_expectation"], "`Expect` asks for something else than `100-continue`"),
    Failure::new(421, &["unknown_host"], "the agent does not answer under this name: see `web.allowed_hosts`"),
    Failure::new(
        421,
        &["outdated_connection"],
        "addresses or TLS have changed since the connection was made: connect again",
    ),
    Failure::new(429, &["too_many_requests"], "the `rate_limit` of the web configuration is used up"),
    Failure::new(431, &["head_too_large"], "a head is 16 KiB at most, with 100 headers"),
    Failure::new(503, &["busy"], "too many passwords are being checked"),
    Failure::new(503, &["too_many_connections"], "all connections are in use"),
];

/// What the handshake of a feed may be refused with.
pub(crate) const HANDSHAKE: &[Failure] = &[
    Failure::new(400, &["bad_handshake"], "the handshake is none of RFC 6455"),
    Failure::new(400, &["bad_interval"], "`interval` is no duration, or stands twice"),
    Failure::new(403, &["foreign_origin"], "a page of another origin may not read the feed: see `web.allowed_origins`"),
    Failure::new(
        426,
        &["upgrade_required"],
        "a feed was asked for without WebSocket, or a proxy did not pass `Upgrade` on",
    ),
    Failure::new(426, &["websocket_version"], "only version 13 of the protocol is spoken"),
    Failure::new(503, &["too_many_clients"], "`feed.max_clients` are connected"),
    Failure::new(503, &["too_many_clients_of_address"], "`feed.max_clients_per_address` of this address are connected"),
];

/// The codes of [`aura_model::Reason`]: why a source has no reading to answer from.
pub(crate) const REASONS: &[&str] =
    &["no_sensor", "not_configured", "unreachable", "no_table", "no_permission", "stale", "unreadable"];
