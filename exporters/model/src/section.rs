//! A part of a reading that may be missing, and why. Missing is never zero.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a value is not there, as a code that programs can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The box has no such device, or its kernel does not offer the file.
    NoSensor,
    /// Switched off, or nobody said where to look.
    NotConfigured,
    /// A server does not answer.
    Unreachable,
    /// A table or view does not exist.
    NoTable,
    /// It exists, and we may not read it.
    NoPermission,
    /// The last answer is too old to be shown as fresh.
    Stale,
    /// It answered, and the answer could not be understood.
    Unreadable,
}

impl Reason {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NoSensor => "no_sensor",
            Self::NotConfigured => "not_configured",
            Self::Unreachable => "unreachable",
            Self::NoTable => "no_table",
            Self::NoPermission => "no_permission",
            Self::Stale => "stale",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Why something is not there: the code for programs, the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Missing {
    /// The code.
    pub reason: Reason,
    /// What was tried and what would help; names the file, view or address.
    pub detail: String,
}

impl Missing {
    /// A missing value with its sentence.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// The reason of a failed read or open, with the path in the sentence.
    #[must_use]
    pub fn from_io(path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let reason = match error.kind() {
            ErrorKind::NotFound => Reason::NoSensor,
            ErrorKind::PermissionDenied => Reason::NoPermission,
            ErrorKind::TimedOut | ErrorKind::ConnectionRefused => Reason::Unreachable,
            _ => Reason::Unreadable,
        };
        Self::new(reason, format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.detail, self.reason.code())
    }
}

impl std::error::Error for Missing {}

/// A part of a reading: there, or missing with a reason. In JSON the value itself, or `{"missing": {...}}`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Section<T> {
    /// Read just now.
    Fresh(T),
    /// Not read, and why.
    Off {
        /// Why.
        missing: Missing,
    },
}

impl<T> Section<T> {
    /// A section that is missing.
    pub fn off(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Off { missing: Missing::new(reason, detail) }
    }

    /// The value, if it was read.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Fresh(value) => Some(value),
            Self::Off { .. } => None,
        }
    }

    /// Why it is missing, if it is.
    pub fn missing(&self) -> Option<&Missing> {
        match self {
            Self::Fresh(_) => None,
            Self::Off { missing } => Some(missing),
        }
    }
}

impl<T> From<Result<T, Missing>> for Section<T> {
    fn from(result: Result<T, Missing>) -> Self {
        match result {
            Ok(value) => Self::Fresh(value),
            Err(missing) => Self::Off { missing },
        }
    }
}
