//! The spine: what happens to a request, and what happens to its response, each straight down.
//!
//! Both are synchronous. A request leaves [`request`] encoded for an endpoint, waiting for a connection, or answered;
//! its end comes back to [`response`], from whichever task finds it.

mod limit;
mod pinned;
mod retry;
mod split;
mod spread;
mod why;

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use codec_api::{Affinity, Attribute, Found, Key, Kind, Message, Raw, Span, Spread};

use crate::error::Failure;
use crate::exchange::{Client, End, Exchange, Labels, Record};
use crate::route::{Attributes, Table};
use crate::snapshot::{ListenerView, MirrorView, RouteView, SeriesByMethod, ServiceView, Targets, Traced};
use crate::telemetry::TraceId;
use crate::upstream::{Cluster, Place};

/// What a request that says itself how long it may take gets beyond that, for the way.
const OWN_TIME_GRACE: Duration = Duration::from_secs(1);

/// What a request asks of the proxy, and who asks.
pub struct Asked<'a> {
    /// The listener that it came to.
    pub listener: &'a ListenerView,
    /// Who sent it.
    pub client: &'a Rc<Client>,
    /// What its codec says of it.
    pub message: &'a Message,
    /// Its bytes.
    pub bytes: Raw<'a>,
    /// The trace that it belongs to, once it has been looked for.
    trace: Cell<Option<TraceId>>,
}

/// Serves one request, which has been received whole.
pub fn request(asked: &Asked<'_>) {
    let properties = asked.listener.properties();
    let service_name = asked.head(properties.service);
    let service = asked.listener.service_of(service_name.as_deref());
    let method = asked.head(properties.operation);
    let method = method.as_deref();
    if asked.message.kind == Kind::Own {
        return begin(asked, service, None, method).answer_own(asked.message, asked.bytes);
    }
    if asked.client.is_pinned() {
        return pinned::request(asked, service, method);
    }
    let route = match find_route(asked, service) {
        Ok(route) => route,
        Err(failure) => return turn_away(asked, service, method, failure),
    };
    let cluster = match choose_cluster(route, asked) {
        Ok(cluster) => cluster,
        Err((failure, reason)) => {
            return begin(asked, service, Some(route), method).end(End::Failed(failure, Some(&reason)));
        }
    };
    if let Some(mirror) = &route.mirror
        && asked.client.local().random(1_000_000) < mirror.millionths
    {
        copy(asked, route, mirror);
    }
    let mut exchange = begin(asked, service, Some(route), method);
    if route.edits.is_some() {
        exchange.edit(&route.edits);
    }
    exchange.choose(cluster.name());
    if let Some(retries) = &route.retries {
        retry::prepare(asked, service, retries, cluster, &mut exchange);
    }
    dispatch(asked, cluster, exchange);
}

/// Sends a request to where its cluster and its keys lead.
#[inline]
fn dispatch(asked: &Asked<'_>, cluster: &Rc<Cluster>, exchange: Exchange) {
    let Message { flow, .. } = asked.message;
    if flow.spread == Spread::One && flow.affinity != Affinity::LastWrite && !cluster.hashes() {
        return cluster.dispatch(exchange, asked.message, asked.bytes, Place::Any);
    }
    spread::dispatch(asked, cluster, exchange);
}

/// Ends an exchange: hands the endpoint's response to the client, or tells it why there is none.
pub fn response(exchange: Exchange, end: End<'_>) {
    match end {
        End::Response { message, bytes } => exchange.respond(message, bytes),
        End::Sent => exchange.sent(),
        End::Failed(failure, text) => exchange.fail(failure, text),
    }
}

/// Refuses a message that its codec could not decode but by its head.
pub fn refuse(listener: &ListenerView, client: &Rc<Client>, rejected: &codec_api::Rejected) {
    let Some(head) = rejected.answer else { return };
    let mut message = Message::new(codec_api::Kind::Request, 0);
    (message.id, message.context) = (head.id, head.context);
    let asked = Asked::new(listener, client, &message, Raw::Slice(&[]));
    let exchange = begin(&asked, listener.service_of(None), None, None);
    exchange.end(End::Failed(Failure::Refused(rejected.cause), Some(&rejected.text)));
}

