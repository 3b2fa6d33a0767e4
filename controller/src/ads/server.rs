//! The discovery service over gRPC: moves words between a stream and its session, and ends both in order.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Server, ServerTlsConfig};
use tonic::{Request as Call, Response as Reply, Status, Streaming};
use tracing::{debug, info, warn};
use xds::envoy::envoy::config::core::v3::{ControlPlane, Node as WireNode};
use xds::envoy::envoy::service::discovery::v3::aggregated_discovery_service_server::{
    AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
};
use xds::envoy::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use xds::wire;

use crate::Error;
use crate::ads::identity::Identity;
use crate::ads::node::Node;
use crate::ads::registry::{Connected, Registry};
use crate::ads::session::{Dialect, Request, Response, Session};
use crate::snapshot::Catalogue;

/// Streams that a controller serves, those included that wait for it or say nothing; a further one is refused and may try
/// another controller.
pub const STREAMS_LIMIT: usize = 10_000;
/// Time within which the first request of a stream must come.
pub const FIRST_REQUEST_WITHIN: Duration = Duration::from_secs(15);
/// Bytes of a request.
pub const REQUEST_LIMIT: usize = 16 << 20;
/// Responses of a stream that wait to be written; at most one per type is in flight.
const WAITING_RESPONSES: usize = 8;
/// How often a quiet connection is asked whether it lives, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// How the discovery service is served.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where.
    pub address: SocketAddr,
    /// With TLS, if so.
    pub tls: Option<Tls>,
    /// How many streams, at most [`STREAMS_LIMIT`].
    pub streams: usize,
    /// Streams end within this time after the controller has been told to stop, each at another moment.
    pub drain: Duration,
}

/// Certificates, as PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The controller's own, with what leads to its authority.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
    /// The authorities of clients' certificates. Every client must show one.
    pub client_authorities: Vec<u8>,
}

/// Serves streams until `stop` says so, and then until they have ended. Returns where.
pub async fn serve(
    options: ServeOptions,
    catalogue: watch::Receiver<Option<Arc<Catalogue>>>,
    registry: Arc<Registry>,
    stop: watch::Receiver<bool>,
) -> Result<(SocketAddr, JoinHandle<()>), Error> {
    let failed = |reason| Error::Serve { address: options.address, reason };
    let socket = TcpListener::bind(options.address).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    let is_tls = options.tls.is_some();
    let mut server = Server::builder()
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PONG_WITHIN));
    if let Some(tls) = options.tls {
        let identity = tonic::transport::Identity::from_pem(tls.certificate, tls.key);
        let config = ServerTlsConfig::new()
            .identity(identity)
            .client_ca_root(Certificate::from_pem(tls.client_authorities));
        server = server.tls_config(config).map_err(|error| Error::Tls(deepest(&error)))?;
    }
    let limit = options.streams.min(STREAMS_LIMIT);
    let places = Arc::new(Semaphore::new(limit));
    let service =
        Service { catalogue, registry, stop: stop.clone(), drain: options.drain, is_tls, limit, places };
    let service = AggregatedDiscoveryServiceServer::new(service).max_decoding_message_size(REQUEST_LIMIT);
    let incoming = TcpIncoming::from(socket).with_nodelay(Some(true));
    let serving = server.add_service(service).serve_with_incoming_shutdown(incoming, stopped(stop));
    let task = tokio::spawn(async move {
        if let Err(error) = serving.await {
            warn!("the discovery service has ended: {}", deepest(&error));
        }
    });
    Ok((address, task))
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // Whoever dropped the sender wants it to end as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What is at the bottom of an error: what a person can act on.
fn deepest(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => deepest(source),
        None => error.to_string(),
    }
}

struct Service {
    catalogue: watch::Receiver<Option<Arc<Catalogue>>>,
    registry: Arc<Registry>,
    stop: watch::Receiver<bool>,
    drain: Duration,
    is_tls: bool,
    limit: usize,
    /// One for each stream that may begin.
    places: Arc<Semaphore>,
}

