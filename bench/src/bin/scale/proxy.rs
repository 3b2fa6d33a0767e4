//! A simulated proxy: a delta stream that answers everything, and tells when it is synced and what changes.

use std::collections::HashSet;
use std::net::SocketAddr;

use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use xds::ResourceType;
use xds::envoy::envoy::config::core::v3::Node;
use xds::envoy::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use xds::envoy::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;

use crate::mesh::Mesh;

/// A proxy has something that it had not.
pub struct Told {
    /// Bytes that it was sent for it.
    pub bytes: usize,
}

/// What to simulate.
pub struct Proxy {
    /// Its number.
    pub number: usize,
    /// The controller.
    pub address: SocketAddr,
    /// The services that it follows; `None`: all.
    pub follows: Option<Vec<usize>>,
    /// Hears first that it is synced, then of each change of routes.
    pub told: mpsc::UnboundedSender<Told>,
}

impl Proxy {
    /// Follows until the controller ends.
    pub async fn run(self, mesh: Mesh) {
        if let Err(error) = self.follow(mesh).await {
            eprintln!("proxy {}: {error:#}", self.number);
        }
    }

    async fn follow(&self, mesh: Mesh) -> anyhow::Result<()> {
        let channel = AggregatedDiscoveryServiceClient::connect(format!("http://{}", self.address)).await?;
        let mut client = channel.max_decoding_message_size(64 << 20);
        let (requests, waiting) = mpsc::channel(16);
        let count = self.follows.as_ref().map_or(mesh.services, Vec::len);
        for (number, kind) in ResourceType::ALL.into_iter().enumerate() {
            let node = Node { id: format!("p{}", self.number), ..Node::default() };
            let request = DeltaDiscoveryRequest {
                node: (number == 0).then_some(node),
                type_url: kind.type_url().to_owned(),
                resource_names_subscribe: self.names(kind),
                ..Default::default()
            };
            requests.send(request).await?;
        }
        let mut responses =
            client.delta_aggregated_resources(ReceiverStream::new(waiting)).await?.into_inner();
        let (mut has, mut is_synced, mut bytes) = (HashSet::new(), false, 0);
        while let Some(response) = responses.message().await? {
            bytes += response.encoded_len();
            let is_of_routes = response.type_url == ResourceType::Routes.type_url();
            if !is_synced {
                let names = response.resources.into_iter().map(|one| (response.type_url.clone(), one.name));
                has.extend(names);
            }
            let ack = DeltaDiscoveryRequest {
                type_url: response.type_url,
                response_nonce: response.nonce,
                ..Default::default()
            };
            requests.send(ack).await?;
            let becomes_synced = !is_synced && has.len() == count * ResourceType::ALL.len();
            is_synced |= becomes_synced;
            if !(becomes_synced || is_synced && is_of_routes) {
                continue;
            }
            has.clear();
            self.told.send(Told { bytes: std::mem::take(&mut bytes) })?;
        }
        Ok(())
    }

    fn names(&self, kind: ResourceType) -> Vec<String> {
        let name = |service: &usize| match kind {
            ResourceType::Cluster | ResourceType::Endpoints => Mesh::cluster(*service),
            ResourceType::Listener => Mesh::listener(*service),
            ResourceType::Routes => Mesh::routes(*service),
        };
        match &self.follows {
            Some(follows) => follows.iter().map(name).collect(),
            None => vec!["*".to_owned()],
        }
    }
}
