//! The least that an HTTP server on this stack could do: hyper, one thread, one constant body.

use std::{convert::Infallible, net::SocketAddr};

use anyhow::Result;
use hyper::{Response, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

/// Serves a body of this length for ever.
pub(crate) fn serve(address: SocketAddr, length: usize) -> Result<()> {
    let body = Bytes::from(vec![b'x'; length]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let body = body.clone();
            tokio::spawn(async move {
                let service = service_fn(move |_| {
                    let response = Response::new(http_body_util::Full::new(body.clone()));
                    async move { Ok::<_, Infallible>(response) }
                });
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}
