//! What the proxy asks a controller for, and answers it: decisions without I/O.
//!
//! All clusters and listeners are wanted, and the endpoints and routes that these name. What was told stays known when a
//! stream ends, so that the next one is told only what has changed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use ::xds::envoy::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use ::xds::{Ack, Rejection, Resource, ResourceType, Update, wire};

use crate::xds::{Applied, References};

type Key = (ResourceType, String);

/// A proxy's subscriptions.
#[derive(Debug, Default)]
pub(super) struct Subscriber {
    /// What was accepted, newest versions.
    kept: BTreeMap<Key, Resource>,
    /// What was refused and is not replaced yet, newest versions: asked for again in the next stream, or once it has mended
    /// itself.
    refused: BTreeMap<Key, Resource>,
    /// What of `wanted` a controller said not to exist.
    absent: BTreeSet<Key>,
    /// Types of which a controller has told all, in whatever stream.
    told: BTreeSet<ResourceType>,
    /// What resources in force name.
    wanted: BTreeMap<ResourceType, BTreeSet<String>>,
    /// Types that were asked for in this stream.
    asked: BTreeSet<ResourceType>,
}

/// What follows from a response.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Follow {
    /// To be sent, in order.
    pub(super) requests: Vec<DeltaDiscoveryRequest>,
    /// What nobody names any more and is to be forgotten.
    pub(super) forgotten: Vec<Key>,
}

impl Subscriber {
    /// Starts with what an earlier process has kept.
    pub(super) fn restore(&mut self, update: &Update, applied: &Applied) {
        self.take(update, &applied.ack);
        self.told = BTreeSet::from([ResourceType::Cluster, ResourceType::Listener]);
        self.set_wanted(&applied.references);
    }

    /// The first requests of a stream.
    pub(super) fn connect(&mut self) -> Vec<DeltaDiscoveryRequest> {
        self.asked.clear();
        let mut requests = Vec::new();
        for kind in ResourceType::ALL {
            let names = match kind {
                ResourceType::Cluster | ResourceType::Listener => vec!["*".to_owned()],
                _ => self.wanted.get(&kind).into_iter().flatten().cloned().collect(),
            };
            if !names.is_empty() {
                requests.push(self.ask(kind, names, Vec::new()));
            }
        }
        requests
    }

    /// What a response says. `Err`: it cannot be understood.
    pub(super) fn read(response: &DeltaDiscoveryResponse) -> Result<(ResourceType, Update), String> {
        let kind = ResourceType::of_url(&response.type_url)
            .ok_or_else(|| format!("type {:?} was not asked for", response.type_url))?;
        let changed = response.resources.iter().map(|resource| wire::decode(kind, resource.clone()));
        let removed = response.removed_resources.iter().map(|name| (kind, name.clone()));
        Ok((kind, Update { changed: changed.collect(), removed: removed.collect() }))
    }

    /// What is to be done after a response was put in force.
    pub(super) fn applied(
        &mut self,
        kind: ResourceType,
        nonce: String,
        update: &Update,
        applied: &Applied,
    ) -> Follow {
        self.take(update, &applied.ack);
        self.told.insert(kind);
        let mut requests = vec![answer(kind, nonce, &applied.ack)];
        let Follow { requests: more, mut forgotten } = self.follow(applied);
        requests.extend(more);
        // It may have been given up while the response was on its way.
        for resource in &update.changed {
            if self.is_wanted(resource.kind, &resource.name) {
                continue;
            }
            let key = (resource.kind, resource.name.clone());
            if self.forget(&key) {
                forgotten.push(key);
            }
        }
        Follow { requests, forgotten }
    }

    /// What is to be done after resources were put in force, perhaps without a response.
    pub(super) fn follow(&mut self, applied: &Applied) -> Follow {
        let mut follow = Follow::default();
        for (kind, more, less) in self.set_wanted(&applied.references) {
            for name in &less {
                let key = (kind, name.clone());
                self.absent.remove(&key);
                if self.forget(&key) {
                    follow.forgotten.push(key);
                }
            }
            follow.requests.push(self.ask(kind, more, less));
        }
        for (kind, again) in self.reconsider(&applied.refused) {
            follow.requests.push(self.ask(kind, again, Vec::new()));
        }
        follow
    }

