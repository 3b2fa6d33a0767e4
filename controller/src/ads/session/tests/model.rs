//! A session against a model of a proxy.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use proptest::prelude::*;
use xds::{Rejection, ResourceType, wire};

use super::{CDS, Content, EDS, LDS, RDS, ack, changes, node, snapshot};
use crate::ads::node::Node;
use crate::ads::session::{Delivered, Dialect, Interest, Request, Response, Session};
use crate::snapshot::Catalogue;

/// A proxy: it wants all clusters and listeners, the endpoints of its clusters and the routes of its listeners. Of what it
/// refuses, the version before stays in force.
#[derive(Default)]
struct Client {
    /// Versions in force, by type and name.
    in_force: Content,
    /// What was refused, and not replaced yet.
    refused: BTreeSet<(ResourceType, String)>,
    refuses: Vec<String>,
    wanted: BTreeMap<ResourceType, BTreeSet<String>>,
    inbox: VecDeque<Response>,
}

impl Client {
    /// Begins a stream.
    fn connect(&mut self, catalogue: &Arc<Catalogue>) -> Session {
        self.inbox.clear();
        let mut requests = Vec::new();
        for kind in ResourceType::ALL {
            let subscribe = match kind {
                CDS | LDS => vec!["*".to_owned()],
                _ => self.wanted.get(&kind).into_iter().flatten().cloned().collect(),
            };
            if subscribe.is_empty() {
                continue;
            }
            // What it refuses, it asks for again.
            let version = |key, version: &String| {
                if self.refused.contains(key) { String::new() } else { version.clone() }
            };
            let known = self.in_force.iter().filter(|((one, _), _)| *one == kind);
            let initial: HashMap<_, _> = known.map(|(key, one)| (key.1.clone(), version(key, one))).collect();
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
        self.receive(session, sent);
    }

    fn receive(&mut self, session: &Session, responses: Vec<Response>) {
        for response in responses {
            let in_flight = self.inbox.iter().filter(|other| other.type_url == response.type_url);
            assert_eq!(in_flight.count(), 0, "one response per type is in flight");
            let kind = ResourceType::of_url(&response.type_url).unwrap();
            for name in &response.removed {
                let is_needed =
                    self.in_force.contains_key(&(kind, name.clone())) && self.needs(session, kind, name);
                assert!(!is_needed, "{kind} {name} is removed, and something leads there");
            }
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
            let key = (kind, name.clone());
            if self.is_refused(version) {
                self.refused.insert(key);
                let (field, message) = ("x".to_owned(), "bad".to_owned());
                refused.push(Rejection { kind, name: name.clone(), field, message });
            } else {
                self.refused.remove(&key);
                self.in_force.insert(key, version.clone());
            }
        }
        for name in &response.removed {
            let key = (kind, name.clone());
            self.in_force.remove(&key);
            self.refused.remove(&key);
        }
        for cluster in self.led_to_by(RDS) {
            let key = (CDS, cluster);
            let is_known = self.in_force.contains_key(&key) || self.refused.contains(&key);
            assert!(is_known, "routes lead to cluster {}, which is not there", key.1);
        }
        let request = Request { error: wire::encode_refusals(&refused), ..ack(&response) };
        // The order in which clients do it: the answer, then what follows from the response.
        self.send(session, request);
        let clusters = self.in_force.keys().filter(|(kind, _)| *kind == CDS).map(|(_, name)| name.clone());
        self.follow(session, EDS, &clusters.collect());
        self.follow(session, RDS, &self.led_to_by(LDS));
    }

    fn is_refused(&self, version: &str) -> bool {
        self.refuses.iter().any(|bad| version.ends_with(bad))
    }

    /// The names that resources of this type in force lead to.
    fn led_to_by(&self, kind: ResourceType) -> BTreeSet<String> {
        let versions = self.in_force.iter().filter(|((one, _), _)| *one == kind).map(|(_, version)| version);
        versions.map(|version| version.split('/').next().unwrap_or_default().to_owned()).collect()
    }

    /// Whether something in force leads there. A listener that is gone closes after its routes are removed.
    fn needs(&self, session: &Session, kind: ResourceType, name: &str) -> bool {
        match kind {
            LDS => false,
            RDS => self.in_force.iter().any(|((kind, listener), version)| {
                *kind == LDS
                    && version.split('/').next() == Some(name)
                    && session.delivered(LDS, listener) != Delivered::NotAsked
            }),
            CDS | EDS => self.led_to_by(RDS).contains(name),
        }
    }

    /// Subscribes to what is wanted of a type now.
    fn follow(&mut self, session: &mut Session, kind: ResourceType, wanted: &BTreeSet<String>) {
        let old = self.wanted.insert(kind, wanted.clone()).unwrap_or_default();
        let more: Vec<_> = wanted.difference(&old).map(String::as_str).collect();
        let less: Vec<_> = old.difference(wanted).map(String::as_str).collect();
        for name in &less {
            let key = (kind, (*name).to_owned());
            self.in_force.remove(&key);
            self.refused.remove(&key);
        }
        if !more.is_empty() || !less.is_empty() {
            let request = changes(kind, &more, &less, &[]);
            self.send(session, request);
        }
    }

    /// Answers until there is nothing more to answer.
    fn settle(&mut self, session: &mut Session) {
        for _ in 0..1000 {
            self.answer(session);
        }
        assert!(self.inbox.is_empty());
    }
}

/// A service: which of its routes its listener names, to which of its clusters these lead, and the version of all.
type Service = (u8, u8, u8);

#[derive(Debug, Clone)]
enum Step {
    /// Each service that exists.
    Change(Vec<Option<Service>>),
    Answer,
    Reconnect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let service = proptest::option::weighted(0.7, (0..2_u8, 0..3_u8, 0..3_u8));
    let step = prop_oneof![
        2 => proptest::collection::vec(service, 3).prop_map(Step::Change),
        5 => Just(Step::Answer),
        1 => Just(Step::Reconnect),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Services as a controller makes them: what a resource leads to is there. The version of a listener and of routes begins
/// with what it leads to.
fn services(all: &[Option<Service>]) -> Content {
    let mut content = Content::new();
    for (number, service) in all.iter().enumerate() {
        let Some((routes, cluster, version)) = service else { continue };
        let (routes, cluster) = (format!("s{number}-r{routes}"), format!("s{number}-{cluster}"));
        content.insert((CDS, cluster.clone()), format!("c{version}"));
        content.insert((EDS, cluster.clone()), format!("e{version}"));
        content.insert((LDS, format!("s{number}")), format!("{routes}/l{version}"));
        content.insert((RDS, routes), format!("{cluster}/r{version}"));
    }
    content
}

/// What `client` has in the end is what it has to have.
fn check(client: &Client, session: &Session, last: &Content) -> Result<(), TestCaseError> {
    for ((kind, name), version) in last {
        let delivered = session.delivered(*kind, name);
        prop_assert!(delivered != Delivered::Pending);
        let is_wanted = client.wanted.get(kind).is_none_or(|wanted| wanted.contains(name));
        let is_refused = matches!(delivered, Delivered::Refused(_));
        prop_assert_eq!(is_refused, is_wanted && client.is_refused(version), "{} {}", kind, name);
        if is_wanted && !is_refused {
            prop_assert_eq!(client.in_force.get(&(*kind, name.clone())), Some(version), "{} {}", kind, name);
        }
    }
    let refuses = |kinds: &[ResourceType]| session.refusals().any(|one| kinds.contains(&one.kind));
    for (kind, name) in client.in_force.keys().filter(|key| !last.contains_key(*key)) {
        let may_be_held_back = match *kind {
            LDS => false,
            RDS => refuses(&[LDS]),
            CDS => refuses(&[LDS, RDS]),
            EDS => refuses(&[LDS, RDS, CDS]),
        };
        prop_assert!(may_be_held_back, "{} {} is there still", kind, name);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_client_ends_with_what_is_and_nothing_ever_leads_nowhere(
        steps in steps(),
        refuses in proptest::collection::vec("[celr][0-2]", 0..3),
        end in proptest::collection::vec(proptest::option::of(Just((0, 0, 9))), 3),
    ) {
        let mut last = services(&[Some((0, 0, 0)), None, None]);
        let mut now = Arc::new(Catalogue::default().next(snapshot(&last)));
        let mut client = Client { refuses, ..Client::default() };
        let mut session = client.connect(&now);
        for step in steps {
            match step {
                Step::Change(all) => {
                    last = services(&all);
                    now = Arc::new(now.next(snapshot(&last)));
                    let sent = session.catalogue(Arc::clone(&now));
                    client.receive(&session, sent);
                }
                Step::Answer => client.answer(&mut session),
                Step::Reconnect => session = client.connect(&now),
            }
        }
        client.settle(&mut session);
        check(&client, &session, &last)?;

        // Nobody refuses this: nothing that was held back is left.
        let end = services(&end);
        let sent = session.catalogue(Arc::new(now.next(snapshot(&end))));
        client.receive(&session, sent);
        client.settle(&mut session);
        prop_assert_eq!(&client.in_force, &end);
        for kind in ResourceType::ALL {
            prop_assert_eq!((session.progress(kind).pending, session.progress(kind).refused), (0, 0));
        }
    }
}
