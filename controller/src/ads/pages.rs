//! The controller's own pages: whether it is ready, and how far each proxy is.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State as Extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;

use crate::Error;
use crate::ads::registry::Registry;
use crate::snapshot::Catalogue;

#[derive(Clone)]
struct Shown {
    catalogue: watch::Receiver<Option<Arc<Catalogue>>>,
    registry: Arc<Registry>,
}

/// Binds the port of the pages and serves them until the runtime ends. Returns where it is bound.
pub async fn serve(
    address: SocketAddr,
    catalogue: watch::Receiver<Option<Arc<Catalogue>>>,
    registry: Arc<Registry>,
) -> Result<SocketAddr, Error> {
    let failed = |reason| Error::Serve { address, reason };
    let socket = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    let pages = Router::new()
        .route("/", get(index))
        .route("/ready", get(ready))
        .route("/proxies", get(proxies))
        .with_state(Shown { catalogue, registry });
    tokio::spawn(async move { axum::serve(socket, pages).await });
    Ok(bound)
}

async fn index() -> &'static str {
    "/ready\n/proxies\n"
}

async fn ready(Extract(shown): Extract<Shown>) -> Response {
    if shown.catalogue.borrow().is_some() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "objects have not been read yet\n").into_response()
}

async fn proxies(Extract(shown): Extract<Shown>) -> Response {
    match serde_json::to_string_pretty(&shown.registry.proxies()) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
