//! `target_session_attrs`.

use crate::session::Facts;

/// What the server that is wanted must be, as libpq's `target_session_attrs` says it. The agent writes nothing, so a
/// role that may only read does not make a primary a standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Any,
    Primary,
    Standby,
    ReadOnly,
    PreferStandby,
}

impl Role {
    pub(super) const WORDS: &[(&str, Self)] = &[
        ("any", Self::Any),
        ("read-write", Self::Primary),
        ("primary", Self::Primary),
        ("standby", Self::Standby),
        ("read-only", Self::ReadOnly),
        ("prefer-standby", Self::PreferStandby),
    ];

    /// What all hosts are tried for, one after another.
    pub(crate) fn in_turn(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    pub(crate) fn fits(self, facts: &Facts) -> bool {
        match self {
            Self::Any | Self::PreferStandby => true,
            Self::Primary => !facts.in_recovery,
            Self::Standby => facts.in_recovery,
            Self::ReadOnly => facts.in_recovery || facts.read_only,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Any | Self::PreferStandby => "any",
            Self::Primary => "a primary",
            Self::Standby => "a standby",
            Self::ReadOnly => "one that only reads",
        }
    }
}
