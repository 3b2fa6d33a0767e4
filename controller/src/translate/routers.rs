//! Which `MetaRouter` serves a host: the oldest of those that may.
//!
//! A `MetaRouter` with something in it that is not supported yet, outside of its routes, or with a mistake in its rate
//! limit, serves nothing: half of what was asked for could be worse than none of it.

use std::collections::{BTreeMap, BTreeSet};

use crds::{CodecOptions, FreeForm, MetaRouterSpec};
use xds::Origin;

use super::exports::{Exports, Reach};
use super::model::{HealthCheck, RateLimit, ServerTls};
use super::report::Report;
use super::services::{Service, Services};
use super::{Options, health, limits, tls};
use crate::object::{Key, Kind, Object, Objects, Unread};
use crate::status::{Finding, Reason};
use crate::tree::FieldPath;

/// All `MetaRouter`s.
#[derive(Debug, Default)]
pub(crate) struct Routers<'a> {
    /// Those that serve, by host.
    serving: BTreeMap<&'a str, &'a Object<MetaRouterSpec>>,
    /// Of those, by host.
    rate_limits: BTreeMap<&'a str, RateLimit>,
    /// Whose clients see their routes, by host.
    exports: BTreeMap<&'a str, Exports>,
    /// The gateways that they name, by host.
    reach: BTreeMap<&'a str, Reach>,
    /// How the endpoints of their hosts are pinged.
    checks: BTreeMap<&'a str, HealthCheck>,
    /// The others, and the host that each is for, where that is served: their routes are read as well, so that all
    /// their mistakes are told at once.
    idle: Vec<(&'a Object<MetaRouterSpec>, Option<&'a str>)>,
    /// How connections from clients are encrypted, by host.
    tls: BTreeMap<&'a str, ServerTls>,
    /// Hosts whose `MetaRouter` asks for encryption and serves nothing: their clients must not be served without.
    closed: BTreeSet<&'a str>,
    /// Hosts whose `MetaRouter` limits requests and serves nothing, and what their clients are told: they must not be
    /// served without a limit.
    unlimited: BTreeMap<&'a str, String>,
}

impl<'a> Routers<'a> {
    pub(crate) fn of(
        objects: &'a Objects,
        services: &Services<'a>,
        options: &Options,
        report: &mut Report,
    ) -> Self {
        let mut all = Self::default();
        for object in &objects.routers {
            let place = FieldPath::spec().field("hosts");
            let rate_limit = limits::read(object, report);
            let checks = health::checks(object, report);
            let list = object.spec.export_to.iter().map(String::as_str);
            let exports =
                Exports::read(list, object, &|i| FieldPath::spec().field("exportTo").index(i), report);
            let gateways = FieldPath::spec().field("gateways");
            let reach = Reach::read(&object.spec.gateways, object, &gateways, report);
            let tls = object.spec.tls.as_ref().map(|tls| tls::server(object, tls, report));
            // All are looked at, so that all mistakes are told at once.
            let is_sound = is_supported(object, report) && rate_limit.is_ok() && !matches!(tls, Some(None));
            let is_unlimited = rate_limit.is_err() || object.spec.global_rate_limit.is_some();
            let [host] = object.spec.hosts.as_slice() else {
                let message = format!("must hold exactly one host, not {}", object.spec.hosts.len());
                report.error(object, &place, message);
                all.idle.push((object, None));
                continue;
            };
            let place = place.index(0);
            let Some(service) = services.find(host, &object.key.namespace) else {
                let why = services.why_not(host, &object.key.namespace);
                let text = format!("{}; these routes serve nothing", why.text);
                report.warning(object, &place, Finding { text, ..why });
                all.idle.push((object, None));
                continue;
            };
            let refusal = refusal(&object.key.namespace, service, options).or_else(|| {
                let winner = all.serving.get(service.host).filter(|_| is_sound)?;
                let message =
                    format!("host {host} is routed by {} already, which is older", winner.describe());
                Some(Reason::Conflicted.says(message))
            });
            if refusal.is_none() && is_sound {
                all.serving.insert(service.host, object);
                if exports.and(&service.exports).is_empty() {
                    let message = format!(
                        "nobody sees these routes: host {} is exported to {}, these are to {}",
                        service.host,
                        service.exports.describe(),
                        exports.describe()
                    );
                    report.warning(object, &FieldPath::spec().field("exportTo"), message);
                }
                all.exports.insert(service.host, exports);
                all.reach.extend(reach.map(|reach| (service.host, reach)));
                all.rate_limits.extend(rate_limit.ok().flatten().map(|limit| (service.host, limit)));
                all.checks.extend(checks.map(|checks| (service.host, checks)));
                all.unlimited.remove(service.host);
                if tls.is_some() {
                    all.closed.remove(service.host);
                }
                all.tls.extend(tls.flatten().map(|tls| (service.host, tls)));
            } else {
                if refusal.is_none() && !all.serving.contains_key(service.host) {
                    if tls.is_some() {
                        all.closed.insert(service.host);
                    }
                    if is_unlimited {
                        all.unlimited.insert(service.host, without_limit(&object.key));
                    }
                }
                all.idle.push((object, Some(service.host)));
            }
            if let Some(refusal) = refusal {
                report.error(object, &place, refusal);
            }
        }
        for unread in objects.unread.iter().filter(|unread| unread.key.kind == Kind::MetaRouter) {
            if let Some(service) = services.find(&unread.host, &unread.key.namespace)
                && refusal(&unread.key.namespace, service, options).is_none()
            {
                all.miss(unread, service.host);
            }
        }
        all
    }

