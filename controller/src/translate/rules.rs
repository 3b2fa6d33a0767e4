//! `DestinationRule`s: which one applies to a host, its subsets, and the settings of its clusters.
//!
//! The rule of the proxies' own namespace comes first, then that of the service's; within a namespace an exact host
//! comes before a wildcard, and a longer wildcard before a shorter one. A subset's policy overrides its rule's, field by
//! field, but for what makes sense together only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crds::istio::{DestinationRuleSpec, Labels, TrafficPolicy};

use super::model::{Balancing, ClientTls, ClusterId, Outliers, Settings};
use super::report::Report;
use super::services::{Service, Services};
use super::{Options, balancing, duration, health, tls};
use crate::object::{Key, Kind, Object, Objects};
use crate::status::Reason;
use crate::tree::FieldPath;

/// What applies to a host.
#[derive(Debug)]
pub(crate) struct Rule<'a> {
    pub(crate) object: &'a Object<DestinationRuleSpec>,
    pub(crate) settings: Settings,
    pub(crate) subsets: BTreeMap<&'a str, Subset<'a>>,
}

/// A named part of a host.
#[derive(Debug)]
pub(crate) struct Subset<'a> {
    pub(crate) labels: &'a Labels,
    pub(crate) settings: Settings,
    /// Where it stands in its rule.
    pub(crate) path: FieldPath,
}

impl Rule<'_> {
    /// Those of a subset; of the whole where there is none of this name.
    pub(crate) fn settings_of(&self, subset: &str) -> &Settings {
        self.subsets.get(subset).map_or(&self.settings, |subset| &subset.settings)
    }
}

impl Subset<'_> {
    pub(crate) fn selects(&self, labels: &Labels) -> bool {
        self.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
    }
}

/// The rules that apply, by host.
#[derive(Debug, Default)]
pub(crate) struct Rules<'a> {
    by_host: BTreeMap<&'a str, Rule<'a>>,
    /// Rules that cannot be read and ask for encryption, by the host that they would apply to.
    unread: BTreeMap<&'a str, &'a Key>,
}

impl<'a> Rules<'a> {
    pub(crate) fn of(
        objects: &'a Objects,
        services: &Services<'a>,
        options: &Options,
        report: &mut Report,
    ) -> Self {
        let mut rules = Self::default();
        let mut applied: BTreeSet<&Key> = BTreeSet::new();
        let mut misplaced = Vec::new();
        for service in services.iter() {
            let namespaces = [options.own_namespace.as_deref(), Some(service.namespace())];
            let found =
                namespaces.into_iter().flatten().find_map(|namespace| best(objects, service, namespace));
            if let Some((object, others)) = &found {
                for other in others {
                    let message = format!("{} is for the same host and older; merge them", object.describe());
                    report.error(other, &FieldPath::spec().field("host"), Reason::Conflicted.says(message));
                }
                applied.insert(&object.key);
                rules.by_host.insert(service.host, rule(object, report));
            }
            let fit_of = |key: &Key, pattern: &str| {
                let is_theirs = namespaces.into_iter().flatten().any(|namespace| namespace == key.namespace);
                fit(pattern, &key.namespace, service.host).filter(|_| is_theirs)
            };
            let of_read = found.and_then(|(object, _)| fit_of(&object.key, &object.spec.host));
            let unread = objects.unread.iter().filter(|unread| unread.key.kind == Kind::DestinationRule);
            let fitting = unread.filter_map(|unread| Some((fit_of(&unread.key, &unread.host)?, &unread.key)));
            if let Some((fit, key)) = fitting.max()
                && of_read.is_none_or(|of_read| of_read <= fit)
            {
                rules.unread.insert(service.host, key);
            }
            misplaced.extend(elsewhere(objects, service, options));
        }
        for (object, service) in misplaced {
            let message = format!(
                "has no effect: {} is of namespace {}, and only rules of that namespace apply to it",
                service.object.key, service.object.key.namespace
            );
            report.warning(object, &FieldPath::root().field("metadata").field("namespace"), message);
        }
        rules
    }

