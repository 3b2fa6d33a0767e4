//! How an [`Update`](crate::Update) and an [`Ack`](crate::Ack) travel over the aggregated discovery service.
//!
//! A resource's name, version and body are fields of the service's own messages. Its origins ride in its metadata, where
//! other clients ignore them; refusals ride in the details of a NACK, where other servers ignore them and read the text.

use std::collections::HashMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::service::discovery::v3 as discovery;
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::google::rpc;
use prost::{Message, Name};

use crate::link::SourcePosition;
use crate::{Origin, Rejection, Resource, ResourceType, v1};

/// Key of [`v1::Origins`] in a resource's metadata.
const ORIGINS_KEY: &str = "metaproxy.v1";
/// Refusals that one NACK names; of more, only the number is told.
pub const REFUSALS_PER_NACK_LIMIT: usize = 1000;
/// Bytes of the text of a NACK.
pub const NACK_TEXT_LIMIT: usize = 16 << 10;
/// `INVALID_ARGUMENT`, the code of a NACK.
const INVALID_ARGUMENT: i32 = 3;

/// The resource as a delta response carries it.
pub fn encode(resource: &Resource) -> discovery::Resource {
    discovery::Resource {
        name: resource.name.clone(),
        version: resource.version.clone(),
        resource: Some(resource.body.clone()),
        metadata: encode_origins(&resource.origins),
        ..Default::default()
    }
}

fn encode_origins(origins: &[Origin]) -> Option<Metadata> {
    if origins.is_empty() {
        return None;
    }
    let origin = |origin: &Origin| v1::Origin {
        kind: origin.kind.clone(),
        namespace: origin.namespace.clone(),
        name: origin.name.clone(),
        file: origin.source.as_ref().map(|at| at.file.display().to_string()).unwrap_or_default(),
        line: origin.source.as_ref().map(|at| at.line).unwrap_or_default(),
    };
    let origins = any(&v1::Origins { origins: origins.iter().map(origin).collect() });
    let typed_filter_metadata = HashMap::from([(ORIGINS_KEY.to_owned(), origins)]);
    Some(Metadata { typed_filter_metadata, ..Default::default() })
}

/// The resource of a delta response. Origins that cannot be read are none: they describe and configure nothing.
pub fn decode(kind: ResourceType, resource: discovery::Resource) -> Resource {
    let origins = resource.metadata.as_ref().and_then(|all| all.typed_filter_metadata.get(ORIGINS_KEY));
    let origins: Vec<Origin> = origins
        .and_then(|any| v1::Origins::decode(&*any.value).ok())
        .map(|origins| origins.origins.into_iter().map(decode_origin).collect())
        .unwrap_or_default();
    Resource {
        kind,
        name: resource.name,
        version: resource.version,
        body: resource.resource.unwrap_or_default(),
        origins: Arc::from(origins),
    }
}

fn decode_origin(origin: v1::Origin) -> Origin {
    let source = SourcePosition { file: origin.file.into(), line: origin.line };
    let is_known = !source.file.as_os_str().is_empty();
    Origin {
        kind: origin.kind,
        namespace: origin.namespace,
        name: origin.name,
        source: is_known.then_some(source),
    }
}

/// The `error_detail` of a NACK that refuses this; `None`: nothing is refused.
pub fn encode_refusals(rejected: &[Rejection]) -> Option<rpc::Status> {
    if rejected.is_empty() {
        return None;
    }
    let told = &rejected[..rejected.len().min(REFUSALS_PER_NACK_LIMIT)];
    let detail = |rejection: &Rejection| {
        any(&v1::Refusal {
            type_url: rejection.kind.type_url().to_owned(),
            name: rejection.name.clone(),
            field: rejection.field.clone(),
            message: rejection.message.clone(),
        })
    };
    let mut message = String::new();
    for rejection in told {
        let line = rejection.to_string();
        if message.len() + line.len() > NACK_TEXT_LIMIT && !message.is_empty() {
            break;
        }
        if !message.is_empty() {
            message.push('\n');
        }
        message.push_str(&line);
    }
    Some(rpc::Status { code: INVALID_ARGUMENT, message, details: told.iter().map(detail).collect() })
}

/// The refusals that a NACK names by its details; empty: the client is another one, and its text is all there is.
pub fn decode_refusals(error_detail: &rpc::Status) -> Vec<Rejection> {
    let details = error_detail.details.iter().take(REFUSALS_PER_NACK_LIMIT);
    let refusals = details.filter(|any| any.type_url == v1::Refusal::type_url());
    let refusals = refusals.filter_map(|any| v1::Refusal::decode(&*any.value).ok());
    refusals.filter_map(rejection).collect()
}

fn rejection(refusal: v1::Refusal) -> Option<Rejection> {
    let kind = ResourceType::of_url(&refusal.type_url)?;
    Some(Rejection { kind, name: refusal.name, field: refusal.field, message: refusal.message })
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_arrives_as_it_left() {
        let origin = |source| Origin {
            kind: "MetaRouter".to_owned(),
            namespace: "shop".to_owned(),
            name: "orders".to_owned(),
            source,
        };
        let body = v1::Mirror { cluster: "c".to_owned(), millionths: 1, writes_only: false };
        let mut resource = Resource::new(ResourceType::Routes, "orders".to_owned(), "a1".to_owned(), &body);
        assert_eq!(decode(ResourceType::Routes, encode(&resource)), resource);
        let source = SourcePosition { file: "a/b.yaml".into(), line: 7 };
        resource.origins = Arc::new([origin(Some(source)), origin(None)]);
        assert_eq!(decode(ResourceType::Routes, encode(&resource)), resource);
    }

    #[test]
    fn refusals_arrive_as_they_left_and_read_well_without_our_details() {
        let rejection = |name: &str| Rejection {
            kind: ResourceType::Cluster,
            name: name.to_owned(),
            field: "lb_policy".to_owned(),
            message: "not supported yet".to_owned(),
        };
        let rejected = vec![rejection("a"), rejection("b")];
        let status = encode_refusals(&rejected).unwrap();
        assert_eq!(
            status.message,
            "cluster a: lb_policy: not supported yet\ncluster b: lb_policy: not supported yet"
        );
        assert_eq!(decode_refusals(&status), rejected);
        assert_eq!(decode_refusals(&rpc::Status { details: vec![], ..status }), []);
        assert!(encode_refusals(&[]).is_none());
        let very_many = vec![rejection("a"); REFUSALS_PER_NACK_LIMIT + 1];
        let status = encode_refusals(&very_many).unwrap();
        assert_eq!(status.details.len(), REFUSALS_PER_NACK_LIMIT);
        assert!(status.message.len() <= NACK_TEXT_LIMIT);
    }
}
