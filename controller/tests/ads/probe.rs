//! A server whose objects a test makes, and a client that sees every word.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use controller::ads::{self, ServeOptions, Tls};
use controller::source::{Batch, Source, folder};
use controller::{Controller, Following, Options, Status};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};
use xds::ResourceType;
use xds::envoy::envoy::config::core::v3::Node;
use xds::envoy::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use xds::envoy::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use xds::envoy::google::protobuf::value::Kind;
use xds::envoy::google::protobuf::{Struct, Value};

/// Only a failing test waits this long.
pub const LIMIT: Duration = Duration::from_secs(20);

struct Scripted(mpsc::Receiver<Batch>);

impl Source for Scripted {
    async fn next(&mut self) -> Option<Batch> {
        self.0.recv().await
    }

    fn report(&mut self, _: &Status) {}
}

/// A controller that serves what a test hands over.
pub struct Server {
    batches: mpsc::Sender<Batch>,
    pub following: Following,
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
}

impl Server {
    pub async fn start(tls: Option<Tls>) -> Self {
        Self::start_for(ads::STREAMS_LIMIT, tls).await
    }

    /// One that serves so many streams.
    pub async fn start_for(streams: usize, tls: Option<Tls>) -> Self {
        let (batches, batches_out) = mpsc::channel(1);
        let following = Controller::follow(Scripted(batches_out), &Options::default());
        let (stop, stopped) = watch::channel(false);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = ServeOptions { address, tls, streams, drain: Duration::from_millis(50) };
        let catalogue = following.catalogue.clone();
        let served = ads::serve(options, catalogue, Arc::clone(&following.registry), stopped);
        let (address, served) = served.await.unwrap();
        Self { batches, following, address, stop, served }
    }

    /// One that serves these objects.
    pub async fn with(objects: &str) -> Self {
        let server = Self::start(None).await;
        server.objects(objects).await;
        server
    }

    /// Hands over objects, and waits until there is a catalogue of them.
    pub async fn objects(&self, text: &str) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.yaml"), text).unwrap();
        let mut catalogue = self.following.catalogue.clone();
        catalogue.mark_unchanged();
        self.batches.send(folder::read_once(&[folder.path().to_owned()]).unwrap()).await.unwrap();
        timeout(LIMIT, catalogue.changed()).await.unwrap().unwrap();
    }

    /// Tells it to stop, and waits until it has.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        timeout(LIMIT, self.served).await.unwrap().unwrap();
    }
}

pub async fn channel(address: SocketAddr) -> Channel {
    Endpoint::new(format!("http://{address}")).unwrap().connect().await.unwrap()
}

pub fn node(id: &str, namespace: &str) -> Node {
    let value = Value { kind: Some(Kind::StringValue(namespace.to_owned())) };
    let metadata = Struct { fields: [("namespace".to_owned(), value)].into() };
    Node { id: id.to_owned(), metadata: Some(metadata), ..Default::default() }
}

/// A delta stream.
pub struct Delta {
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
    node: Option<Node>,
}

impl Delta {
    pub async fn open(address: SocketAddr) -> Self {
        Self::over(channel(address).await, node("probe", "shop")).await
    }

    pub async fn over(channel: Channel, node: Node) -> Self {
        Self::try_over(channel, node).await.unwrap()
    }

    /// The same, or why not.
    pub async fn try_over(channel: Channel, node: Node) -> Result<Self, tonic::Status> {
        let mut client = AggregatedDiscoveryServiceClient::new(channel);
        let (requests, waiting) = mpsc::channel(8);
        let responses = client.delta_aggregated_resources(ReceiverStream::new(waiting)).await?;
        Ok(Self { requests, responses: responses.into_inner(), node: Some(node) })
    }

    pub async fn send(&mut self, mut request: DeltaDiscoveryRequest) {
        request.node = self.node.take();
        self.requests.send(request).await.unwrap();
    }

    pub async fn subscribe(&mut self, kind: ResourceType, names: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let request = DeltaDiscoveryRequest { resource_names_subscribe: names, ..about(kind) };
        self.send(request).await;
    }

    pub async fn next(&mut self) -> DeltaDiscoveryResponse {
        timeout(LIMIT, self.responses.message()).await.expect("a response comes").unwrap().unwrap()
    }

    /// The end of the stream.
    pub async fn ended(&mut self) -> tonic::Status {
        timeout(LIMIT, self.responses.message()).await.expect("the stream ends").unwrap_err()
    }

    /// The next response, which is taken.
    pub async fn take(&mut self) -> DeltaDiscoveryResponse {
        let response = self.next().await;
        self.ack(&response).await;
        response
    }

    pub async fn ack(&mut self, response: &DeltaDiscoveryResponse) {
        let (type_url, response_nonce) = (response.type_url.clone(), response.nonce.clone());
        self.send(DeltaDiscoveryRequest { type_url, response_nonce, ..Default::default() }).await;
    }

    /// Waits until the server has nothing more to say about all before.
    pub async fn nothing_more(&mut self) {
        self.subscribe(ResourceType::Endpoints, &["nowhere"]).await;
        let response = self.take().await;
        assert_eq!(response.removed_resources, ["nowhere"], "{response:?}");
        let request = DeltaDiscoveryRequest {
            resource_names_unsubscribe: vec!["nowhere".to_owned()],
            ..about(ResourceType::Endpoints)
        };
        self.send(request).await;
    }
}

pub fn about(kind: ResourceType) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest { type_url: kind.type_url().to_owned(), ..Default::default() }
}

pub fn names(response: &DeltaDiscoveryResponse) -> Vec<&str> {
    response.resources.iter().map(|resource| resource.name.as_str()).collect()
}

/// A stream of the state of the world.
pub struct World {
    requests: mpsc::Sender<DiscoveryRequest>,
    responses: Streaming<DiscoveryResponse>,
    node: Option<Node>,
}

impl World {
    pub async fn open(address: SocketAddr) -> Self {
        let mut client = AggregatedDiscoveryServiceClient::new(channel(address).await);
        let (requests, waiting) = mpsc::channel(8);
        let responses = client.stream_aggregated_resources(ReceiverStream::new(waiting)).await.unwrap();
        Self { requests, responses: responses.into_inner(), node: Some(node("probe", "shop")) }
    }

    pub async fn ask(&mut self, kind: ResourceType, names: &[&str], last: Option<&DiscoveryResponse>) {
        let request = DiscoveryRequest {
            type_url: kind.type_url().to_owned(),
            node: self.node.take(),
            resource_names: names.iter().map(|name| (*name).to_owned()).collect(),
            version_info: last.map(|last| last.version_info.clone()).unwrap_or_default(),
            response_nonce: last.map(|last| last.nonce.clone()).unwrap_or_default(),
            ..Default::default()
        };
        self.requests.send(request).await.unwrap();
    }

    pub async fn next(&mut self) -> DiscoveryResponse {
        timeout(LIMIT, self.responses.message()).await.expect("a response comes").unwrap().unwrap()
    }
}
