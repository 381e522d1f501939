//! Every feed, live and as its newest message.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use super::{Admitted, App};
use crate::{api::ApiError, publish::feed::Live};

/// A feed's newest message.
pub(super) async fn newest(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response, ApiError> {
    let live = find(&app, &name)?;
    let message = live.feed.latest().filter(|_| (live.fresh)()).ok_or_else(ApiError::nothing_fresh)?;
    Ok(json(message.text().clone().into_response()))
}

/// A live feed.
pub(super) async fn live(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(admitted): Extension<Admitted>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let feed = &find(&app, &name)?.feed;
    let (client, origins) = (admitted.client.0, admitted.settings().trust.origins.clone());
    let pass = admitted.pass(request.method().clone(), request.headers(), app.watch_settings());
    Ok(feed.serve_while(&mut request, client, &origins, Some(Box::new(pass))))
}

fn find<'a>(app: &'a App, name: &str) -> Result<&'a Live, ApiError> {
    app.live(name).ok_or_else(|| {
        let names: Vec<&str> = app.live.iter().map(|live| live.feed.name()).collect();
        ApiError::new(StatusCode::NOT_FOUND, "unknown_feed", format!("there is no feed {name:?}"))
            .hint(format!("there are: {}", names.join(", ")))
    })
}

fn json(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