    /// Compares what was refused with what is refused now: what is not any more is kept. What of it has changed without a
    /// response is asked for again, by type: in the answer to the response the controller learns how it stands.
    fn reconsider(&mut self, refused: &[Rejection]) -> BTreeMap<ResourceType, Vec<String>> {
        let now: BTreeSet<Key> = refused.iter().map(key_of).collect();
        let mended: Vec<_> = self.refused.extract_if(.., |key, _| !now.contains(key)).collect();
        let mut again: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, resource) in mended {
            again.entry(key.0).or_default().push(key.1.clone());
            self.kept.insert(key, resource);
        }
        for key in now {
            if self.is_wanted(key.0, &key.1) && self.refuse(&key) {
                again.entry(key.0).or_default().push(key.1);
            }
        }
        again
    }

    /// What is to be done after a response that says that nothing is missing.
    pub(super) fn greeted(&mut self, kind: ResourceType, nonce: String) -> Follow {
        self.told.insert(kind);
        Follow { requests: vec![answer(kind, nonce, &Ack::default())], forgotten: Vec::new() }
    }

    fn take(&mut self, update: &Update, ack: &Ack) {
        let rejected: BTreeSet<Key> = ack.rejected.iter().map(key_of).collect();
        for key in &update.removed {
            self.kept.remove(key);
            self.refused.remove(key);
            if self.is_named(key.0, &key.1) {
                self.absent.insert(key.clone());
            }
        }
        for resource in &update.changed {
            let key = (resource.kind, resource.name.clone());
            self.absent.remove(&key);
            if rejected.contains(&key) {
                self.refused.insert(key, resource.clone());
            } else {
                self.refused.remove(&key);
                self.kept.insert(key, resource.clone());
            }
        }
        for key in &rejected {
            self.refuse(key);
        }
    }

    /// Notes that what was accepted is refused beside what has become of others. Tells whether that is news.
    fn refuse(&mut self, key: &Key) -> bool {
        let Some(resource) = self.kept.get(key).filter(|_| !self.refused.contains_key(key)) else {
            return false;
        };
        self.refused.insert(key.clone(), resource.clone());
        true
    }

    /// Tells whether there was anything to forget.
    fn forget(&mut self, key: &Key) -> bool {
        let [kept, refused] = [self.kept.remove(key), self.refused.remove(key)];
        kept.or(refused).is_some()
    }

    fn is_wanted(&self, kind: ResourceType, name: &str) -> bool {
        matches!(kind, ResourceType::Cluster | ResourceType::Listener) || self.is_named(kind, name)
    }

    /// Whether a resource in force names it.
    fn is_named(&self, kind: ResourceType, name: &str) -> bool {
        self.wanted.get(&kind).is_some_and(|names| names.contains(name))
    }

    /// Takes over what is named now; per type, what is new and what is gone.
    fn set_wanted(&mut self, references: &References) -> Vec<(ResourceType, Vec<String>, Vec<String>)> {
        let mut changes = Vec::new();
        for (kind, names) in
            [(ResourceType::Endpoints, &references.endpoints), (ResourceType::Routes, &references.routes)]
        {
            let old = self.wanted.insert(kind, names.clone()).unwrap_or_default();
            let more: Vec<_> = names.difference(&old).cloned().collect();
            let less: Vec<_> = old.difference(names).cloned().collect();
            if !more.is_empty() || !less.is_empty() {
                changes.push((kind, more, less));
            }
        }
        changes
    }

    fn ask(&mut self, kind: ResourceType, more: Vec<String>, less: Vec<String>) -> DeltaDiscoveryRequest {
        let is_first = self.asked.insert(kind);
        let known = self.kept.iter().filter(|(key, _)| key.0 == kind && !self.refused.contains_key(*key));
        let initial = known.filter(|_| is_first).map(|(key, one)| (key.1.clone(), one.version.clone()));
        DeltaDiscoveryRequest {
            type_url: kind.type_url().to_owned(),
            initial_resource_versions: initial.collect(),
            resource_names_subscribe: more,
            // What was not asked for in this stream need not be given up.
            resource_names_unsubscribe: if is_first { Vec::new() } else { less },
            ..Default::default()
        }
    }

    /// Whether everything that is named was told of.
    pub(super) fn is_whole(&self) -> bool {
        let all_told =
            [ResourceType::Cluster, ResourceType::Listener].iter().all(|kind| self.told.contains(kind));
        let is_told = |kind: ResourceType, name: &String| {
            let key = (kind, name.clone());
            self.kept.contains_key(&key) || self.refused.contains_key(&key) || self.absent.contains(&key)
        };
        all_told && self.wanted.iter().all(|(kind, names)| names.iter().all(|name| is_told(*kind, name)))
    }

    /// What was accepted.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Resource> {
        self.kept.values()
    }
}

