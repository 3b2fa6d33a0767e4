//! Parts that are translated by themselves come to the same as all objects together, whatever has happened before.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::settle::{self, Known, Protocols};
use super::{Builder, Catalogue, Made};
use crate::object::{AnyObject, Broken, Key, Kind};
use crate::source::document::Documents;
use crate::source::{Batch, Extent};
use crate::status::Diagnostic;
use crate::translate::Options;
use crate::tree::Node;

/// What an object may say.
struct Slot {
    kind: Kind,
    namespace: &'static str,
    name: &'static str,
    variants: Vec<Value>,
}

fn entry(host: &str, more: &Value) -> Value {
    let mut spec = json!({
        "hosts": [host], "addresses": ["10.0.0.1"], "resolution": "STATIC",
        "ports": [{ "number": 20880, "name": "tcp-metaprotocol-dubbo" }],
        "endpoints": [{ "address": "10.1.0.1", "labels": { "version": "v1" } }],
    });
    spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    json!({ "spec": spec })
}

fn entries(host: &str) -> Vec<Value> {
    vec![
        entry(host, &json!({})),
        entry(host, &json!({ "addresses": ["10.0.0.2"], "exportTo": ["."] })),
        entry(host, &json!({ "addresses": [], "endpoints": [] })),
        entry(
            host,
            &json!({ "endpoints": [], "workloadSelector": { "labels": { "app": "orders", "v": "1" } } }),
        ),
        entry(host, &json!({ "ports": [{ "number": 20880, "name": "tcp-metaprotocol-mine" }] })),
        entry(host, &json!({ "ports": [{ "number": 20880, "name": "http" }] })),
        entry("orders.shop.svc.cluster.local", &json!({ "hosts": ["both.example", host] })),
        entry(host, &json!({ "hosts": "none" })),
    ]
}

fn rules(host: &str) -> Vec<Value> {
    let rule = |host: &str, more: Value| {
        json!({ "spec": { "host": host, "trafficPolicy": more,
        "subsets": [{ "name": "v1", "labels": { "version": "v1" } }] } })
    };
    vec![
        rule(host, json!({})),
        rule("stock", json!({ "tls": { "mode": "SIMPLE" } })),
        rule("*.shop.svc.cluster.local", json!({ "loadBalancer": { "simple": "RANDOM" } })),
        rule("*", json!({ "tls": { "mode": "SIMPEL" } })),
        rule("*.example", json!({ "connectionPool": { "tcp": { "connectTimeout": "0s" } } })),
        rule(host, json!({ "connectionPool": { "tcp": { "connectTimeout": "soon" } } })),
        rule("*.local", json!({ "tls": "no" })),
        json!({ "spec": { "host": host, "subsets": [] } }),
    ]
}

fn routers(host: &str, other: &str) -> Vec<Value> {
    let to = |host: &str, subset: &str| json!([{ "route": [{ "destination": { "host": host, "subset": subset } }] }]);
    let tokens = json!({ "tokenBucket": { "maxTokens": 5, "fillInterval": "1s" } });
    vec![
        json!({ "spec": { "hosts": [host], "routes": to(host, "v1") } }),
        json!({ "spec": { "hosts": [host], "routes": to(other, "") } }),
        json!({ "spec": { "hosts": [host], "routes": to("ordres", ""), "exportTo": ["."] } }),
        json!({ "spec": { "hosts": [host], "gateways": ["edge", "mesh"] } }),
        json!({ "spec": { "hosts": [other], "gateways": ["mall/edge"] } }),
        json!({ "spec": { "hosts": ["nobody"], "localRateLimit": tokens } }),
        json!({ "spec": { "hosts": [host], "routes": "none", "tls": {}, "localRateLimit": {} } }),
        json!({ "spec": { "hosts": [host], "localRateLimit": { "tokenBucket": { "maxTokens": 0, "fillInterval": "x" } } } }),
        json!({ "spec": { "hosts": [host], "routes": [{ "route": [{ "destination": { "host": host } }],
            "mirror": { "host": other } }] } }),
    ]
}

fn cluster_services() -> Vec<Value> {
    let port = |name: &str| json!([{ "port": 20880, "name": name, "protocol": "TCP" }]);
    vec![
        json!({ "spec": { "clusterIP": "10.0.0.1", "ports": port("tcp-metaprotocol-dubbo") } }),
        json!({ "spec": { "clusterIP": "None", "ports": port("tcp-metaprotocol-dubbo") } }),
        json!({ "spec": { "clusterIP": "10.0.0.2", "ports": port("http") } }),
    ]
}