/// Ends a request that goes nowhere.
#[cold]
fn turn_away(asked: &Asked<'_>, service: &ServiceView, method: Option<&[u8]>, failure: Failure) {
    let exchange = begin(asked, service, None, method);
    match failure {
        Failure::RateLimited => exchange.end(End::Failed(failure, None)),
        _ => exchange.end(End::Failed(failure, Some(&why::unrouted(asked, service, failure)))),
    }
}

/// The route of a request that its service's limit lets pass.
#[inline]
fn find_route<'a>(asked: &Asked<'_>, service: &'a ServiceView) -> Result<&'a RouteView, Failure> {
    let Some(table) = &service.table else {
        return Err(if service.is_known { Failure::NoRouteConfiguration } else { Failure::NoRoute });
    };
    let traced = service.traced.as_ref();
    let index = match &service.buckets {
        Some(buckets) => limit::find(asked, table, (buckets, traced))?,
        None if asked.message.opaque.is_some() => table.find_unconditional(),
        None => look_up(asked, table, traced, |attributes| table.find(attributes)),
    };
    index.and_then(|index| service.routes.get(index)).ok_or(Failure::NoRoute)
}

fn choose_cluster<'a>(
    route: &'a RouteView,
    asked: &Asked<'_>,
) -> Result<&'a Rc<Cluster>, (Failure, Cow<'a, str>)> {
    let chosen = match &route.targets {
        Targets::Misconfigured(reason) => return Err((Failure::Misconfigured, Cow::Borrowed(reason))),
        Targets::One(cluster) => cluster,
        Targets::Weighted(clusters) => split::choose(clusters, asked),
    };
    let unknown = |name| (Failure::NoCluster, Cow::Owned(format!("{}: {name}", Failure::NoCluster.text())));
    chosen.as_ref().map_err(unknown)
}

/// Sends a copy. It never delays or fails the request that it copies. What needs a connection of its own makes no sense
/// among others' copies and is left out.
fn copy(asked: &Asked<'_>, route: &RouteView, mirror: &MirrorView) {
    let Message { flow, .. } = asked.message;
    if mirror.writes_only && !flow.writes {
        return;
    }
    let local = asked.client.local();
    if flow.affinity != Affinity::Free {
        return local.series().unmirrored.inc();
    }
    local.series().mirrored.inc();
    let record = Record::new(local, None, None);
    let mut exchange =
        Exchange::copy_of(asked.client, asked.message, time_of(asked, route.timeout), end_copy, record);
    exchange.edit(&route.edits);
    dispatch(asked, &mirror.cluster, exchange);
}

fn end_copy(exchange: Exchange, end: End<'_>) {
    match end {
        End::Response { message, .. } => exchange.discard(message),
        End::Sent => exchange.sent(),
        End::Failed(failure, _) => {
            exchange.local().series().mirror_failures.inc();
            exchange.fail(failure, None);
        }
    }
}

fn begin(
    asked: &Asked<'_>,
    service: &ServiceView,
    route: Option<&RouteView>,
    method: Option<&[u8]>,
) -> Exchange {
    let local = asked.client.local();
    let series: &SeriesByMethod = route.map_or(&service.unmatched, |route| &route.series);
    let log = local.telemetry().access_log().map(|_| {
        Box::new(Labels {
            listener: service.listener.clone(),
            client: asked.client.address(),
            service: service.host.clone(),
            method: String::from_utf8_lossy(method.unwrap_or(b"-")).into_owned(),
            route: route.map_or_else(|| "-".into(), |route| route.name.clone()),
            cluster: None,
            endpoint: None,
            tries: 0,
            request_bytes: asked.message.len,
            response_bytes: 0,
            trace: asked.trace.get(),
            detail: Box::default(),
        })
    });
    let record = Record::new(local, Some(series.get(method, local)), log);
    let timeout = route.map_or(asked.listener.properties().request_timeout, |route| route.timeout);
    Exchange::new(asked.client, asked.message, time_of(asked, timeout), response, record)
}

/// How long a request may take: what it says itself and a little more, else as its route says.
#[inline]
fn time_of(asked: &Asked<'_>, timeout: Duration) -> Duration {
    match asked.message.flow.time {
        None => timeout,
        Some(deadline) if asked.message.flow.is_deadline => match timeout {
            Duration::ZERO => deadline,
            timeout => timeout.min(deadline),
        },
        Some(Duration::ZERO) => Duration::ZERO,
        Some(time) => time.saturating_add(OWN_TIME_GRACE),
    }
}