fn key_of(rejection: &Rejection) -> Key {
    (rejection.kind, rejection.name.clone())
}

fn answer(kind: ResourceType, nonce: String, ack: &Ack) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: kind.type_url().to_owned(),
        response_nonce: nonce,
        error_detail: wire::encode_refusals(&ack.rejected),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xds::fixtures::{cluster, resource, routes};

    const CDS: ResourceType = ResourceType::Cluster;
    const EDS: ResourceType = ResourceType::Endpoints;
    const LDS: ResourceType = ResourceType::Listener;
    const RDS: ResourceType = ResourceType::Routes;

    fn changed(resources: Vec<Resource>) -> Update {
        Update { changed: resources, removed: Vec::new() }
    }

    fn applied(endpoints: &[&str], routes: &[&str]) -> Applied {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Applied {
            ack: Ack::default(),
            refused: Vec::new(),
            references: References { endpoints: all(endpoints), routes: all(routes) },
        }
    }

    fn refused(kind: ResourceType, name: &str, applied: Applied) -> Applied {
        let (field, message) = ("x".to_owned(), "bad".to_owned());
        let rejected = vec![Rejection { kind, name: name.to_owned(), field, message }];
        Applied { refused: rejected.clone(), ack: Ack { rejected }, ..applied }
    }

    fn shown(requests: &[DeltaDiscoveryRequest]) -> Vec<String> {
        let one = |request: &DeltaDiscoveryRequest| {
            let kind = ResourceType::of_url(&request.type_url).unwrap();
            let mut initial: Vec<_> = request.initial_resource_versions.iter().collect();
            initial.sort();
            let signs =
                [("+", &request.resource_names_subscribe), ("-", &request.resource_names_unsubscribe)];
            let names =
                signs.iter().flat_map(|(sign, names)| names.iter().map(move |name| format!(" {sign}{name}")));
            let known = initial.iter().map(|(name, version)| format!(" {name}={version}"));
            let nack = request.error_detail.as_ref().map(|_| " nack".to_owned());
            let answers =
                (!request.response_nonce.is_empty()).then(|| format!(" #{}", request.response_nonce));
            [kind.to_string()].into_iter().chain(answers).chain(nack).chain(names).chain(known).collect()
        };
        requests.iter().map(one).collect()
    }

    /// A subscriber that has a cluster with its endpoints, and no listener.
    fn subscriber() -> Subscriber {
        let mut subscriber = Subscriber::default();
        subscriber.connect();
        let clusters = changed(vec![resource(CDS, "c", &cluster("c"))]);
        subscriber.applied(CDS, "1".to_owned(), &clusters, &applied(&["c"], &[]));
        let endpoints = changed(vec![resource(EDS, "c", &cluster("c"))]);
        subscriber.applied(EDS, "2".to_owned(), &endpoints, &applied(&["c"], &[]));
        subscriber.greeted(LDS, "3".to_owned());
        subscriber
    }

    #[test]
    fn what_resources_name_is_asked_for_once_they_are_there() {
        let mut subscriber = Subscriber::default();
        assert_eq!(shown(&subscriber.connect()), ["cluster +*", "listener +*"]);
        let update = changed(vec![resource(CDS, "c", &cluster("c"))]);
        let follow = subscriber.applied(CDS, "1".to_owned(), &update, &applied(&["c"], &[]));
        assert_eq!(shown(&follow.requests), ["cluster #1", "endpoints +c"]);
        assert!(!subscriber.is_whole());
        let absent = Update { changed: vec![], removed: vec![(EDS, "c".to_owned())] };
        let follow = subscriber.applied(EDS, "2".to_owned(), &absent, &applied(&["c"], &[]));
        assert_eq!(shown(&follow.requests), ["endpoints #2"]);
        subscriber.greeted(LDS, "3".to_owned());
        assert!(subscriber.is_whole(), "that there are none is an answer");
        let other = changed(vec![resource(CDS, "d", &cluster("d"))]);
        let follow = subscriber.applied(CDS, "4".to_owned(), &other, &applied(&["c", "d"], &[]));
        assert_eq!(shown(&follow.requests), ["cluster #4", "endpoints +d"]);
    }

    #[test]
    fn what_nobody_names_any_more_is_given_up_and_forgotten() {
        let mut subscriber = subscriber();
        let gone = Update { changed: vec![], removed: vec![(CDS, "c".to_owned())] };
        let follow = subscriber.applied(CDS, "4".to_owned(), &gone, &applied(&[], &[]));
        assert_eq!(shown(&follow.requests), ["cluster #4", "endpoints -c"]);
        assert_eq!(follow.forgotten, [(EDS, "c".to_owned())]);
        assert_eq!(subscriber.kept().count(), 0);
    }

    #[test]
    fn what_comes_and_goes_leaves_nothing_behind() {
        let mut subscriber = subscriber();
        let removed = |kind, name: &str| Update { changed: vec![], removed: vec![(kind, name.to_owned())] };
        for name in ["d", "e"] {
            let cluster = changed(vec![resource(CDS, name, &cluster(name))]);
            subscriber.applied(CDS, "4".to_owned(), &cluster, &applied(&["c", name], &[]));
            subscriber.applied(EDS, "5".to_owned(), &removed(EDS, name), &applied(&["c", name], &[]));
            assert!(subscriber.is_whole(), "that there are no endpoints is told");
            subscriber.applied(CDS, "6".to_owned(), &removed(CDS, name), &applied(&["c"], &[]));
            subscriber.applied(LDS, "7".to_owned(), &removed(LDS, name), &applied(&["c"], &[]));
            subscriber.applied(EDS, "8".to_owned(), &removed(EDS, name), &applied(&["c"], &[]));
        }
        assert_eq!((subscriber.absent, subscriber.kept.len()), (BTreeSet::new(), 2));
    }

    #[test]
    fn what_comes_after_it_was_given_up_is_forgotten() {
        let mut subscriber = subscriber();
        let gone = Update { changed: vec![], removed: vec![(CDS, "c".to_owned())] };
        subscriber.applied(CDS, "4".to_owned(), &gone, &applied(&[], &[]));
        let late = changed(vec![resource(EDS, "c", &cluster("c"))]);
        let follow = subscriber.applied(EDS, "5".to_owned(), &late, &applied(&[], &[]));
        assert_eq!(
            (shown(&follow.requests), follow.forgotten),
            (vec!["endpoints #5".to_owned()], vec![(EDS, "c".to_owned())])
        );
        assert_eq!(subscriber.kept().count(), 0);
    }

    #[test]
    fn a_new_stream_says_what_is_known() {
        let mut subscriber = subscriber();
        assert!(subscriber.is_whole());
        assert_eq!(shown(&subscriber.connect()), ["cluster +* c=1", "endpoints +c c=1", "listener +*"]);
        assert!(subscriber.is_whole(), "a broken stream changes nothing");
    }

    #[test]
    fn what_was_refused_is_asked_for_again_in_a_new_stream_only() {
        let mut subscriber = subscriber();
        let mut bad = resource(CDS, "c", &cluster("c"));
        bad.version = "2".to_owned();
        let answer = refused(CDS, "c", applied(&["c"], &[]));
        let follow = subscriber.applied(CDS, "4".to_owned(), &changed(vec![bad]), &answer);
        assert_eq!(shown(&follow.requests), ["cluster #4 nack"]);
        let kept: Vec<_> = subscriber.kept().map(|one| (one.kind, one.version.as_str())).collect();
        assert_eq!(kept, [(CDS, "1"), (EDS, "1")], "the last good one is kept");
        assert_eq!(shown(&subscriber.connect()), ["cluster +*", "endpoints +c c=1", "listener +*"]);
    }

    #[test]
    fn what_has_mended_itself_is_kept_and_asked_for_again_so_that_the_controller_learns_of_it() {
        let mut subscriber = subscriber();
        let mut mended = resource(CDS, "c", &cluster("c"));
        mended.version = "2".to_owned();
        let bad = refused(CDS, "c", applied(&["c"], &[]));
        subscriber.applied(CDS, "4".to_owned(), &changed(vec![mended]), &bad);
        let still = Applied { ack: Ack::default(), ..bad.clone() };
        assert_eq!(subscriber.follow(&still), Follow::default(), "it is still refused");
        let follow = subscriber.follow(&applied(&["c"], &[]));
        assert_eq!((shown(&follow.requests), follow.forgotten), (vec!["cluster +c".to_owned()], vec![]));
        let kept: Vec<_> = subscriber.kept().map(|one| (one.kind, one.version.as_str())).collect();
        assert_eq!(kept, [(CDS, "2"), (EDS, "1")]);
        assert_eq!(subscriber.follow(&applied(&["c"], &[])), Follow::default(), "it is asked for once");
        assert_eq!(shown(&subscriber.connect()), ["cluster +* c=2", "endpoints +c c=1", "listener +*"]);
    }

    #[test]
    fn what_has_mended_itself_beside_another_resource_is_asked_for_again() {
        let mut subscriber = subscriber();
        let bad = refused(EDS, "c", applied(&["c"], &[]));
        let endpoints = changed(vec![resource(EDS, "c", &cluster("c"))]);
        subscriber.applied(EDS, "4".to_owned(), &endpoints, &bad);
        let cluster = changed(vec![resource(CDS, "c", &cluster("c"))]);
        let follow = subscriber.applied(CDS, "5".to_owned(), &cluster, &applied(&["c"], &[]));
        assert_eq!(shown(&follow.requests), ["cluster #5", "endpoints +c"]);
    }

    #[test]
    fn what_has_become_wrong_without_a_response_is_asked_for_again_so_that_it_can_be_refused() {
        let mut subscriber = subscriber();
        let bad = Applied { ack: Ack::default(), ..refused(EDS, "c", applied(&["c"], &[])) };
        assert_eq!(shown(&subscriber.follow(&bad).requests), ["endpoints +c"]);
        assert_eq!(subscriber.follow(&bad), Follow::default());
        assert_eq!(subscriber.kept().count(), 2, "it is judged again when a proxy begins with it");
    }

    #[test]
    fn what_was_refused_and_nobody_names_any_more_is_forgotten() {
        let mut subscriber = subscriber();
        let endpoints = changed(vec![resource(EDS, "d", &cluster("d"))]);
        let bad = refused(EDS, "d", applied(&["c", "d"], &[]));
        subscriber.follow(&applied(&["c", "d"], &[]));
        subscriber.applied(EDS, "4".to_owned(), &endpoints, &bad);
        let follow = subscriber.follow(&Applied { references: applied(&["c"], &[]).references, ..bad });
        assert_eq!(shown(&follow.requests), ["endpoints -d"]);
        assert_eq!(follow.forgotten, [(EDS, "d".to_owned())]);
    }

    #[test]
    fn a_proxy_begins_with_what_it_has_kept() {
        let mut subscriber = Subscriber::default();
        let update = changed(vec![
            resource(CDS, "c", &cluster("c")),
            resource(RDS, "r", &routes("r", vec![])),
            resource(EDS, "c", &cluster("c")),
        ]);
        subscriber.restore(&update, &applied(&["c"], &["r"]));
        assert!(subscriber.is_whole());
        let requests = ["cluster +* c=1", "endpoints +c c=1", "listener +*", "routes +r r=1"];
        assert_eq!(shown(&subscriber.connect()), requests);
    }

    #[test]
    fn a_response_of_another_type_is_refused_as_a_whole() {
        let response = DeltaDiscoveryResponse { type_url: "x".to_owned(), ..Default::default() };
        assert_eq!(Subscriber::read(&response).unwrap_err(), "type \"x\" was not asked for");
    }
}
