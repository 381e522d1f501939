//! The dashboard page: a few files with stable names, in the binary, revalidated by their content.

use std::{io::Write, sync::LazyLock};

use aura_exposition::ContentEncoding;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::api::ApiError;

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
    packed_etag: LazyLock<HeaderValue, Box<dyn FnOnce() -> HeaderValue + Send>>,
    packed: LazyLock<Bytes, Box<dyn FnOnce() -> Bytes + Send>>,
}

static PAGE: LazyLock<Vec<File>> = LazyLock::new(|| {
    let file = |(path, kind, plain): (&'static str, &'static str, &'static [u8])| File {
        path,
        kind,
        plain,
        etag: LazyLock::new(Box::new(move || etag(plain, ""))),
        packed_etag: LazyLock::new(Box::new(move || etag(plain, "-gzip"))),
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
    let Some(encoding) = ContentEncoding::negotiate(headers, &[ContentEncoding::Identity, ContentEncoding::Gzip])
    else {
        return ApiError::no_coding().into_response();
    };
    // What is sent differs by encoding, so its tag does too.
    let etag = match encoding {
        ContentEncoding::Gzip => &file.packed_etag,
        _ => &file.etag,
    };
    let mut response = if is_known(headers, etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let content =
            if encoding == ContentEncoding::Gzip { file.packed.clone() } else { Bytes::from_static(file.plain) };
        let mut response = content.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
        if let Some(token) = encoding.token() {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(token));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::clone(etag));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// Whether the client has what it would be sent. A proxy may have made the tag a weak one: that is no difference here
/// (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == etag.as_bytes())
}

fn etag(content: &[u8], encoding: &str) -> HeaderValue {
    let digest = Sha256::digest(content);
    let hex: String = digest[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{hex}{encoding}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

fn pack(content: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing into memory does not fail.
    let _ = encoder.write_all(content);
    encoder.finish().unwrap_or_default().into()
}