fn slices() -> Vec<Value> {
    let slice = |service: &str, address: &str| {
        json!({ "metadata": { "labels": { "kubernetes.io/service-name": service } }, "addressType": "IPv4",
            "ports": [{ "name": "tcp-metaprotocol-dubbo", "port": 7 }],
            "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }] })
    };
    vec![slice("stock", "10.2.0.1"), slice("stock", "10.2.0.2"), slice("other", "10.2.0.1")]
}

fn protocols() -> Vec<Value> {
    let protocol = |name: &str, codec: &str| json!({ "spec": { "protocol": name, "codec": codec } });
    vec![protocol("mine", "dubbo"), protocol("mine", "thrift"), protocol("m i n e", "dubbo")]
}

fn workloads() -> Vec<Value> {
    let workload = |app: &str, address: &str| json!({ "spec": { "address": address, "labels": { "app": app, "v": "1", "version": "v1" } } });
    vec![workload("orders", "10.3.0.1"), workload("other", "10.3.0.1"), workload("orders", "")]
}

fn slots() -> Vec<Slot> {
    let slot = |kind, namespace, name, variants| Slot { kind, namespace, name, variants };
    let orders = "orders.shop.svc.cluster.local";
    vec![
        slot(Kind::ServiceEntry, "shop", "orders", entries(orders)),
        slot(Kind::ServiceEntry, "shop", "more", entries("more.example")),
        slot(Kind::Service, "shop", "stock", cluster_services()),
        slot(Kind::EndpointSlice, "shop", "stock-1", slices()),
        slot(Kind::WorkloadEntry, "shop", "one", workloads()),
        slot(Kind::DestinationRule, "shop", "orders", rules("orders")),
        slot(Kind::DestinationRule, "shop", "more", rules("more.example")),
        slot(Kind::DestinationRule, "mesh", "root", rules(orders)),
        slot(Kind::MetaRouter, "shop", "orders", routers("orders", "stock")),
        slot(Kind::MetaRouter, "shop", "again", routers(orders, "more.example")),
        slot(Kind::MetaRouter, "shop", "stock", routers("stock", "orders")),
        slot(Kind::MetaRouter, "mall", "more", routers("more.example", orders)),
        slot(Kind::ApplicationProtocol, "", "mine", protocols()),
        slot(Kind::ApplicationProtocol, "", "yours", protocols()),
    ]
}

/// An object as a source reads it.
#[derive(Clone)]
struct Read {
    object: Option<AnyObject>,
    broken: Option<Broken>,
    diagnostics: Vec<Diagnostic>,
    age: usize,
}

fn read(slot: &Slot, variant: usize, age: usize) -> Read {
    let mut value = slot.variants[variant % slot.variants.len()].clone();
    let metadata = value.as_object_mut().unwrap().entry("metadata").or_insert_with(|| json!({}));
    metadata["namespace"] = json!(slot.namespace);
    metadata["creationTimestamp"] = json!(format!("2026-01-01T00:00:{age:02}Z"));
    let mut documents = Documents::default();
    documents.read_object(slot.kind, slot.name.to_owned(), &Node::of_json(&value), None);
    let (object, broken) = (documents.objects.pop(), documents.broken.pop());
    Read { object, broken, diagnostics: documents.diagnostics, age }
}

/// All objects in one part.
#[derive(Default)]
struct Together {
    known: BTreeMap<Key, Known>,
    protocols: Protocols,
}

impl Together {
    fn build(&mut self, world: &BTreeMap<Key, Read>, options: &Options) -> (Vec<Made>, BTreeSet<Diagnostic>) {
        self.known.retain(|key, _| world.contains_key(key));
        for (key, read) in world {
            let mut known = read.object.clone().map(Known::readable).unwrap_or_default();
            read.broken.clone().into_iter().for_each(|broken| known.add_broken(broken));
            known.inherit(self.known.remove(key));
            self.known.insert(key.clone(), known);
        }
        let keys = |is_protocol: bool| -> BTreeSet<Key> {
            let is_it = |key: &&Key| (key.kind == Kind::ApplicationProtocol) == is_protocol;
            world.keys().filter(is_it).cloned().collect()
        };
        let of_protocols = settle::settle(&keys(true), &self.known, &Protocols::default(), options);
        self.protocols = Protocols::of(of_protocols.objects);
        let settled = settle::settle(&keys(false), &self.known, &self.protocols, options);
        for key in of_protocols.good.iter().chain(&settled.good) {
            self.known.get_mut(key).unwrap().is_good_now();
        }
        let said = world.values().flat_map(|read| read.diagnostics.clone());
        let said = said.chain(of_protocols.diagnostics).chain(settled.diagnostics);
        let hosts = || settled.hosts.iter().map(String::as_str);
        let said = said.map(|one| one.with_suggestion(hosts())).collect();
        (settled.made, said)
    }
}

/// A resource in words: all that may differ.
fn shown(kind: &str, item: &xds::Resource, more: &str) -> String {
    format!("{kind} {}={} {:?} {more}", item.name, item.version, item.origins)
}

fn of_catalogue(catalogue: &Catalogue) -> Vec<String> {
    let mut all = Vec::new();
    for kind in xds::ResourceType::ALL {
        for item in catalogue.items(kind).values() {
            let other =
                item.otherwise.as_ref().map(|other| (other.resource.version.clone(), other.audience.clone()));
            all.push(shown(&kind.to_string(), &item.resource, &format!("{:?} {other:?}", item.audience)));
        }
    }
    all.sort();
    all
}

fn of_made(made: &[Made]) -> Vec<String> {
    let one = |made: &Made| {
        let other =
            made.otherwise.as_ref().map(|(resource, audience)| (resource.version.clone(), audience.clone()));
        shown(&made.resource.kind.to_string(), &made.resource, &format!("{:?} {other:?}", made.audience))
    };
    let mut all: Vec<_> = made.iter().map(one).collect();
    all.sort();
    all
}

/// What happens: slots with what they say from now on, if they are there, and whether the batch tells everything.
type Step = (Vec<(usize, Option<usize>)>, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = (0..slots().len(), proptest::option::weighted(0.85, 0..9_usize));
    let step = (proptest::collection::vec(change, 1..4), proptest::bool::weighted(0.2));
    let first = (0..slots().len()).map(|slot| (slot, Some(0))).collect::<Vec<_>>();
    proptest::collection::vec(step, 1..12).prop_map(move |mut steps: Vec<Step>| {
        steps.insert(0, (first.clone(), true));
        steps
    })
}

fn batch(world: &BTreeMap<Key, Read>, changed: &BTreeSet<Key>, is_whole: bool) -> Batch {
    let mut batch = Batch::default();
    let gone: Vec<Key> = changed.iter().filter(|key| !world.contains_key(key)).cloned().collect();
    for (_, read) in world.iter().filter(|(key, _)| is_whole || changed.contains(key)) {
        batch.objects.extend(read.object.clone());
        batch.broken.extend(read.broken.clone());
        batch.diagnostics.extend(read.diagnostics.clone());
    }
    if !is_whole {
        batch.extent = Extent::Changes { gone };
    }
    batch
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn parts_come_to_the_same_as_all_objects_together(steps in steps()) {
        let options = Options { own_namespace: Some("mesh".to_owned()), ..Options::default() };
        let slots = slots();
        let (mut builder, mut together) = (Builder::new(options.clone()), Together::default());
        let (mut catalogue, mut world) = (Catalogue::default(), BTreeMap::new());
        for (number, (changes, is_whole)) in steps.into_iter().enumerate() {
            let mut changed = BTreeSet::new();
            for (at, variant) in changes {
                let slot = &slots[at];
                let key = Key { kind: slot.kind, namespace: slot.namespace.to_owned(), name: slot.name.to_owned() };
                let before: Option<Read> = world.remove(&key);
                if let Some(variant) = variant {
                    // Made again, it is younger.
                    let age = before.map_or(at + 20 * number.min(2), |before| before.age);
                    world.insert(key.clone(), read(slot, variant, age));
                }
                changed.insert(key);
            }
            let built = builder.build(batch(&world, &changed, is_whole));
            catalogue = catalogue.apply(built.changes);
            let (made, said) = together.build(&world, &options);
            prop_assert_eq!(of_catalogue(&catalogue), of_made(&made));
            let said: Vec<String> = said.iter().map(ToString::to_string).collect();
            let built: Vec<String> = built.remarks.diagnostics().iter().map(ToString::to_string).collect();
            prop_assert_eq!(built, said);
        }
    }
}