/// The words of one of the two protocols.
trait Words: Send + 'static {
    const DIALECT: Dialect;
    type Request: Into<Request> + Send + 'static;
    type Response: Message + Send + 'static;
    fn node(request: &Self::Request) -> Option<&WireNode>;
    fn response(response: Response) -> Self::Response;
}

struct Delta;

impl Words for Delta {
    const DIALECT: Dialect = Dialect::Delta;
    type Request = DeltaDiscoveryRequest;
    type Response = DeltaDiscoveryResponse;

    fn node(request: &Self::Request) -> Option<&WireNode> {
        request.node.as_ref()
    }

    fn response(response: Response) -> Self::Response {
        DeltaDiscoveryResponse {
            type_url: response.type_url.into_owned(),
            nonce: response.nonce,
            resources: response.changed.iter().map(|item| wire::encode(&item.resource)).collect(),
            removed_resources: response.removed,
            control_plane: Some(control_plane()),
            ..Default::default()
        }
    }
}

struct World;

impl Words for World {
    const DIALECT: Dialect = Dialect::StateOfTheWorld;
    type Request = DiscoveryRequest;
    type Response = DiscoveryResponse;

    fn node(request: &Self::Request) -> Option<&WireNode> {
        request.node.as_ref()
    }

    fn response(response: Response) -> Self::Response {
        DiscoveryResponse {
            type_url: response.type_url.into_owned(),
            nonce: response.nonce,
            version_info: response.version,
            resources: response.changed.iter().map(|item| item.resource.body.clone()).collect(),
            control_plane: Some(control_plane()),
            ..Default::default()
        }
    }
}

