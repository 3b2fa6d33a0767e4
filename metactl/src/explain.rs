//! `metactl explain`: which routes a request would be tried against, and where it would go.
//!
//! The tables and conditions are the data path's own, made by the same conversion.

use std::fmt::Write;
use std::process::ExitCode;

use codec_api::Attribute;
use meta_proxy::model::{
    Discovery, DownstreamTls, LoadBalancing, RateLimit, Retries, Roots, Route, RouteAction, Service,
    SubjectName, TokenBucket, Trust, UpstreamTls,
};
use meta_proxy::route::{Attributes, Explanation};
use meta_proxy::xds::{Codecs, Entry, Listener, State};

use crate::cli::Explain;
use crate::validate::check;

/// Prints the explanation; exit code 1 if no route matches.
pub fn explain(explain: &Explain, codecs: &Codecs) -> Result<ExitCode, String> {
    let checked = check(&explain.objects, codecs)?;
    for diagnostic in &checked.loaded.diagnostics {
        eprintln!("{diagnostic}");
    }
    for refusal in &checked.refusals {
        eprintln!("{refusal}");
    }
    let (text, is_matched) = explanation(&checked.state, explain)?;
    print!("{text}");
    Ok(if is_matched { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn explanation(state: &State, explain: &Explain) -> Result<(String, bool), String> {
    let (listener, service) = find_service(state, explain)?;
    let model = &listener.value.model;
    let mut text = String::new();
    let _ = writeln!(text, "listener  {} ({}) from {}", model.name, model.protocol, origin(listener, 0));
    if let Some(tls) = &model.tls {
        let _ = writeln!(text, "tls       {}", downstream_tls(tls));
    }
    let (Some(routes), Some(table)) = (state.routes_of(service), state.table_of(&listener.value, service))
    else {
        let _ = writeln!(text, "routes    {}: missing or refused", service.routes);
        return Ok((text, false));
    };
    if let Some(limit) = &routes.value.model.rate_limit {
        describe_limit(limit, &table.explain_limit(&mut Given(&explain.attributes)), &mut text);
    }
    let _ = writeln!(text, "routes    {}", service.routes);
    let explained = table.explain(&mut Given(&explain.attributes));
    for line in explained.to_string().lines() {
        let _ = writeln!(text, "          {line}");
    }
    let Some(index) = explained.chosen else { return Ok((text, false)) };
    let route = &routes.value.model.routes[index];
    let _ = writeln!(text, "route     {:?} from {}", route.name, origin(routes, index));
    describe(state, route, &mut text);
    Ok((text, true))
}

fn find_service<'a>(
    state: &'a State,
    explain: &Explain,
) -> Result<(&'a Entry<Listener>, &'a Service), String> {
    let services = || {
        let of = |listener: &'a Entry<Listener>| {
            listener.value.model.services.iter().map(move |one| (listener, one))
        };
        state.listeners().flat_map(of)
    };
    let port = |listener: &Entry<Listener>| listener.value.model.address.port();
    let is_asked = |(listener, service): &(&Entry<Listener>, &Service)| {
        service.host == explain.host && explain.port.is_none_or(|wanted| wanted == port(listener))
    };
    let mut found = services().filter(is_asked);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(format!("{} has several ports; choose one with --port", explain.host)),
        (None, _) => {
            let known: Vec<_> = services()
                .map(|(listener, service)| format!("{}:{}", service.host, port(listener)))
                .collect();
            Err(format!("no service {}; there are: {}", explain.host, known.join(", ")))
        }
    }
}

/// Which bucket the request takes its token from, and why.
fn describe_limit(limit: &RateLimit, explained: &Explanation, text: &mut String) {
    let mut label = "limit    ";
    for tried in &explained.tried {
        let _ = match &tried.failed {
            Some(failed) => writeln!(text, "{label} conditions[{}]: {failed}", tried.route),
            None => writeln!(text, "{label} conditions[{}]: matches", tried.route),
        };
        label = "         ";
    }
    let bucket = match explained.chosen {
        Some(index) => limit.conditions.get(index).map(|condition| condition.bucket),
        None => limit.default,
    };
    let _ = match bucket {
        Some(TokenBucket { max_tokens, tokens_per_fill, fill_interval }) => writeln!(
            text,
            "{label} {} of {max_tokens} tokens, {tokens_per_fill} more every {fill_interval:?}",
            if explained.chosen.is_some() { "its bucket" } else { "the default bucket" },
        ),
        None => writeln!(text, "{label} none: there is no default bucket"),
    };
}

fn origin<T>(entry: &Entry<T>, index: usize) -> String {
    let origin = entry.origins.get(index).or_else(|| entry.origins.first());
    origin.map_or_else(|| "nowhere".to_owned(), ToString::to_string)
}

