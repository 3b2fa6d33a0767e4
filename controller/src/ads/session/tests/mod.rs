//! What a session answers, event by event; `model` tries it against clients that answer late, refuse and reconnect.

mod held_back;
mod model;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use xds::envoy::google::rpc;
use xds::{Rejection, Resource, ResourceType, wire};

use super::{Delivered, Dialect, Interest, RESPONSE_LIMIT, Request, Response, Session};
use crate::ads::node::Node;
use crate::snapshot::{Audience, Catalogue, Snapshot};

const CDS: ResourceType = ResourceType::Cluster;
const EDS: ResourceType = ResourceType::Endpoints;
const LDS: ResourceType = ResourceType::Listener;
const RDS: ResourceType = ResourceType::Routes;

type Content = BTreeMap<(ResourceType, String), String>;

fn snapshot(content: &Content) -> Snapshot {
    let resource = |((kind, name), version): (&(ResourceType, String), &String)| {
        let body = xds::v1::Mirror { cluster: version.clone(), ..Default::default() };
        ((*kind, name.clone()), Resource::new(*kind, name.clone(), version.clone(), &body))
    };
    Snapshot { resources: content.iter().map(resource).collect(), ..Snapshot::default() }
}

fn content(all: &[(ResourceType, &str, &str)]) -> Content {
    all.iter().map(|(kind, name, version)| ((*kind, (*name).to_owned()), (*version).to_owned())).collect()
}

fn catalogue(all: &[(ResourceType, &str, &str)]) -> Arc<Catalogue> {
    Arc::new(Catalogue::default().next(snapshot(&content(all))))
}

fn after(catalogue: &Catalogue, all: &[(ResourceType, &str, &str)]) -> Arc<Catalogue> {
    Arc::new(catalogue.next(snapshot(&content(all))))
}

fn node() -> Node {
    Node {
        id: "a".to_owned(),
        namespace: "shop".to_owned(),
        role: String::new(),
        gateway: String::new(),
        first_requests: 0,
    }
}

fn delta(catalogue: &Arc<Catalogue>) -> Session {
    Session::new(node(), Dialect::Delta, Arc::clone(catalogue))
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn subscribe(kind: ResourceType, names: &[&str]) -> Request {
    changes(kind, names, &[], &[])
}

fn changes(
    kind: ResourceType,
    subscribe: &[&str],
    unsubscribe: &[&str],
    initial: &[(&str, &str)],
) -> Request {
    let initial = initial.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned()));
    let interest = Interest::Changes {
        subscribe: strings(subscribe),
        unsubscribe: strings(unsubscribe),
        initial: initial.collect(),
    };
    Request { type_url: kind.type_url().to_owned(), interest, ..Request::default() }
}

fn ack(response: &Response) -> Request {
    Request { type_url: response.type_url.to_string(), nonce: response.nonce.clone(), ..Request::default() }
}

fn nack(response: &Response, message: &str) -> Request {
    let error = rpc::Status { code: 3, message: message.to_owned(), details: Vec::new() };
    Request { error: Some(error), ..ack(response) }
}

fn world(kind: ResourceType, names: &[&str], nonce: &str, version: &str) -> Request {
    Request {
        type_url: kind.type_url().to_owned(),
        nonce: nonce.to_owned(),
        error: None,
        interest: Interest::All { names: strings(names), version: version.to_owned() },
    }
}

/// `+name=version` and `-name`, in order.
fn told(responses: &[Response]) -> Vec<String> {
    let one = |response: &Response| {
        let changed = response.changed.iter().map(|item| &item.resource);
        let changed = changed.map(|one| format!("+{}={}", one.name, one.version));
        let removed = response.removed.iter().map(|name| format!("-{name}"));
        changed.chain(removed).collect::<Vec<_>>()
    };
    responses.iter().flat_map(one).collect()
}