fn control_plane() -> ControlPlane {
    ControlPlane { identifier: concat!("meta-proxy controller ", env!("CARGO_PKG_VERSION")).to_owned() }
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl AggregatedDiscoveryService for Service {
    type StreamAggregatedResourcesStream = Responses<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Responses<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        call: Call<Streaming<DiscoveryRequest>>,
    ) -> Result<Reply<Self::StreamAggregatedResourcesStream>, Status> {
        self.begin::<World>(call)
    }

    async fn delta_aggregated_resources(
        &self,
        call: Call<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Reply<Self::DeltaAggregatedResourcesStream>, Status> {
        self.begin::<Delta>(call)
    }
}

impl Service {
    fn begin<W: Words>(
        &self,
        call: Call<Streaming<W::Request>>,
    ) -> Result<Reply<Responses<W::Response>>, Status> {
        let peer = call.remote_addr().map(|address| address.to_string()).unwrap_or_default();
        let identity = self.identity(&call)?;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place
            .map_err(|_| Status::resource_exhausted(format!("{} streams are served already", self.limit)))?;
        let (responses, waiting) = mpsc::channel(WAITING_RESPONSES);
        let talk = Talk::<W> {
            requests: call.into_inner(),
            responses,
            catalogue: self.catalogue.clone(),
            registry: Arc::clone(&self.registry),
            stop: self.stop.clone(),
            drain: self.drain,
            peer,
            _place: place,
        };
        tokio::spawn(talk.run(identity));
        Ok(Reply::new(Box::pin(ReceiverStream::new(waiting))))
    }

    /// Who the client is by its certificate; `None`: there is no TLS.
    fn identity<T>(&self, call: &Call<T>) -> Result<Option<Identity>, Status> {
        if !self.is_tls {
            return Ok(None);
        }
        let certificates = call.peer_certs();
        let own = certificates.as_ref().and_then(|chain| chain.first());
        let own = own.ok_or_else(|| Status::unauthenticated("a client must show a certificate"))?;
        Identity::of_certificate(own).map(Some).map_err(Status::unauthenticated)
    }
}

/// One stream.
struct Talk<W: Words> {
    requests: Streaming<W::Request>,
    responses: mpsc::Sender<Result<W::Response, Status>>,
    catalogue: watch::Receiver<Option<Arc<Catalogue>>>,
    registry: Arc<Registry>,
    stop: watch::Receiver<bool>,
    drain: Duration,
    peer: String,
    /// Held for as long as the stream lives.
    _place: OwnedSemaphorePermit,
}

impl<W: Words> Talk<W> {
    async fn run(mut self, identity: Option<Identity>) {
        let (mut stop, responses) = (self.stop.clone(), self.responses.clone());
        let drain = self.drain.mul_f64(fastrand::f64());
        let ended = {
            let stopping = async {
                let _ = stop.wait_for(|stop| *stop).await;
                sleep(drain).await;
            };
            tokio::select! {
                ended = self.talk(identity) => ended,
                // Whatever it waits for: a client that has left needs no place.
                () = responses.closed() => Err(Status::cancelled("the client has left")),
                () = stopping => Err(Status::unavailable("the controller stops; connect to another one, or again")),
            }
        };
        if let Err(status) = ended {
            debug!(peer = self.peer, %status, "stream ends");
            // It may be gone already.
            let _ = self.responses.try_send(Err(status));
        }
    }

    async fn talk(&mut self, identity: Option<Identity>) -> Result<(), Status> {
        let first = timeout(FIRST_REQUEST_WITHIN, self.requests.next()).await.map_err(|_| {
            Status::deadline_exceeded(format!("no request has come within {FIRST_REQUEST_WITHIN:?}"))
        })?;
        let Some(first) = first.transpose()? else { return Ok(()) };
        let mut node = Node::read(W::node(&first)).map_err(Status::invalid_argument)?;
        if let Some(identity) = identity {
            node.namespace = identity.namespace_of(&node.namespace).map_err(|words| {
                warn!(node = node.id, peer = self.peer, "a proxy is refused: {words}");
                Status::permission_denied(words)
            })?;
        }
        // Nothing is told before everything was read once.
        let parked = self.catalogue.wait_for(Option::is_some).await;
        let catalogue = parked.ok().and_then(|catalogue| catalogue.clone());
        let Some(catalogue) = catalogue else { return Ok(()) };
        let id = node.id.clone();
        let connected =
            Connected::new(Session::new(node, W::DIALECT, catalogue), W::DIALECT, self.peer.clone());
        let (number, connected) = self.registry.connect(connected);
        info!(node = id, peer = self.peer, "a proxy has connected");
        let _leaving = Leaving { registry: Arc::clone(&self.registry), number, id };
        let mut next = Some(first);
        loop {
            let responses = if let Some(request) = next.take() {
                connected.session().request(request.into())
            } else {
                let catalogue = self.catalogue.borrow_and_update().clone();
                Ok(catalogue.map(|newest| connected.session().catalogue(newest)).unwrap_or_default())
            };
            let responses = responses.map_err(|broken| Status::resource_exhausted(broken.0))?;
            self.send(&connected, responses).await?;
            tokio::select! {
                request = self.requests.next() => match request.transpose()? {
                    Some(request) => next = Some(request),
                    None => return Ok(()),
                },
                changed = self.catalogue.changed() => if changed.is_err() {
                    return Err(Status::unavailable("the controller stops"));
                },
            }
        }
    }

    async fn send(&self, connected: &Connected, responses: Vec<Response>) -> Result<(), Status> {
        for response in responses {
            let response = W::response(response);
            connected.sent(response.encoded_len());
            let sent = self.responses.send(Ok(response)).await;
            sent.map_err(|_| Status::cancelled("the client has left"))?;
        }
        self.registry.touch(connected);
        Ok(())
    }
}

/// Takes a stream out of the registry, however it ends.
struct Leaving {
    registry: Arc<Registry>,
    number: u64,
    id: String,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.registry.disconnect(self.number);
        info!(node = self.id, "a proxy has disconnected");
    }
}
