//! The last good version of every resource.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::xds::{Ack, Rejection, Resource, ResourceType, Update};

use crate::model;
use crate::route::Table;
use crate::tls::Files;
use crate::xds::convert::{Converted, convert};
use crate::xds::{Cluster, Codecs, Entry, Listener, References, Refused, Routes, misfits};

/// Resources refused for their files that are tried again at a time.
const RETRIES: usize = 64;

/// The resources in force, by type and name.
///
/// A listener or route may name what is not there: resources arrive in any order, and each is judged on its own. The
/// state answers `None` for what has not arrived or was refused, and whoever reads it decides what follows.
#[derive(Debug, Clone, Default)]
pub struct State {
    listeners: BTreeMap<String, Entry<Listener>>,
    routes: BTreeMap<String, Entry<Routes>>,
    clusters: BTreeMap<String, Entry<Cluster>>,
    endpoints: BTreeMap<String, Entry<Arc<model::Endpoints>>>,
    refused: BTreeMap<(ResourceType, String), Refused>,
    /// The one that was tried again last.
    tried_last: Option<(ResourceType, String)>,
    /// What routes ask for and codecs cannot do.
    misfits: Vec<Rejection>,
}

impl State {
    /// Takes over what is good of `update` and tells what is not. First everything is converted, then everything that
    /// was accepted is put in force at once. A resource that is removed and changed in the same update is there after
    /// it; of several with the same type and name the last counts.
    pub fn apply(&mut self, update: &Update, codecs: &Codecs, files: &mut Files) -> Ack {
        let converted: Vec<_> =
            update.changed.iter().map(|resource| (resource, convert(resource, codecs, files))).collect();
        for (kind, name) in &update.removed {
            self.remove(*kind, name);
        }
        let mut rejected = Vec::new();
        for (resource, result) in converted {
            let key = (resource.kind, resource.name.clone());
            match result {
                Ok(value) => {
                    self.refused.remove(&key);
                    self.put(resource, value);
                }
                Err(wrong) => {
                    rejected.extend_from_slice(&wrong.rejections);
                    let awaiting = wrong.is_of_files.then(|| resource.clone());
                    let (version, mistakes) = (resource.version.clone(), wrong.rejections);
                    self.refused.insert(key, Refused { version, awaiting, mistakes });
                }
            }
        }
        self.compile_tables();
        rejected.extend(self.judge_routes(update));
        Ack { rejected }
    }

    /// Tries again what was refused for its files alone, at most `RETRIES` resources in turn. Tells which of them are in force
    /// now.
    pub fn try_again(&mut self, codecs: &Codecs, files: &mut Files) -> Vec<(ResourceType, String)> {
        let last = self.tried_last.take();
        let is_later = |key: &(ResourceType, String)| last.as_ref().is_none_or(|last| key > last);
        let awaiting = || self.refused.iter().filter_map(|(key, one)| Some((key, one.awaiting.as_ref()?)));
        let later = awaiting().filter(|(key, _)| is_later(key));
        let earlier = awaiting().filter(|(key, _)| !is_later(key));
        let tried: Vec<_> =
            later.chain(earlier).take(RETRIES).map(|(key, one)| (key.clone(), one.clone())).collect();
        self.tried_last = tried.last().map(|(key, _)| key.clone());
        let mut mended = Vec::new();
        for (key, resource) in tried {
            if let Ok(value) = convert(&resource, codecs, files) {
                self.refused.remove(&key);
                self.put(&resource, value);
                mended.push(key);
            }
        }
        if !mended.is_empty() {
            self.compile_tables();
            self.judge_routes(&Update::default());
        }
        mended
    }

    /// Sees to it that routes which ask for what a codec cannot do say so instead of serving, and tells those that have
    /// become so, or were told once more.
    fn judge_routes(&mut self, update: &Update) -> Vec<Rejection> {
        let misfits = misfits::misfits(&self.listeners, &self.clusters, &self.routes);
        for (name, entry) in &mut self.routes {
            let of_these: Vec<_> = misfits.iter().filter(|misfit| misfit.name == *name).collect();
            misfits::serve_without(&mut entry.value, &of_these);
        }
        let is_told = |misfit: &Rejection| {
            let is_it = |one: &Resource| one.kind == misfit.kind && one.name == misfit.name;
            update.changed.iter().any(is_it)
        };
        let is_fresh = |misfit: &&Rejection| !self.misfits.contains(misfit) || is_told(misfit);
        let fresh = misfits.iter().filter(is_fresh).cloned().collect();
        self.misfits = misfits;
        fresh
    }