impl<'a> Asked<'a> {
    /// This message of `client`.
    #[inline]
    pub fn new(
        listener: &'a ListenerView,
        client: &'a Rc<Client>,
        message: &'a Message,
        bytes: Raw<'a>,
    ) -> Self {
        Self { listener, client, message, bytes, trace: Cell::new(None) }
    }

    /// The field of the head at this place.
    #[inline]
    fn head(&self, place: Option<usize>) -> Option<Cow<'_, [u8]>> {
        let place = place?;
        let span = *self.message.head.get(place)?;
        match span.of(self.bytes.as_slice()) {
            Some(value) => Some(Cow::Borrowed(value)),
            None => self.far_head(place, span),
        }
    }

    /// A field of the head that does not stand in the message as it is.
    #[inline(never)]
    fn far_head(&self, place: usize, span: Span) -> Option<Cow<'_, [u8]>> {
        if span.is_none() {
            return None;
        }
        if let Some(word) = self.listener.word(span) {
            return Some(Cow::Borrowed(word));
        }
        let properties = self.listener.properties();
        self.late(&Attribute::new(properties, properties.head.get(place)?)).map(Cow::Owned)
    }

    /// An attribute.
    fn value(&self, attribute: &Attribute) -> Option<Cow<'_, [u8]>> {
        match attribute.key() {
            Key::Head(place) => self.head(Some(place)),
            Key::Late => self.late(attribute).map(Cow::Owned),
            Key::Source => Some(Cow::Borrowed(self.client.source().as_bytes())),
        }
    }

    /// An attribute that its codec has to look for.
    fn late(&self, attribute: &Attribute) -> Option<Vec<u8>> {
        let mut found = Found::default();
        let (message, bytes) = (self.message, self.bytes.as_slice());
        self.client.attributes(message, bytes, std::slice::from_ref(attribute), &mut found);
        found.get(0, attribute, message, bytes).map(<[u8]>::to_vec)
    }
}

/// Lets a table see the attributes of one request. Takes note of its trace in the same look, if that is `traced`.
#[inline]
fn look_up<T>(
    asked: &Asked<'_>,
    table: &Table,
    traced: Option<&Traced>,
    look: impl FnOnce(&mut Lookup<'_>) -> T,
) -> T {
    let local = asked.client.local();
    let found = local.take_found();
    let wanted = traced.map_or(table.wanted(), |traced| &traced.wanted);
    let mut lookup = Lookup { asked, wanted, found, has_walked: false };
    let seen = look(&mut lookup);
    if let Some(traced) = traced {
        asked.trace.set(lookup.trace(traced));
    }
    local.return_found(lookup.found);
    seen
}

/// The attributes of one request. Late ones are looked for when the first of them is asked for.
struct Lookup<'a> {
    asked: &'a Asked<'a>,
    wanted: &'a [Attribute],
    found: Found,
    has_walked: bool,
}

impl Lookup<'_> {
    /// The trace that the request belongs to. Where nothing else has made the codec look for late attributes, it does so
    /// now, unless that might cost much more than the log line.
    #[inline(never)]
    fn trace(&mut self, traced: &Traced) -> Option<TraceId> {
        let Asked { client, message, bytes, .. } = self.asked;
        let bytes = bytes.as_slice();
        let names = &traced.wanted[traced.from..];
        let from = if self.has_walked { traced.from } else { 0 };
        if !self.has_walked {
            if message.len > traced.limit {
                return None;
            }
            client.attributes(message, bytes, names, &mut self.found);
        }
        let read = |(place, name): (usize, &Attribute)| {
            TraceId::read(place, self.found.get(from + place, name, message, bytes)?)
        };
        names.iter().enumerate().find_map(read)
    }
}

impl Attributes for Lookup<'_> {
    #[inline]
    fn get(&mut self, index: usize, attribute: &Attribute) -> Option<&[u8]> {
        let Asked { client, message, bytes, listener, .. } = self.asked;
        match attribute.key() {
            Key::Head(place) => {
                if let Some(word) = message.head.get(place).and_then(|span| listener.word(*span)) {
                    return Some(word);
                }
            }
            Key::Late => {}
            Key::Source => return Some(client.source().as_bytes()),
        }
        if attribute.is_late(message) && !self.has_walked {
            self.has_walked = true;
            client.attributes(message, bytes.as_slice(), self.wanted, &mut self.found);
        }
        self.found.get(index, attribute, message, bytes.as_slice())
    }
}