    /// Why nothing may be sent to a cluster, if that is so.
    pub(crate) fn refusal(&self, id: &ClusterId) -> Option<String> {
        if let Some(key) = self.unread.get(&*id.host) {
            return Some(format!("{key} asks for encryption and cannot be read"));
        }
        let rule = self.get(&id.host)?;
        match &rule.settings_of(&id.subset).tls {
            ClientTls::Refused(why) => Some(format!("{}: {why}", rule.object.key)),
            ClientTls::Plain | ClientTls::Secured { .. } => None,
        }
    }

    /// The rule that applies to a host.
    pub(crate) fn get(&self, host: &str) -> Option<&Rule<'a>> {
        self.by_host.get(host)
    }
}

/// How well a rule's host fits, the more the better; `None`: not at all.
fn fit(pattern: &str, namespace: &str, host: &str) -> Option<usize> {
    match pattern.strip_prefix('*') {
        Some(suffix) => (host.len() > suffix.len() && host.ends_with(suffix)).then_some(suffix.len()),
        None if pattern == host => Some(usize::MAX),
        None => (format!("{pattern}.{namespace}.svc.cluster.local") == host).then_some(usize::MAX),
    }
}

type RuleObject<'a> = &'a Object<DestinationRuleSpec>;

/// The rule of a namespace that applies to a service, and those that would apply as well if they were older.
fn best<'a>(
    objects: &'a Objects,
    service: &Service<'_>,
    namespace: &str,
) -> Option<(RuleObject<'a>, Vec<RuleObject<'a>>)> {
    let fitting = objects.rules.iter().filter(|rule| rule.key.namespace == namespace);
    let mut fitting: Vec<(usize, RuleObject<'a>)> =
        fitting.filter_map(|rule| Some((fit(&rule.spec.host, namespace, service.host)?, &**rule))).collect();
    let longest = fitting.iter().map(|(fit, _)| *fit).max()?;
    fitting.retain(|(fit, _)| *fit == longest);
    let mut rules = fitting.into_iter().map(|(_, rule)| rule);
    Some((rules.next()?, rules.collect()))
}

/// Rules that name a host exactly and stand where they do not apply to it.
fn elsewhere<'a, 's>(
    objects: &'a Objects,
    service: &'s Service<'a>,
    options: &Options,
) -> Vec<(RuleObject<'a>, &'s Service<'a>)> {
    let applies = |rule: &RuleObject<'a>| {
        rule.key.namespace == service.namespace()
            || Some(&rule.key.namespace) == options.own_namespace.as_ref()
    };
    let rules = objects.rules.iter().map(|rule| &**rule);
    rules
        .filter(|rule| rule.spec.host == service.host && !applies(rule))
        .map(|rule| (rule, service))
        .collect()
}

fn rule<'a>(object: &'a Object<DestinationRuleSpec>, report: &mut Report) -> Rule<'a> {
    report.unserved(object);
    let path = FieldPath::spec().field("trafficPolicy");
    let whole = Policy::read(object, object.spec.traffic_policy.as_ref(), &path, report);
    let mut subsets = BTreeMap::new();
    for (i, subset) in object.spec.subsets.iter().enumerate() {
        let path = FieldPath::spec().field("subsets").index(i);
        if subset.name.is_empty() || subset.name.contains('|') {
            report.error(object, &path.field("name"), "must not be empty and must not contain `|`");
            continue;
        }
        if subsets.contains_key(subset.name.as_str()) {
            report.error(object, &path.field("name"), format!("subset {} stands here twice", subset.name));
            continue;
        }
        let own = Policy::read(object, subset.traffic_policy.as_ref(), &path.field("trafficPolicy"), report);
        let settings = own.or(whole.clone()).settings();
        subsets.insert(subset.name.as_str(), Subset { labels: &subset.labels, settings, path });
    }
    Rule { object, settings: whole.settings(), subsets }
}

/// What one `trafficPolicy` says; `None`: nothing.
#[derive(Debug, Clone, Default)]
struct Policy {
    balancing: Option<Balancing>,
    connect_timeout: Option<Duration>,
    /// Zero: never.
    idle_timeout: Option<Duration>,
    max_connections: Option<u32>,
    max_pending_requests: Option<u32>,
    max_requests: Option<u32>,
    max_retries: Option<u32>,
    outliers: Option<Outliers>,
    tls: Option<ClientTls>,
}