#[test]
fn a_wildcard_gets_all_and_then_what_changes() {
    let first = catalogue(&[(CDS, "a", "1"), (CDS, "b", "1")]);
    let mut session = delta(&first);
    let sent = session.request(subscribe(CDS, &[])).unwrap();
    assert_eq!(told(&sent), ["+a=1", "+b=1"]);
    assert_eq!(session.delivered(CDS, "a"), Delivered::Pending);
    let second = after(&first, &[(CDS, "a", "1"), (CDS, "b", "2")]);
    assert_eq!(told(&session.catalogue(Arc::clone(&second))), [""; 0], "one response is in flight");
    let third = after(&second, &[(CDS, "a", "1"), (CDS, "b", "3")]);
    assert_eq!(told(&session.catalogue(third)), [""; 0]);
    let merged = session.request(ack(&sent[0])).unwrap();
    assert_eq!(told(&merged), ["+b=3"], "what changed meanwhile is merged");
    assert_eq!(session.delivered(CDS, "a"), Delivered::InForce);
    assert_eq!(told(&session.request(ack(&sent[0])).unwrap()), [""; 0], "an old nonce says nothing");
    assert_eq!(session.delivered(CDS, "b"), Delivered::Pending);
    assert_eq!(told(&session.request(ack(&merged[0])).unwrap()), [""; 0]);
    assert_eq!(session.delivered(CDS, "b"), Delivered::InForce);
}

#[test]
fn who_comes_back_is_told_what_it_lacks() {
    let now = catalogue(&[(CDS, "a", "1"), (CDS, "b", "2"), (EDS, "a", "1")]);
    let mut session = delta(&now);
    let sent = session.request(changes(CDS, &["*"], &[], &[("a", "1"), ("b", "1"), ("c", "1")])).unwrap();
    assert_eq!(told(&sent), ["+b=2"], "removals come last");
    assert_eq!(told(&session.request(ack(&sent[0])).unwrap()), ["-c"]);
    let mut session = delta(&now);
    let sent = session.request(changes(EDS, &["a"], &[], &[("a", "1")])).unwrap();
    assert_eq!((sent.len(), told(&sent).len()), (1, 0), "an empty response says that nothing is missing");
}

#[test]
fn what_is_asked_for_by_name_is_answered_even_if_it_is_known_or_does_not_exist() {
    let now = catalogue(&[(EDS, "a", "1"), (EDS, "b", "1")]);
    let mut session = delta(&now);
    let sent = session.request(subscribe(EDS, &["a", "nowhere"])).unwrap();
    assert_eq!(told(&sent), ["+a=1", "-nowhere"]);
    session.request(ack(&sent[0])).unwrap();
    let sent = session.request(subscribe(EDS, &["a"])).unwrap();
    assert_eq!(told(&sent), ["+a=1"]);
    session.request(ack(&sent[0])).unwrap();
    let next = after(&now, &[(EDS, "a", "2"), (EDS, "b", "2"), (EDS, "nowhere", "1")]);
    let sent = session.catalogue(Arc::clone(&next));
    assert_eq!(told(&sent), ["+a=2", "+nowhere=1"], "it has come, and was asked for");
    session.request(ack(&sent[0])).unwrap();
    assert!(session.request(changes(EDS, &[], &["a"], &[])).unwrap().is_empty());
    let gone = after(&next, &[(EDS, "nowhere", "1")]);
    assert_eq!(told(&session.catalogue(gone)), [""; 0], "nobody wants them any more");
    assert_eq!(session.delivered(EDS, "b"), Delivered::NotAsked);
}

#[test]
fn a_name_beside_the_wildcard_may_be_given_up_again() {
    let now = catalogue(&[(CDS, "a", "1"), (CDS, "b", "1")]);
    let mut session = delta(&now);
    let sent = session.request(subscribe(CDS, &["*", "a"])).unwrap();
    assert_eq!(told(&sent), ["+a=1", "+b=1"]);
    session.request(ack(&sent[0])).unwrap();
    let sent = session.request(changes(CDS, &[], &["a"], &[])).unwrap();
    assert_eq!(told(&sent), ["+a=1"], "the wildcard still wants it, and the client may have dropped it");
    session.request(ack(&sent[0])).unwrap();
    session.request(changes(CDS, &["b"], &["*"], &[])).unwrap();
    assert_eq!(session.delivered(CDS, "a"), Delivered::NotAsked);
    assert_eq!(session.progress(CDS).named, Some(1));
}

