//! The controller's own pages: whether it is ready, how far each proxy is, and how each object stands.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State as Extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::sync::watch;

use crate::Error;
use crate::ads::objects::objects;
use crate::ads::registry::Registry;
use crate::snapshot::Catalogue;
use crate::status::Status;

#[derive(Clone)]
struct Shown {
    catalogue: watch::Receiver<Option<Arc<Catalogue>>>,
    registry: Arc<Registry>,
    status: watch::Receiver<Arc<Status>>,
}

/// Binds the port of the pages and serves them until the runtime ends. Returns where it is bound.
pub async fn serve(
    address: SocketAddr,
    catalogue: watch::Receiver<Option<Arc<Catalogue>>>,
    registry: Arc<Registry>,
    status: watch::Receiver<Arc<Status>>,
) -> Result<SocketAddr, Error> {
    let failed = |reason| Error::Serve { address, reason };
    let socket = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    let pages = Router::new()
        .route("/", get(index))
        .route("/ready", get(ready))
        .route("/proxies", get(proxies))
        .route("/objects", get(all_objects))
        .with_state(Shown { catalogue, registry, status });
    tokio::spawn(async move { axum::serve(socket, pages).await });
    Ok(bound)
}

async fn index() -> &'static str {
    "/ready\n/proxies\n/objects\n"
}

async fn ready(Extract(shown): Extract<Shown>) -> Response {
    if shown.catalogue.borrow().is_some() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "objects have not been read yet\n").into_response()
}

async fn proxies(Extract(shown): Extract<Shown>) -> Response {
    json(&shown.registry.proxies())
}

async fn all_objects(Extract(shown): Extract<Shown>) -> Response {
    let status = Arc::clone(&shown.status.borrow());
    json(&objects(&status))
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string_pretty(value) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
