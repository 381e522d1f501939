//! The dashboard page: a few files with stable names, in the binary, revalidated by their content.

use std::{io::Write, sync::LazyLock};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use super::ApiError;
use crate::publish::prometheus::Coding;

/// Path, type, content.
const FILES: [(&str, &str, &[u8]); 4] = [
    ("/", "text/html; charset=utf-8", include_bytes!("../../../dashboards/web/dist/index.html")),
    ("/app.js", "text/javascript; charset=utf-8", include_bytes!("../../../dashboards/web/dist/app.js")),
    ("/app.css", "text/css; charset=utf-8", include_bytes!("../../../dashboards/web/dist/app.css")),
    ("/favicon.svg", "image/svg+xml", include_bytes!("../../../dashboards/web/dist/favicon.svg")),
];

/// The paths that [`serve`] knows.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(path, ..)| *path)
}

struct File {
    path: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    etag: LazyLock<HeaderValue, Box<dyn FnOnce() -> HeaderValue + Send>>,
    packed: LazyLock<Bytes, Box<dyn FnOnce() -> Bytes + Send>>,
}

static PAGE: LazyLock<Vec<File>> = LazyLock::new(|| {
    let file = |(path, kind, plain): (&'static str, &'static str, &'static [u8])| File {
        path,
        kind,
        plain,
        etag: LazyLock::new(Box::new(move || etag(plain))),
        packed: LazyLock::new(Box::new(move || pack(plain))),
    };
    FILES.into_iter().map(file).collect()
});

/// Answers a request for one of the files.
pub(super) fn serve(path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = PAGE.iter().find(|file| file.path == path) else {
        return ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {path}"))
            .into_response();
    };
    let mut response = Response::default();
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|value| value.split(',').any(|etag| etag.trim().as_bytes() == file.etag.as_bytes()))
    });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else if Coding::negotiate(headers) == Coding::Gzip {
        response = file.packed.clone().into_response();
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    } else {
        response = Bytes::from_static(file.plain).into_response();
    }
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
    fields.insert(header::ETAG, file.etag.clone());
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}

fn etag(content: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(content);
    let hex: String = digest[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{hex}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

fn pack(content: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing into memory does not fail.
    let _ = encoder.write_all(content);
    encoder.finish().unwrap_or_default().into()
}
