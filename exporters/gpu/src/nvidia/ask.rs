//! Calls to a card, one by one: what each did not give, and whether the card is lost.

use std::collections::BTreeMap;

use aura_model::Reason;
use nvml_wrapper::error::NvmlError;

/// Notes how the calls to one card went.
#[derive(Default)]
pub(super) struct Ask {
    /// What the card does not give, and why.
    pub(super) unavailable: BTreeMap<&'static str, Reason>,
    answered: bool,
    unknown: bool,
    lost: Option<NvmlError>,
}

impl Ask {
    /// Makes a call, unless the card is lost already.
    pub(super) fn ask<T>(&mut self, what: &'static str, call: impl FnOnce() -> Result<T, NvmlError>) -> Option<T> {
        if self.lost.is_some() {
            return None;
        }
        match call() {
            Ok(value) => {
                self.answered = true;
                Some(value)
            }
            Err(error) => {
                self.note(what, error);
                None
            }
        }
    }

    /// Notes that a call failed.
    pub(super) fn note(&mut self, what: &'static str, error: NvmlError) {
        let reason = match error {
            NvmlError::GpuLost
            | NvmlError::ResetRequired
            | NvmlError::Uninitialized
            | NvmlError::DriverNotLoaded
            | NvmlError::LibRmVersionMismatch => {
                self.lost = Some(error);
                return;
            }
            // An older driver, or a card that has no such thing.
            NvmlError::NotSupported
            | NvmlError::FunctionNotFound
            | NvmlError::FailedToLoadSymbol(_)
            | NvmlError::InvalidArg
            | NvmlError::NotFound
            | NvmlError::NoData => Reason::NoSensor,
            NvmlError::NoPermission => Reason::NoPermission,
            NvmlError::Unknown => {
                self.unknown = true;
                Reason::Unreadable
            }
            _ => Reason::Unreadable,
        };
        self.unavailable.insert(what, reason);
    }

    /// The card is lost when a call says so, or when none was answered and some failed for no known reason: that is
    /// how a container looks from which the devices were taken away.
    pub(super) fn finish(self) -> Result<BTreeMap<&'static str, Reason>, NvmlError> {
        match self.lost {
            Some(error) => Err(error),
            None if !self.answered && self.unknown => Err(NvmlError::Unknown),
            None => Ok(self.unavailable),
        }
    }
}
