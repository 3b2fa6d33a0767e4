//! Who is at the other end of a stream.

use xds::ResourceType;
use xds::envoy::envoy::config::core::v3 as core;
use xds::envoy::google::protobuf::value::Kind;

/// Bytes of a node's id, namespace, role or gateway.
pub const NODE_TEXT_LIMIT: usize = 256;

/// A proxy, as it says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Unique among the proxies.
    pub id: String,
    /// The namespace that it stands in; empty: it does not say.
    pub namespace: String,
    /// What it is for, such as `gateway`; empty: it does not say.
    pub role: String,
    /// The gateway of its namespace that it is part of; empty: none.
    pub gateway: String,
    /// Types that it asks for at once when a stream begins. Nothing is answered before these requests have come: only then
    /// is it known what it has from an earlier stream. 0: it does not say.
    pub first_requests: usize,
}

impl Node {
    /// Reads `id` and, of the metadata, `namespace` (or Istio's `NAMESPACE`), `role`, `gateway` and `first_requests`.
    pub fn read(node: Option<&core::Node>) -> Result<Self, String> {
        let node = node.ok_or("the first request of a stream must say its node")?;
        let value = |names: &[&str]| {
            let fields = &node.metadata.as_ref()?.fields;
            names.iter().find_map(|name| fields.get(*name))?.kind.clone()
        };
        let text = |names: &[&str]| match value(names)? {
            Kind::StringValue(text) => Some(text),
            _ => None,
        };
        let first_requests = match value(&["first_requests"]) {
            Some(Kind::NumberValue(number)) if number > 0.0 => ResourceType::ALL.len().min(number as usize),
            _ => 0,
        };
        let read = Self {
            id: node.id.clone(),
            namespace: text(&["namespace", "NAMESPACE"]).unwrap_or_default(),
            role: text(&["role"]).unwrap_or_default(),
            gateway: text(&["gateway"]).unwrap_or_default(),
            first_requests,
        };
        if read.id.is_empty() {
            return Err("node.id must not be empty: it is what the proxy is called".to_owned());
        }
        let texts = [
            ("id", &read.id),
            ("namespace", &read.namespace),
            ("role", &read.role),
            ("gateway", &read.gateway),
        ];
        for (field, text) in texts {
            if text.len() > NODE_TEXT_LIMIT {
                return Err(format!(
                    "node.{field} has {} bytes, at most {NODE_TEXT_LIMIT} are taken",
                    text.len()
                ));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xds::envoy::google::protobuf::{Struct, Value};

    #[test]
    fn a_node_says_its_id_and_perhaps_its_namespace_and_role() {
        let value = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
        let number = Value { kind: Some(Kind::NumberValue(99.0)) };
        let fields = [
            ("NAMESPACE".to_owned(), value("shop")),
            ("role".to_owned(), value("gateway")),
            ("first_requests".to_owned(), number),
        ];
        let node = core::Node {
            id: "a".to_owned(),
            metadata: Some(Struct { fields: fields.into() }),
            ..Default::default()
        };
        let expected = Node {
            id: "a".to_owned(),
            namespace: "shop".to_owned(),
            role: "gateway".to_owned(),
            gateway: String::new(),
            first_requests: 4,
        };
        assert_eq!(Node::read(Some(&node)), Ok(expected));
        assert!(Node::read(None).unwrap_err().contains("must say its node"));
        assert!(Node::read(Some(&core::Node::default())).unwrap_err().contains("node.id must not be empty"));
        let long = core::Node { id: "a".repeat(NODE_TEXT_LIMIT + 1), ..Default::default() };
        assert!(Node::read(Some(&long)).unwrap_err().contains("node.id has 257 bytes"));
    }
}