impl Policy {
    fn read(
        object: &Object<DestinationRuleSpec>,
        policy: Option<&TrafficPolicy>,
        path: &FieldPath,
        report: &mut Report,
    ) -> Self {
        let mut read = Self::default();
        let Some(policy) = policy else { return read };
        if let Some(balancer) = &policy.load_balancer {
            read.balancing = balancing::read(object, balancer, &path.field("loadBalancer"), report);
        }
        read.tls = policy.tls.as_ref().map(|tls| tls::client(object, tls, &path.field("tls"), report));
        let ports = policy.port_level_settings.iter().enumerate().filter(|(_, port)| port.tls.is_some());
        for (i, _) in ports {
            let path = path.field("portLevelSettings").index(i).field("tls");
            read.tls = Some(tls::of_one_port(object, &path, report));
        }
        let pool = path.field("connectionPool");
        if let Some(tcp) = policy.connection_pool.as_ref().and_then(|pool| pool.tcp.as_ref()) {
            let mut time = |field: &str, text: Option<&String>| {
                let result = duration::parse(text?);
                result.map_err(|message| report.error(object, &pool.field("tcp").field(field), message)).ok()
            };
            read.idle_timeout = time("idleTimeout", tcp.idle_timeout.as_ref());
            read.connect_timeout = time("connectTimeout", tcp.connect_timeout.as_ref());
            if read.connect_timeout == Some(Duration::ZERO) {
                read.connect_timeout = None;
                report.error(object, &pool.field("tcp").field("connectTimeout"), "must be more than 0s");
            }
            read.max_connections = tcp.max_connections.filter(|max| *max > 0);
        }
        if let Some(http) = policy.connection_pool.as_ref().and_then(|pool| pool.http.as_ref()) {
            // As with Istio, 0 is the same as nothing.
            read.max_pending_requests = http.max_pending_requests.filter(|max| *max > 0);
            read.max_requests = http.max_requests.filter(|max| *max > 0);
            read.max_retries = http.max_retries.filter(|max| *max > 0);
        }
        if let Some(detection) = &policy.outlier_detection {
            let path = path.field("outlierDetection");
            read.outliers = Some(health::outliers(object, detection, &path, report));
        }
        read
    }

    /// What this says, and where it says nothing, what the other does.
    fn or(self, other: Self) -> Self {
        Self {
            balancing: self.balancing.or(other.balancing),
            connect_timeout: self.connect_timeout.or(other.connect_timeout),
            idle_timeout: self.idle_timeout.or(other.idle_timeout),
            max_connections: self.max_connections.or(other.max_connections),
            max_pending_requests: self.max_pending_requests.or(other.max_pending_requests),
            max_requests: self.max_requests.or(other.max_requests),
            max_retries: self.max_retries.or(other.max_retries),
            outliers: match (self.outliers, other.outliers) {
                (Some(own), Some(other)) => Some(own.or(&other)),
                (own, other) => own.or(other),
            },
            // Its fields make sense together only.
            tls: self.tls.or(other.tls),
        }
    }

    fn settings(self) -> Settings {
        Settings {
            balancing: self.balancing.unwrap_or_default(),
            connect_timeout: self.connect_timeout,
            idle_timeout: self.idle_timeout.filter(|time| !time.is_zero()),
            max_connections: self.max_connections,
            max_pending_requests: self.max_pending_requests,
            max_requests: self.max_requests,
            max_retries: self.max_retries,
            outliers: self.outliers,
            tls: self.tls.unwrap_or_default(),
        }
    }
}

impl Outliers {
    /// What this says, and where it says nothing, what the other does.
    fn or(self, other: &Self) -> Self {
        Self {
            consecutive_errors: self.consecutive_errors.or(other.consecutive_errors),
            consecutive_gateway_errors: self.consecutive_gateway_errors.or(other.consecutive_gateway_errors),
            interval: self.interval.or(other.interval),
            base_ejection_time: self.base_ejection_time.or(other.base_ejection_time),
            max_ejection_percent: self.max_ejection_percent.or(other.max_ejection_percent),
            min_health_percent: self.min_health_percent.or(other.min_health_percent),
        }
    }
}