#[test]
fn make_before_break() {
    let old = [(CDS, "a", "1"), (EDS, "a", "1"), (LDS, "l", "1"), (RDS, "r", "a")];
    let new = [(CDS, "b", "1"), (EDS, "b", "1"), (LDS, "l", "1"), (RDS, "r", "b")];
    let first = catalogue(&old);
    let mut session = delta(&first);
    for request in
        [subscribe(CDS, &[]), subscribe(EDS, &["a", "b"]), subscribe(LDS, &[]), subscribe(RDS, &["r"])]
    {
        let mut sent: VecDeque<_> = session.request(request).unwrap().into();
        while let Some(response) = sent.pop_front() {
            sent.extend(session.request(ack(&response)).unwrap());
        }
    }
    let sent = session.catalogue(after(&first, &new));
    assert_eq!(told(&sent), ["+b=1", "+b=1"], "cluster and endpoints");
    assert!(session.request(ack(&sent[1])).unwrap().is_empty(), "the cluster is not answered");
    let routes = session.request(ack(&sent[0])).unwrap();
    assert_eq!(told(&routes), ["+r=b"]);
    let endpoints = session.request(ack(&routes[0])).unwrap();
    assert_eq!((told(&endpoints), &*endpoints[0].type_url), (vec!["-a".to_owned()], EDS.type_url()));
    let cluster = session.request(ack(&endpoints[0])).unwrap();
    assert_eq!((told(&cluster), &*cluster[0].type_url), (vec!["-a".to_owned()], CDS.type_url()));
}

#[test]
fn who_says_how_many_types_it_asks_for_at_once_is_answered_when_it_has() {
    let now = catalogue(&[(CDS, "b", "1"), (EDS, "b", "1"), (RDS, "r", "b")]);
    let node = Node { first_requests: 2, ..node() };
    let mut session = Session::new(node, Dialect::Delta, now);
    assert!(session.request(changes(CDS, &["*"], &[], &[("a", "1")])).unwrap().is_empty());
    let sent = session.request(changes(RDS, &["r"], &[], &[("r", "a")])).unwrap();
    assert_eq!(told(&sent), ["+b=1"], "what is gone stays until nothing leads there");
    let sent = session.request(ack(&sent[0])).unwrap();
    assert_eq!(told(&sent), ["+r=b"]);
    assert_eq!(told(&session.request(ack(&sent[0])).unwrap()), ["-a"]);
}

#[test]
fn endpoints_of_a_changed_cluster_are_told_again() {
    let first = catalogue(&[(CDS, "a", "1"), (EDS, "a", "1")]);
    let mut session = delta(&first);
    let sent = session.request(subscribe(CDS, &[])).unwrap();
    session.request(ack(&sent[0])).unwrap();
    let sent = session.request(subscribe(EDS, &["a"])).unwrap();
    session.request(ack(&sent[0])).unwrap();
    let sent = session.catalogue(after(&first, &[(CDS, "a", "2"), (EDS, "a", "1")]));
    assert_eq!(told(&sent), ["+a=2", "+a=1"]);
}

#[test]
fn what_is_refused_waits_for_other_content() {
    let first = catalogue(&[(CDS, "a", "1"), (CDS, "b", "1")]);
    let mut session = delta(&first);
    let sent = session.request(subscribe(CDS, &[])).unwrap();
    assert!(session.request(nack(&sent[0], "cluster a is bad")).unwrap().is_empty());
    assert!(session.take_refusals_changed() && !session.take_refusals_changed());
    let Delivered::Refused(refused) = session.delivered(CDS, "a") else { panic!("it was refused") };
    assert_eq!(refused[0].message, "cluster a is bad");
    assert_eq!(session.delivered(CDS, "b"), Delivered::InForce, "the text names another one");
    let second = after(&first, &[(CDS, "a", "1"), (CDS, "b", "2")]);
    let sent = session.catalogue(Arc::clone(&second));
    assert_eq!(told(&sent), ["+b=2"]);
    session.request(ack(&sent[0])).unwrap();
    assert!(!session.take_refusals_changed());
    let sent = session.catalogue(after(&second, &[(CDS, "a", "3"), (CDS, "b", "2")]));
    assert_eq!(told(&sent), ["+a=3"]);
    session.request(ack(&sent[0])).unwrap();
    assert!(session.take_refusals_changed());
    assert_eq!((session.delivered(CDS, "a"), session.refusals().count()), (Delivered::InForce, 0));
}

