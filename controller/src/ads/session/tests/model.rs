//! A session against a model of a proxy.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use proptest::prelude::*;
use xds::{Rejection, ResourceType, wire};

use super::{CDS, Content, EDS, LDS, RDS, ack, changes, node, snapshot};
use crate::ads::node::Node;
use crate::ads::session::{Delivered, Dialect, Interest, Request, Response, Session};
use crate::snapshot::Catalogue;

/// A proxy: it wants all clusters and listeners, the endpoints of its clusters and the routes of its listeners.
#[derive(Default)]
struct Client {
    /// Versions that it was told, by type and name.
    told: Content,
    refuses: Vec<String>,
    wanted: BTreeMap<ResourceType, Vec<String>>,
    inbox: VecDeque<Response>,
}

impl Client {
    /// Begins a stream.
    fn connect(&mut self, catalogue: &Arc<Catalogue>) -> Session {
        self.inbox.clear();
        let mut requests = Vec::new();
        for kind in ResourceType::ALL {
            let known = self.told.iter().filter(|((one, _), _)| *one == kind);
            let initial: HashMap<_, _> =
                known.map(|((_, name), version)| (name.clone(), version.clone())).collect();
            let subscribe = match kind {
                CDS | LDS => vec!["*".to_owned()],
                _ => self.wanted.get(&kind).cloned().unwrap_or_default(),
            };
            if subscribe.is_empty() {
                continue;
            }
            let interest = Interest::Changes { subscribe, unsubscribe: Vec::new(), initial };
            requests.push(Request { type_url: kind.type_url().to_owned(), interest, ..Request::default() });
        }
        let node = Node { first_requests: requests.len(), ..node() };
        let mut session = Session::new(node, Dialect::Delta, Arc::clone(catalogue));
        for request in requests {
            self.send(&mut session, request);
        }
        session
    }

    fn send(&mut self, session: &mut Session, request: Request) {
        let sent = session.request(request).unwrap();
        self.receive(sent);
    }

    fn receive(&mut self, responses: Vec<Response>) {
        for response in responses {
            let in_flight = self.inbox.iter().filter(|other| other.type_url == response.type_url);
            assert_eq!(in_flight.count(), 0, "one response per type is in flight");
            self.inbox.push_back(response);
        }
    }

    /// Takes the oldest response and answers it.
    fn answer(&mut self, session: &mut Session) {
        let Some(response) = self.inbox.pop_front() else { return };
        let kind = ResourceType::of_url(&response.type_url).unwrap();
        let mut refused = Vec::new();
        for item in &response.changed {
            let (name, version) = (&item.resource.name, &item.resource.version);
            // It may have given it up while the response was on its way.
            if matches!(kind, EDS | RDS) && !self.wanted[&kind].contains(name) {
                continue;
            }
            self.told.insert((kind, name.clone()), version.clone());
            if self.refuses.contains(version) {
                let (field, message) = ("x".to_owned(), "bad".to_owned());
                refused.push(Rejection { kind, name: name.clone(), field, message });
            }
        }
        for name in &response.removed {
            self.told.remove(&(kind, name.clone()));
        }
        for ((_, name), cluster) in self.told.iter().filter(|((kind, _), _)| *kind == RDS) {
            let is_there = self.told.contains_key(&(CDS, cluster.clone()));
            assert!(is_there, "route {name} leads to cluster {cluster}, which is not there");
        }
        let request = Request { error: wire::encode_refusals(&refused), ..ack(&response) };
        // The order in which clients do it: the answer, then what follows from the response.
        self.send(session, request);
        self.follow(session, CDS, EDS);
        self.follow(session, LDS, RDS);
    }

    /// Subscribes to what resources of type `by` name of type `kind`: the same names.
    fn follow(&mut self, session: &mut Session, by: ResourceType, kind: ResourceType) {
        let wanted: Vec<_> =
            self.told.keys().filter(|(one, _)| *one == by).map(|(_, name)| name.clone()).collect();
        let old = self.wanted.insert(kind, wanted.clone()).unwrap_or_default();
        let more: Vec<_> = wanted.iter().filter(|name| !old.contains(name)).map(String::as_str).collect();
        let less: Vec<_> = old.iter().filter(|name| !wanted.contains(name)).map(String::as_str).collect();
        for name in &less {
            self.told.remove(&(kind, (*name).to_owned()));
        }
        if !more.is_empty() || !less.is_empty() {
            let request = changes(kind, &more, &less, &[]);
            self.send(session, request);
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Each service that exists: to which of its clusters its route leads, and the version of everything else.
    Change(Vec<Option<(u8, u8)>>),
    Answer,
    Reconnect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let service = proptest::option::weighted(0.7, (0..3_u8, 0..3_u8));
    let step = prop_oneof![
        2 => proptest::collection::vec(service, 3).prop_map(Step::Change),
        5 => Just(Step::Answer),
        1 => Just(Step::Reconnect),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Services as a controller makes them: a route leads only to a cluster that is there.
fn services(all: &[Option<(u8, u8)>]) -> Content {
    let mut content = Content::new();
    for (number, service) in all.iter().enumerate() {
        let Some((cluster, version)) = service else { continue };
        let (name, cluster) = (format!("s{number}"), format!("s{number}-{cluster}"));
        content.insert((CDS, cluster.clone()), format!("c{version}"));
        content.insert((EDS, cluster.clone()), format!("e{version}"));
        content.insert((LDS, name.clone()), format!("l{version}"));
        content.insert((RDS, name), cluster);
    }
    content
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_client_ends_with_what_is_and_never_has_a_route_that_leads_nowhere(
        steps in steps(),
        refuses in proptest::collection::vec("[cel][0-2]", 0..2),
    ) {
        let mut now = Arc::new(Catalogue::default().next(snapshot(&services(&[Some((0, 0)), None, None]))));
        let mut client = Client { refuses, ..Client::default() };
        let mut session = client.connect(&now);
        let mut last = services(&[Some((0, 0)), None, None]);
        for step in steps {
            match step {
                Step::Change(all) => {
                    last = services(&all);
                    now = Arc::new(now.next(snapshot(&last)));
                    let sent = session.catalogue(Arc::clone(&now));
                    client.receive(sent);
                }
                Step::Answer => client.answer(&mut session),
                Step::Reconnect => session = client.connect(&now),
            }
        }
        for _ in 0..1000 {
            client.answer(&mut session);
        }
        prop_assert!(client.inbox.is_empty());
        prop_assert_eq!(&client.told, &last);
        for ((kind, name), version) in &last {
            let refused = matches!(session.delivered(*kind, name), Delivered::Refused(_));
            prop_assert!(session.delivered(*kind, name) != Delivered::Pending);
            // One that knew a bad version when it came back was not told of it again.
            prop_assert!(!refused || client.refuses.contains(version));
        }
    }
}
