//! Which model on which server is meant.

use aura_model::{Missing, Name};
use aura_ollama::{
    HostReading, HostStatus, InstalledModel, LoadedModel, OllamaReading, Target, find_named, installed_now,
    name_problem, similar_names,
};
use http::StatusCode;

use crate::api::ApiError;

/// The model that is meant and the first server that has it: on disk, or also only in memory. A model that the newest
/// reading does not have may have been made since, so its server is asked before it is missing.
pub(super) async fn find<'a>(
    hosts: &[&'a HostReading],
    name: &str,
    in_memory: bool,
) -> Result<(&'a HostReading, Target), ApiError> {
    let loaded = |host: &HostReading| {
        let models = host.loaded.value()?;
        let model = &models[find_named(models, |model: &LoadedModel| &model.name, name)?];
        Some(Target { digest: Some(model.digest.clone()), ..Target::from(&*model.name) })
    };
    let installed = |models: &[InstalledModel]| {
        let model = &models[find_named(models, |model| &model.name, name)?];
        Some(if model.remote && !in_memory { Err(remote(&model.name)) } else { Ok(Target::from(model)) })
    };
    for host in hosts {
        if let Some(target) = host.installed.value().and_then(|models| installed(models)) {
            return Ok((host, target?));
        }
    }
    if let Some(found) = hosts.iter().find_map(|host| Some((*host, loaded(host).filter(|_| in_memory)?))) {
        return Ok(found);
    }
    if let Some(problem) = name_problem(name) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_name", problem).hint(
            "a name is [HOST/][NAMESPACE/]MODEL[:TAG] of letters, digits and -_. and each / in it is written as %2F",
        ));
    }
    for host in hosts.iter().filter(|host| host.status == HostStatus::Answering) {
        if let Ok(models) = installed_now(&host.server).await
            && let Some(target) = installed(&models)
        {
            return Ok((host, target?));
        }
    }
    Err(not_found(hosts, name))
}

fn remote(name: &Name) -> ApiError {
    let message = format!("{name} runs in the cloud: there is nothing to load here");
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "remote_model", message)
}

pub(super) fn hosts<'a>(reading: &'a OllamaReading, host: Option<&str>) -> Result<Vec<&'a HostReading>, ApiError> {
    let wanted = |known: &&HostReading| host.is_none_or(|host| *known.host == *host || known.url == host);
    let found: Vec<_> = reading.hosts.iter().filter(wanted).collect();
    if found.is_empty() {
        let known: Vec<&str> = reading.hosts.iter().map(|host| &*host.host).collect();
        let message = format!("there is no host {:?}", host.unwrap_or_default());
        return Err(ApiError::new(StatusCode::NOT_FOUND, "unknown_host", message).hint(known.join(", ")));
    }
    Ok(found)
}

fn not_found(hosts: &[&HostReading], name: &str) -> ApiError {
    if let Some(missing) = hosts.iter().find_map(|host| host.missing.as_ref()) {
        return not_watched(missing.clone());
    }
    let installed = hosts.iter().filter_map(|host| host.installed.value()).flat_map(|models| models.iter());
    let mut names: Vec<&str> = installed.map(|model| &*model.name).collect();
    names.sort_unstable();
    names.dedup();
    let similar = similar_names(&names, name);
    let known = if similar.is_empty() {
        format!("installed are: {}", names[..names.len().min(20)].join(", "))
    } else {
        similar
    };
    ApiError::new(StatusCode::NOT_FOUND, "model_not_found", format!("no model {name:?} is installed"))
        .hint(format!("`ollama pull {name}`; {known}"))
}

pub(super) fn not_watched(missing: Missing) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, missing.reason.code(), missing.detail)
        .hint("nothing is done to a server that does not answer")
        .retry_after(5)
}