fn describe(state: &State, route: &Route, text: &mut String) {
    let targets = match &route.action {
        RouteAction::Misconfigured(reason) => {
            let _ = writeln!(text, "reply     the route is misconfigured: {reason}");
            return;
        }
        RouteAction::Clusters(targets) => targets,
    };
    for target in targets {
        let share = if targets.len() > 1 { format!(" ({} %)", target.weight) } else { String::new() };
        describe_cluster(state, "cluster  ", &target.name, &share, text);
    }
    if let Some(mirror) = &route.mirror {
        let what = if mirror.writes_only { " of what changes data" } else { "" };
        let share = format!(" ({} %{what})", f64::from(mirror.millionths) / 10_000.0);
        describe_cluster(state, "mirror   ", &mirror.cluster, &share, text);
    }
    let _ = match route.timeout {
        Some(timeout) if timeout.is_zero() => writeln!(text, "timeout   none"),
        Some(timeout) => writeln!(text, "timeout   {timeout:?}"),
        None => writeln!(text, "timeout   the protocol's default"),
    };
    if let Some(retries) = &route.retries {
        describe_retries(retries, text);
    }
}

fn describe_retries(retries: &Retries, text: &mut String) {
    let each = retries.per_try_timeout.map(|time| format!(", {time:?} for each")).unwrap_or_default();
    let _ = writeln!(
        text,
        "retries   {} after the first try{each}, of requests that are idempotent:",
        retries.attempts
    );
    for requests in &retries.idempotent {
        let all: Vec<_> = requests.iter().map(ToString::to_string).collect();
        let _ =
            writeln!(text, "          {}", if all.is_empty() { "any".to_owned() } else { all.join(" and ") });
    }
}

fn describe_cluster(state: &State, what: &str, name: &str, share: &str, text: &mut String) {
    let _ = write!(text, "{what} {name}{share}");
    let subset = xds::names::parse_cluster(name).map(|name| name.subset).filter(|subset| !subset.is_empty());
    let _ = writeln!(text, "{}", subset.map(|subset| format!(", subset {subset}")).unwrap_or_default());
    let Some(cluster) = state.clusters().find(|entry| entry.value.model.name == name) else {
        let _ = writeln!(text, "          not known");
        return;
    };
    if let Some(words) = hashed(&cluster.value.model.balancing) {
        let _ = writeln!(text, "          {words}");
    }
    if let Some(words) = cluster.value.model.tls.as_ref().map(upstream_tls) {
        let _ = writeln!(text, "          {words}");
    }
    if let Discovery::Dns(names) = &cluster.value.model.discovery {
        for name in names {
            let _ = writeln!(text, "          DNS {name}");
        }
        return;
    }
    let endpoints = state.endpoints_of(&cluster.value.model);
    let all = endpoints.map(|entry| entry.value.endpoints.as_slice()).unwrap_or_default();
    if all.is_empty() {
        let _ = writeln!(text, "          no endpoints");
    }
    for endpoint in all {
        let _ = writeln!(text, "          {}", endpoint.address);
    }
}

/// How connections to endpoints are encrypted.
fn upstream_tls(tls: &UpstreamTls) -> String {
    let trust = match &tls.trust {
        Trust::Anyone => "whoever answers is believed".to_owned(),
        Trust::Signed { roots, names } => {
            let names: Vec<_> = names.iter().map(SubjectName::text).collect();
            let roots = match roots {
                Roots::File(file) => file.display().to_string(),
                Roots::System => "the system's roots".to_owned(),
            };
            format!("checked for {} by {roots}", names.join(" or "))
        }
    };
    let sni = tls.sni.as_ref().map(|sni| format!(", SNI {sni}")).unwrap_or_default();
    let mode = match &tls.identity {
        None => "SIMPLE".to_owned(),
        Some(identity) => format!("MUTUAL with {}", identity.certificate.display()),
    };
    format!("TLS {mode}{sni}, {trust}")
}

/// How connections from clients are encrypted.
fn downstream_tls(tls: &DownstreamTls) -> String {
    let certificate = tls.identity.certificate.display();
    match &tls.clients {
        None => format!("SIMPLE with {certificate}"),
        Some(clients) => format!("MUTUAL with {certificate}, clients checked by {}", clients.display()),
    }
}

/// What decides between the endpoints, if it is something of the request.
fn hashed(balancing: &LoadBalancing) -> Option<String> {
    match balancing {
        LoadBalancing::LeastRequest | LoadBalancing::RoundRobin => None,
        LoadBalancing::RingHash { attribute, .. } => Some(format!("hashed by {attribute} (ring)")),
        LoadBalancing::Maglev { attribute, .. } => Some(format!("hashed by {attribute} (Maglev)")),
    }
}

/// The attributes that the user gave.
struct Given<'a>(&'a [(String, String)]);

impl Attributes for Given<'_> {
    fn get(&mut self, _: usize, attribute: &Attribute) -> Option<&[u8]> {
        let exact = self.0.iter().find(|(name, _)| name == attribute.name());
        let found =
            exact.or_else(|| self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute.name())));
        found.map(|(_, value)| value.as_bytes())
    }
}
