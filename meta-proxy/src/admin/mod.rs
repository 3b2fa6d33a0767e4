//! The admin port: what the proxy is doing, for people and probes.
//!
//! `/ready` names what is missing; `/metrics` is for Prometheus; `/config_dump`, `/clusters`, `/routes` and `/certs` show what
//! is in force as JSON; `/explain` tells what would become of a request. Dumps hold no secrets: configuration refers to them
//! by file.

pub mod explain;
mod dump;
mod health;
mod secrets;
mod standing;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use crate::xds::State;
use crate::xds::ads::Contact;

use standing::Standings;

/// Everything in force at one time, as published to the workers.
#[derive(Default)]
pub struct Published {
    /// The resources.
    pub state: State,
    /// What workers serve by.
    pub snapshot: Arc<Snapshot>,
    /// Where listeners are bound, or why they are not.
    pub addresses: BTreeMap<String, Result<SocketAddr, String>>,
    /// Whether everything that its resources name has come once.
    pub has_update: bool,
}

/// What the admin port shows.
pub struct Overview {
    telemetry: Arc<Telemetry>,
    /// Whether a controller is there; `None`: none is needed.
    contact: Option<Arc<Contact>>,
    now: Mutex<(Arc<Published>, bool)>,
}

impl Overview {
    /// Nothing is in force yet.
    pub fn new(telemetry: Arc<Telemetry>, contact: Option<Arc<Contact>>) -> Self {
        Self { telemetry, contact, now: Mutex::default() }
    }

    /// Shows `published` from now on.
    pub fn set(&self, published: Published) {
        self.lock().0 = Arc::new(published);
    }

    /// Says from now on that the proxy is not ready because it drains.
    pub fn set_draining(&self) {
        self.lock().1 = true;
    }

    /// Waits until the access log is written. To be called when nothing is served any more.
    pub fn close(&self) {
        if let Some(access_log) = self.telemetry.access_log() {
            access_log.close();
        }
    }

    /// What workers serve by.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.lock().0.snapshot.clone()
    }

    fn published(&self) -> Arc<Published> {
        self.lock().0.clone()
    }

    /// What is missing before the proxy is ready; nothing: it is.
    pub fn missing(&self) -> Vec<String> {
        let (published, is_draining) = self.lock().clone();
        let mut missing = Vec::new();
        if is_draining {
            missing.push("draining".to_owned());
        }
        if !published.has_update {
            let waits = self.contact.as_ref().map(|contact| format!(": {}", contact.words()));
            missing.push(format!("no configuration has arrived{}", waits.unwrap_or_default()));
        }
        for (name, address) in &published.addresses {
            if let Err(error) = address {
                missing.push(format!("listener {name}: {error}"));
            }
        }
        for listener in published.snapshot.listeners.values() {
            for service in listener.services.iter().filter(|service| service.routes.is_none()) {
                missing.push(format!("routes {}: not arrived or refused", service.model.routes));
            }
        }
        missing
    }

    fn lock(&self) -> MutexGuard<'_, (Arc<Published>, bool)> {
        // Nothing panics while it holds the lock.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Binds the admin port and serves it until the runtime ends. Returns where it is bound.
pub async fn serve(address: SocketAddr, overview: Arc<Overview>) -> io::Result<SocketAddr> {
    let socket = tokio::net::TcpListener::bind(address).await?;
    let bound = socket.local_addr()?;
    let pages = Router::new()
        .route("/", get(index))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/config_dump", get(config_dump))
        .route("/clusters", get(clusters))
        .route("/routes", get(routes))
        .route("/explain", get(explained))
        .route("/certs", get(certs))
        .with_state(overview);
    tokio::spawn(async move { axum::serve(socket, pages).await });
    Ok(bound)
}

type Shown = Extract<Arc<Overview>>;

async fn index() -> &'static str {
    "/ready\n/metrics\n/config_dump\n/clusters\n/routes\n/explain\n/certs\n"
}

async fn ready(Extract(overview): Shown) -> Response {
    let missing = overview.missing();
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n").into_response()
}

async fn metrics(Extract(overview): Shown) -> Response {
    let judged = health::judged(&overview.snapshot());
    let control = overview.contact.as_ref().map(|contact| contact.figures());
    match overview.telemetry.exposition(judged, control) {
        Ok(body) => {
            ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], body)
                .into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn config_dump(Extract(overview): Shown) -> Response {
    json(&dump::config(&overview.published()))
}

async fn clusters(Extract(overview): Shown) -> Response {
    json(&dump::clusters(&overview.published(), &overview.telemetry))
}

async fn routes(Extract(overview): Shown) -> Response {
    json(&dump::routes(&overview.published(), &overview.telemetry))
}

async fn explained(Extract(overview): Shown, uri: Uri, headers: HeaderMap) -> Response {
    let published = overview.published();
    if !published.has_update {
        return (StatusCode::SERVICE_UNAVAILABLE, "no configuration has arrived\n").into_response();
    }
    let sight = explain::Sight::live(&published, Standings::of(&overview.telemetry));
    explain::answer(&sight, &uri, &headers)
}

async fn certs(Extract(overview): Shown) -> Response {
    json(&secrets::certificates(&overview.published()))
}

fn json(value: &serde_json::Value) -> Response {
    let body = format!("{value:#}\n");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
