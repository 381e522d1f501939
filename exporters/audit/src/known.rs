//! The files that were counted, beside the live one.

use serde::{Deserialize, Serialize};

use crate::{
    archives::Opened,
    position::{Head, Identity, Position},
};

/// A file that was counted, wholly or as far as it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    pub(crate) at: Position,
    /// How it lies there, where it is packed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) packed: Option<Head>,
    /// It is not looked at any more.
    pub(crate) done: bool,
    /// How often it was looked at without finding more.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) quiet: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Known {
    /// A file that somebody may still append to.
    pub(crate) fn growing(mut at: Position) -> Self {
        at.seal();
        Self { at, ..Self::default() }
    }

    pub(crate) fn done(at: Position, packed: Option<Head>) -> Self {
        Self { at: at.finished(), packed, done: true, quiet: 0 }
    }

    /// Whether this file was seen when there was nothing in it.
    pub(crate) fn is_empty(&self, opened: &Opened) -> bool {
        !opened.packed() && self.at.offset == 0 && self.is_plain(opened.identity())
    }

    pub(crate) fn is_plain(&self, named: Identity) -> bool {
        self.packed.is_none() && self.at.identity() == named
    }
}
