//! Which MetaRouter serves a host: the oldest of those that may.
//!
//! A MetaRouter with something in it that is not supported yet, outside of its routes, serves nothing: half of what was
//! asked for could be worse than none of it.

use std::collections::BTreeMap;

use crds::{FreeForm, MetaRouterSpec};

use super::Options;
use super::report::Report;
use super::services::{Service, Services};
use crate::object::{Object, Objects};
use crate::tree::FieldPath;

/// The MetaRouters that serve, by host.
#[derive(Debug, Default)]
pub(crate) struct Routers<'a>(BTreeMap<&'a str, &'a Object<MetaRouterSpec>>);

impl<'a> Routers<'a> {
    pub(crate) fn of(
        objects: &'a Objects,
        services: &Services<'a>,
        options: &Options,
        report: &mut Report,
    ) -> Self {
        let mut all: BTreeMap<&'a str, &'a Object<MetaRouterSpec>> = BTreeMap::new();
        for object in &objects.routers {
            let hosts = FieldPath::spec().field("hosts");
            let [host] = object.spec.hosts.as_slice() else {
                let message = format!("must hold exactly one host, not {}", object.spec.hosts.len());
                report.error(object, &hosts, message);
                continue;
            };
            let is_supported = is_supported(object, report);
            let Some(service) = services.find(host, &object.key.namespace) else {
                let message =
                    format!("{}; these routes serve nothing", services.why_not(host, &object.key.namespace));
                report.warning(object, &hosts.index(0), message);
                continue;
            };
            if !may_route(object, service, options) {
                let message = format!(
                    "a MetaRouter of namespace {} may not route host {host}, which {} defines; move it to namespace {} or \
                     {}, or allow this with --allow-cross-namespace",
                    object.key.namespace,
                    service.object.key,
                    service.object.key.namespace,
                    options.root_namespace
                );
                report.error(object, &hosts.index(0), message);
                continue;
            }
            if !is_supported {
                continue;
            }
            if let Some(winner) = all.get(service.host) {
                let message =
                    format!("host {host} is routed by {} already, which is older", winner.describe());
                report.error(object, &hosts.index(0), message);
                continue;
            }
            all.insert(service.host, object);
        }
        Self(all)
    }

    /// The MetaRouter that serves a host.
    pub(crate) fn get(&self, host: &str) -> Option<&'a Object<MetaRouterSpec>> {
        self.0.get(host).copied()
    }

    /// Options of a protocol's codec for connections from clients of a host.
    pub(crate) fn downstream_options(&self, host: &str, base: &FreeForm) -> FreeForm {
        let own = self.get(host).and_then(|router| router.spec.options.as_ref()?.downstream.as_ref());
        above(base, own)
    }

    /// Options of a protocol's codec for connections to endpoints of a host.
    pub(crate) fn upstream_options(&self, host: &str, base: &FreeForm) -> FreeForm {
        let own = self.get(host).and_then(|router| router.spec.options.as_ref()?.upstream.as_ref());
        above(base, own)
    }
}

fn above(base: &FreeForm, own: Option<&FreeForm>) -> FreeForm {
    let mut options = base.clone();
    for (name, value) in own.into_iter().flatten() {
        options.insert(name.clone(), value.clone());
    }
    options
}

fn may_route(object: &Object<MetaRouterSpec>, service: &Service<'_>, options: &Options) -> bool {
    let namespace = &object.key.namespace;
    options.allow_cross_namespace || namespace == service.namespace() || *namespace == options.root_namespace
}

fn is_supported(object: &Object<MetaRouterSpec>, report: &mut Report) -> bool {
    let spec = &object.spec;
    let exports = spec.export_to.iter().map(String::as_str).collect::<Vec<_>>();
    let unsupported = [
        (
            "gateways",
            !spec.gateways.is_empty(),
            "not supported yet; remove it to serve these routes to other clients",
        ),
        ("localRateLimit", spec.local_rate_limit.is_some(), "not supported yet"),
        ("globalRateLimit", spec.global_rate_limit.is_some(), "not supported yet"),
        (
            "exportTo",
            !matches!(exports[..], [] | ["*" | "."]),
            "not supported yet, unless it is [\"*\"] or [\".\"]",
        ),
    ];
    let mut is_supported = true;
    for (field, _, message) in unsupported.into_iter().filter(|(_, is_set, _)| *is_set) {
        is_supported = false;
        report.error(object, &FieldPath::spec().field(field), message);
    }
    is_supported
}
