//! What went wrong with a load or unload, and what to try.

use aura_model::Name;
use aura_ollama::{CommandError, Done, Failure};

use super::jobs::Order;
use crate::views::ollama::message::JobError;

/// Ollama refused, or could not be asked. `others` are loaded beside the model.
pub(super) fn command_error(order: &Order, error: &CommandError, others: &[Name]) -> JobError {
    let model = &order.target.name;
    let (status, code, hint) = match error {
        CommandError::NotFound(_) => {
            (404, "model_not_found", format!("it is not installed on {}: `ollama pull {model}` there", order.host))
        }
        CommandError::NoMemory(_) => (507, "not_enough_memory", room(model, others)),
        CommandError::DoesNotFit(_) => {
            (507, "not_enough_memory", format!("{}, or ask with ?force=true to try all the same", room(model, others)))
        }
        CommandError::Unsupported(_) => {
            (422, "not_supported", "this kind of model cannot be loaded by itself".to_owned())
        }
        CommandError::Busy(_) => (503, "ollama_busy", "try again when fewer requests wait for a model".to_owned()),
        CommandError::Unconfirmed(_) => (
            504,
            "unconfirmed",
            "look at the models that are loaded: a long answer keeps one in memory, and a model that does not fit \
             beside others goes again"
                .to_owned(),
        ),
        CommandError::TooLong(_) => (
            504,
            "too_long",
            "another load may be before it; a slow disk needs a longer sources.ollama.load_timeout".to_owned(),
        ),
        CommandError::OtherName { goes, .. } => {
            (409, "other_model", format!("unload {goes} by its name, or ask with ?force=true if it may go"))
        }
        CommandError::OutOfReach(_) => (
            409,
            "out_of_reach",
            "it goes by itself; to have its memory at once, load as many others as drive it out, or restart Ollama"
                .to_owned(),
        ),
        CommandError::Refused(_) => (502, "refused", format!("see Ollama's log on {}", order.host)),
        CommandError::Failure(Failure::Unreachable { .. }) => {
            (502, "unreachable", format!("start Ollama on {}", order.host))
        }
        CommandError::Failure(Failure::Unconnected { .. }) => {
            (502, "unconnected", format!("see the entry of {} in sources.ollama.hosts", order.host))
        }
        CommandError::Failure(Failure::Busy { .. }) => (504, "ollama_busy", "try again later".to_owned()),
        CommandError::Failure(Failure::Broken { .. }) => (
            502,
            "broken_off",
            format!("Ollama may have been restarted: see its log on {}, then try again", order.host),
        ),
    };
    JobError { code, message: error.to_string(), hint, status }
}

/// What there is to say of one that was done.
pub(super) fn note(done: &Done) -> Option<String> {
    let already = done.already.then(|| "it was not in memory: nothing was asked of Ollama".to_owned());
    let gone = done.gone.as_ref().map(|gone| format!("it was in memory as {gone}, which is gone"));
    let unknown = done.memory.as_ref().filter(|need| !need.is_complete());
    let unknown = unknown.map(|need| format!("whether it fits was not known: {}", need.sentence()));
    let notes: Vec<String> = [already, gone, done.note.clone(), unknown].into_iter().flatten().collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// The code of what was not loaded because what was loaded with it had to make room.
pub(super) const NO_ROOM: &str = "no_room";

/// Loading this one would go on in circles: what was loaded for the same order is gone already.
pub(super) fn no_room(order: &Order, gone: &Name, most: Option<u64>) -> JobError {
    JobError {
        code: NO_ROOM,
        message: match most {
            Some(most) => format!(
                "{} was not loaded: {gone} had to make room already, as {} keeps {most} models in memory at most",
                order.target.name, order.host
            ),
            None => format!("{} was not loaded: {gone} had to make room already, so not all fit", order.target.name),
        },
        hint: "load those by name that you need most, or raise OLLAMA_MAX_LOADED_MODELS".to_owned(),
        status: 507,
    }
}

fn room(model: &Name, others: &[Name]) -> String {
    let others: Vec<&str> = others.iter().filter(|other| *other != model).map(|other| &**other).collect();
    if others.is_empty() {
        "take a smaller model or quantisation, or a shorter context".to_owned()
    } else {
        format!("unload {} first, or take a smaller model or quantisation", others.join(" or "))
    }
}