    /// Takes note of what a host must not be served without.
    fn miss(&mut self, unread: &Unread, host: &'a str) {
        let winner = self.serving.get(host);
        if unread.is_encrypted
            && !self.tls.contains_key(host)
            && winner.is_none_or(|winner| winner.age() > unread.age())
        {
            self.closed.insert(host);
        }
        if unread.is_limited && winner.is_none() {
            self.unlimited.insert(host, without_limit(&unread.key));
        }
    }

    /// Those that serve nothing, and the host that each is for, where that is served.
    pub(crate) fn idle(&self) -> impl Iterator<Item = (&'a Object<MetaRouterSpec>, Option<&'a str>)> {
        self.idle.iter().copied()
    }

    /// The `MetaRouter` that serves a host.
    pub(crate) fn get(&self, host: &str) -> Option<&'a Object<MetaRouterSpec>> {
        self.serving.get(host).copied()
    }

    /// Whose clients see the routes of a service that its `MetaRouter` makes; those of the service where it has none.
    pub(crate) fn exports(&self, service: &Service<'_>) -> Exports {
        self.exports
            .get(service.host)
            .map_or_else(|| service.exports.clone(), |own| own.and(&service.exports))
    }

    /// Where the options stand that the `MetaRouter` of a host has, if it has such.
    pub(crate) fn origin_of_options(
        &self,
        host: &str,
        has: impl Fn(&CodecOptions) -> bool,
    ) -> Option<Origin> {
        let router = self.get(host)?;
        router.spec.options.as_ref().filter(|options| has(options))?;
        Some(router.origin(&FieldPath::spec().field("options")))
    }

    /// How many requests of each of a host's ports may pass; `None`: all.
    pub(crate) fn rate_limit(&self, host: &str) -> Option<&RateLimit> {
        self.rate_limits.get(host)
    }

    /// How the endpoints of a host are pinged.
    pub(crate) fn health_check(&self, host: &str) -> Option<&HealthCheck> {
        self.checks.get(host)
    }

    /// Which gateways serve a host; `None`: none, and all others do.
    pub(crate) fn reach(&self, host: &str) -> Option<&Reach> {
        self.reach.get(host)
    }

    /// How connections from clients of a host are encrypted; `None`: not at all.
    pub(crate) fn tls(&self, host: &str) -> Option<&ServerTls> {
        self.tls.get(host)
    }

    /// Whether clients of a host must not be served, since what they are to be served by cannot be had.
    pub(crate) fn is_closed(&self, host: &str) -> bool {
        self.closed.contains(host)
    }

    /// Why requests for a host must not be served by default, if that is so.
    pub(crate) fn why_unlimited(&self, host: &str) -> Option<&str> {
        self.unlimited.get(host).map(String::as_str)
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

/// What clients are told of a `MetaRouter` without which they must not be served.
fn without_limit(key: &Key) -> String {
    format!("{key} has a rate limit that cannot be kept")
}

/// Why a `MetaRouter` of namespace `own` may not route a service.
fn refusal(own: &str, service: &Service<'_>, options: &Options) -> Option<Finding> {
    let root = &options.root_namespace;
    if options.allow_cross_namespace || own == service.namespace() || own == root {
        return None;
    }
    Some(Reason::NotPermitted.says(format!(
        "a MetaRouter of namespace {own} may not route host {}, which {} defines; move it to namespace {} or {root}, or \
         allow this with --allow-cross-namespace",
        service.host,
        service.object.key,
        service.namespace()
    )))
}

fn is_supported(object: &Object<MetaRouterSpec>, report: &mut Report) -> bool {
    let spec = &object.spec;
    let unsupported = [("globalRateLimit", spec.global_rate_limit.is_some(), "not supported yet")];
    let mut is_supported = true;
    for (field, _, message) in unsupported.into_iter().filter(|(_, is_set, _)| *is_set) {
        is_supported = false;
        report.error(object, &FieldPath::spec().field(field), Reason::Unsupported.says(message));
    }
    is_supported
}
