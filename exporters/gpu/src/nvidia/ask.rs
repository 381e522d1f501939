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

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(errors: impl IntoIterator<Item = NvmlError>) -> Result<BTreeMap<&'static str, Reason>, NvmlError> {
        let mut ask = Ask::default();
        for error in errors {
            assert!(ask.ask("power", || Err::<u32, _>(error)).is_none());
        }
        ask.finish()
    }

    #[test]
    fn each_failure_has_an_outcome_of_its_own() {
        for (error, reason) in [
            (NvmlError::NotSupported, Reason::NoSensor),
            (NvmlError::FailedToLoadSymbol("nvmlDeviceGetMemoryInfo_v2".into()), Reason::NoSensor),
            (NvmlError::NoPermission, Reason::NoPermission),
            (NvmlError::UnexpectedVariant(77), Reason::Unreadable),
            (NvmlError::IrqIssue, Reason::Unreadable),
        ] {
            assert_eq!(outcome([error]).unwrap(), BTreeMap::from([("power", reason)]));
        }
    }

    #[test]
    fn a_lost_card_is_asked_no_more() {
        let mut ask = Ask::default();
        assert_eq!(ask.ask("power", || Ok(5)), Some(5));
        assert_eq!(ask.ask::<u32>("memory", || Err(NvmlError::GpuLost)), None);
        assert_eq!(ask.ask::<u32>("fans", || panic!("asked a lost card")), None);
        assert!(matches!(ask.finish(), Err(NvmlError::GpuLost)));
    }

    #[test]
    fn an_unknown_error_costs_the_card_only_when_nothing_else_was_answered() {
        assert!(matches!(outcome([NvmlError::NotSupported, NvmlError::Unknown]), Err(NvmlError::Unknown)));
        let mut ask = Ask::default();
        ask.ask("memory", || Ok(1));
        ask.ask::<u32>("power", || Err(NvmlError::Unknown));
        assert_eq!(ask.finish().unwrap(), BTreeMap::from([("power", Reason::Unreadable)]));
    }
}