#[test]
fn what_was_refused_is_sent_again_to_who_asks_for_it_by_name_and_its_answer_counts() {
    for (kind, names) in [(CDS, &["*"][..]), (RDS, &["a"][..])] {
        let first = catalogue(&[(kind, "a", "1"), (kind, "b", "1")]);
        let mut session = delta(&first);
        let sent = session.request(subscribe(kind, names)).unwrap();
        session.request(nack(&sent[0], "a is bad")).unwrap();
        assert_eq!(session.refusals().count(), 1);
        let again = session.request(subscribe(kind, &["a"])).unwrap();
        assert_eq!((told(&again), session.refusals().count()), (vec!["+a=1".to_owned()], 1));
        session.request(ack(&again[0])).unwrap();
        assert_eq!((session.delivered(kind, "a"), session.refusals().count()), (Delivered::InForce, 0));
        let later = after(&first, &[(kind, "a", "2"), (kind, "b", "1")]);
        assert_eq!(told(&session.catalogue(later)), ["+a=2"], "once, and nothing else");
    }
}

#[test]
fn a_refusal_may_be_of_a_resource_of_another_type() {
    let now = catalogue(&[(CDS, "a", "1"), (RDS, "r", "a")]);
    let mut session = delta(&now);
    let sent = session.request(subscribe(RDS, &["r"])).unwrap();
    session.request(ack(&sent[0])).unwrap();
    let sent = session.request(subscribe(CDS, &[])).unwrap();
    let rejection = Rejection {
        kind: RDS,
        name: "r".to_owned(),
        field: "routes[0]".to_owned(),
        message: "no".to_owned(),
    };
    let request = Request { error: wire::encode_refusals(std::slice::from_ref(&rejection)), ..ack(&sent[0]) };
    session.request(request).unwrap();
    assert_eq!(session.delivered(CDS, "a"), Delivered::InForce);
    assert_eq!(session.delivered(RDS, "r"), Delivered::Refused(vec![rejection]));
}

#[test]
fn a_node_sees_what_it_may_see() {
    let mut hidden = snapshot(&content(&[(CDS, "a", "1"), (CDS, "b", "1")]));
    let mall = Audience { namespaces: Some(["mall".to_owned()].into()), is_for_mesh: true, gateways: None };
    hidden.audiences.insert((CDS, "a".to_owned()), mall);
    let hidden = Arc::new(Catalogue::default().next(hidden));
    let mut session = delta(&hidden);
    let sent = session.request(subscribe(CDS, &[])).unwrap();
    assert_eq!(told(&sent), ["+b=1"]);
    session.request(ack(&sent[0])).unwrap();
    let shown = after(&hidden, &[(CDS, "a", "1"), (CDS, "b", "1")]);
    let sent = session.catalogue(shown);
    assert_eq!(told(&sent), ["+a=1"]);
    session.request(ack(&sent[0])).unwrap();
    let mut session = delta(&hidden);
    assert_eq!(told(&session.request(subscribe(CDS, &["a"])).unwrap()), ["-a"], "as if there were none");
}