    fn remove(&mut self, kind: ResourceType, name: &str) {
        self.refused.remove(&(kind, name.to_owned()));
        match kind {
            ResourceType::Listener => drop(self.listeners.remove(name)),
            ResourceType::Routes => drop(self.routes.remove(name)),
            ResourceType::Cluster => drop(self.clusters.remove(name)),
            ResourceType::Endpoints => drop(self.endpoints.remove(name)),
        }
    }

    fn put(&mut self, resource: &Resource, value: Converted) {
        match value {
            Converted::Listener(value) => {
                put(&mut self.listeners, resource, value, |old, new| old.model == new.model);
            }
            Converted::Routes(value) => {
                put(&mut self.routes, resource, value, |old, new| old.model == new.model);
            }
            Converted::Cluster(value) => {
                put(&mut self.clusters, resource, value, |old, new| old.model == new.model);
            }
            Converted::Endpoints(value) => put(&mut self.endpoints, resource, value, |old, new| old == new),
        }
    }

    /// Sees to it that routes are compiled for the protocols of the listeners that name them. Routes do not say their
    /// protocol, but what an attribute's name means depends on it.
    fn compile_tables(&mut self) {
        for listener in self.listeners.values().map(|entry| &entry.value) {
            for service in &listener.model.services {
                let Some(routes) = self.routes.get_mut(&service.routes).map(|entry| &mut entry.value) else {
                    continue;
                };
                if routes.table(&listener.model.protocol).is_none() {
                    let table =
                        Table::with_regexes(&routes.model, listener.properties, routes.regexes.clone())
                            .expect("its regular expressions were compiled when it was accepted");
                    routes.tables.push((listener.model.protocol.as_str().into(), Arc::new(table)));
                }
            }
        }
    }

    /// All listeners, by name.
    pub fn listeners(&self) -> impl ExactSizeIterator<Item = &Entry<Listener>> {
        self.listeners.values()
    }

    /// All route configurations, by name.
    pub fn routes(&self) -> impl ExactSizeIterator<Item = &Entry<Routes>> {
        self.routes.values()
    }

    /// All clusters, by name.
    pub fn clusters(&self) -> impl ExactSizeIterator<Item = &Entry<Cluster>> {
        self.clusters.values()
    }

    /// All assignments of endpoints, by name.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = &Entry<Arc<model::Endpoints>>> {
        self.endpoints.values()
    }

    /// What resources in force name of others.
    pub fn references(&self) -> References {
        let assigned = |entry: &Entry<Cluster>| match &entry.value.model.discovery {
            model::Discovery::Assigned(name) => Some(name.clone()),
            model::Discovery::Dns(_) => None,
        };
        let services = self.listeners.values().flat_map(|entry| &entry.value.model.services);
        References {
            endpoints: self.clusters.values().filter_map(assigned).collect(),
            routes: services.map(|service| service.routes.clone()).collect(),
        }
    }

    /// The newest versions that were refused, by type and name. Gone once a good version comes or the resource is
    /// removed.
    pub fn refused(&self) -> impl ExactSizeIterator<Item = (&(ResourceType, String), &Refused)> {
        self.refused.iter()
    }

    /// Everything that is wrong now: with the newest versions that were refused, and with routes that ask for what codecs
    /// cannot do.
    pub fn rejections(&self) -> impl Iterator<Item = &Rejection> {
        self.refused.values().flat_map(|one| &one.mistakes).chain(&self.misfits)
    }

    /// The routes of one of a listener's services; `None`: they have not arrived, or never were good. They are
    /// compiled for the listener's protocol: [`Routes::table`] has it.
    pub fn routes_of(&self, service: &model::Service) -> Option<&Entry<Routes>> {
        self.routes.get(&service.routes)
    }

    /// The table that serves one of `listener`'s services; `None`: its routes have not arrived, or never were good.
    pub fn table_of(&self, listener: &Listener, service: &model::Service) -> Option<&Arc<Table>> {
        self.routes_of(service)?.value.table(&listener.model.protocol)
    }

    /// The endpoints assigned to `cluster`; `None`: none have arrived, they never were good, or it looks them up by
    /// DNS.
    pub fn endpoints_of(&self, cluster: &model::Cluster) -> Option<&Entry<Arc<model::Endpoints>>> {
        match &cluster.discovery {
            model::Discovery::Assigned(name) => self.endpoints.get(name),
            model::Discovery::Dns(_) => None,
        }
    }
}

/// Puts `value` in force. Where the content is the `same` as before, the value stays, and with it every pointer.
fn put<T>(
    map: &mut BTreeMap<String, Entry<T>>,
    resource: &Resource,
    value: T,
    same: impl Fn(&T, &T) -> bool,
) {
    let (version, origins) = (resource.version.clone(), Arc::clone(&resource.origins));
    let value = match map.remove(&resource.name) {
        Some(old) if same(&old.value, &value) => old.value,
        _ => value,
    };
    map.insert(resource.name.clone(), Entry { version, origins, value });
}