#[test]
fn large_sets_are_split() {
    let name = |number: usize| format!("{number:0>1000}");
    let many: Content = (0..5000).map(|number| ((CDS, name(number)), "1".to_owned())).collect();
    let mut session = delta(&Arc::new(Catalogue::default().next(snapshot(&many))));
    let mut sent = session.request(subscribe(CDS, &[])).unwrap();
    let (mut responses, mut resources) = (0, 0);
    while let Some(response) = sent.pop() {
        assert!(response.changed.iter().map(|item| item.size).sum::<usize>() <= RESPONSE_LIMIT);
        responses += 1;
        resources += response.changed.len();
        sent.extend(session.request(ack(&response)).unwrap());
    }
    assert_eq!(resources, 5000);
    assert!(responses > 2, "{responses}");
}

#[test]
fn a_type_that_we_do_not_have_is_empty() {
    let mut session = delta(&catalogue(&[]));
    let request =
        |names: &[&str]| Request { type_url: "type.googleapis.com/x".to_owned(), ..subscribe(CDS, names) };
    let sent = session.request(request(&["s", "*"])).unwrap();
    assert_eq!((told(&sent), &*sent[0].type_url), (vec!["-s".to_owned()], "type.googleapis.com/x"));
    assert!(session.request(Request { nonce: sent[0].nonce.clone(), ..request(&[]) }).unwrap().is_empty());
}

#[test]
fn names_are_bounded() {
    let mut session = delta(&catalogue(&[]));
    let long = "x".repeat(super::NAME_LIMIT + 1);
    assert!(session.request(subscribe(CDS, &[&long])).unwrap_err().0.contains("at most 1024"));
}

#[test]
fn the_state_of_the_world_is_told_whole_and_removals_come_last() {
    let first = catalogue(&[(CDS, "a", "1"), (CDS, "b", "1"), (EDS, "a", "1")]);
    let mut session = Session::new(node(), Dialect::StateOfTheWorld, Arc::clone(&first));
    let sent = session.request(world(CDS, &[], "", "")).unwrap();
    assert_eq!(told(&sent), ["+a=1", "+b=1"]);
    let (nonce, version) = (sent[0].nonce.clone(), sent[0].version.clone());
    assert!(session.request(world(CDS, &[], &nonce, &version)).unwrap().is_empty());
    let next = after(&first, &[(CDS, "b", "2"), (CDS, "c", "1"), (EDS, "a", "1")]);
    let sent = session.catalogue(next);
    assert_eq!(told(&sent), ["+b=2", "+c=1", "+a=1"], "the old one is still there");
    let sent = session.request(world(CDS, &[], &sent[0].nonce, &sent[0].version)).unwrap();
    assert_eq!(told(&sent), ["+b=2", "+c=1"]);
    assert!(session.request(world(CDS, &[], &nonce, &version)).unwrap().is_empty(), "an old nonce");
    assert!(session.request(world(CDS, &[], &sent[0].nonce, &sent[0].version)).unwrap().is_empty());
    assert_eq!(session.delivered(CDS, "c"), Delivered::InForce);
}

#[test]
fn in_the_state_of_the_world_names_may_change_and_a_known_version_is_not_told_again() {
    let now = catalogue(&[(EDS, "a", "1"), (EDS, "b", "1"), (CDS, "a", "1")]);
    let mut session = Session::new(node(), Dialect::StateOfTheWorld, Arc::clone(&now));
    let sent = session.request(world(EDS, &["a"], "", "")).unwrap();
    assert_eq!(told(&sent), ["+a=1"]);
    let sent = session.request(world(EDS, &["a", "b"], &sent[0].nonce, &sent[0].version)).unwrap();
    assert_eq!(told(&sent), ["+b=1"]);
    let (nonce, version) = (sent[0].nonce.clone(), sent[0].version.clone());
    assert!(session.request(world(EDS, &["a", "b"], &nonce, &version)).unwrap().is_empty());
    assert!(session.request(world(EDS, &[], &nonce, &version)).unwrap().is_empty(), "it wants none any more");
    assert_eq!(session.delivered(EDS, "a"), Delivered::NotAsked);
    let mut again = Session::new(node(), Dialect::StateOfTheWorld, now);
    assert!(again.request(world(EDS, &["a", "b"], "99", &version)).unwrap().is_empty());
    assert_eq!(again.delivered(EDS, "a"), Delivered::InForce);
}
