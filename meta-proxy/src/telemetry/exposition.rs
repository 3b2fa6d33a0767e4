//! All series in the text format that Prometheus scrapes.
//!
//! Names and labels are frozen in docs/metrics.md.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::registry::Telemetry;
use super::series::{
    BUCKETS_MS, Counter, EndpointSeries, ListenerSeries, Outcome, RequestSeries, WorkerSeries,
};
use codec_api::Status;
use std::sync::{Arc, PoisonError};

type Read<S> = fn(&S) -> &Counter;

/// What is told of a cluster whose endpoints are judged: its name, whether there is panic, and each endpoint.
pub type Judged = (String, bool, Vec<JudgedEndpoint>);

/// How one endpoint stands with the process.
#[derive(Debug)]
pub struct JudgedEndpoint {
    /// Its address.
    pub endpoint: String,
    /// It gets no requests because some have failed.
    pub is_ejected: bool,
    /// It gets no requests because its pings fail.
    pub is_unhealthy: bool,
    /// How often it was ejected.
    pub ejections: u64,
    /// How often it would have been, had not too many others been.
    pub spared: u64,
    /// Pings that were answered, and those that were not.
    pub pings: [u64; 2],
}

/// Counters and gauges of such an endpoint: name, help, whether it only grows, how much.
type OfJudged = (&'static str, &'static str, bool, fn(&JudgedEndpoint) -> u64);

const JUDGED: &[OfJudged] = &[
    ("meta_proxy_upstream_ejected", "Whether it is ejected", false, |one| one.is_ejected.into()),
    ("meta_proxy_upstream_ejections", "Ejections", true, |one| one.ejections),
    ("meta_proxy_upstream_ejections_spared", "Ejections beyond the most that may be", true, |one| one.spared),
    ("meta_proxy_upstream_unhealthy", "Whether its pings fail", false, |one| one.is_unhealthy.into()),
    ("meta_proxy_upstream_pings_answered", "Health checks that were answered", true, |one| one.pings[0]),
    ("meta_proxy_upstream_pings_failed", "Health checks that failed", true, |one| one.pings[1]),
];

/// Counters and gauges of a listener: name, help, whether it only grows, which cell.
const LISTENER: &[(&str, &str, bool, Read<ListenerSeries>)] = &[
    ("meta_proxy_downstream_connections", "Connections accepted", true, |s| &s.accepted),
    ("meta_proxy_downstream_connections_active", "Connections open", false, |s| &s.active),
    ("meta_proxy_downstream_protocol_errors", "Connections ended by bytes of another protocol", true, |s| {
        &s.protocol_errors
    }),
    ("meta_proxy_downstream_stalled", "Connections ended because the client stalled", true, |s| &s.stalled),
    ("meta_proxy_downstream_idle", "Connections ended because they were idle", true, |s| &s.idle),
    ("meta_proxy_downstream_refused", "Connections refused by the listener's cap", true, |s| &s.refused),
    ("meta_proxy_downstream_tls_handshakes", "TLS handshakes completed", true, |s| &s.tls_handshakes),
    ("meta_proxy_downstream_tls_failures", "TLS handshakes failed", true, |s| &s.tls_failures),
    ("meta_proxy_downstream_received_bytes", "Bytes received", true, |s| &s.received),
    ("meta_proxy_downstream_sent_bytes", "Bytes sent", true, |s| &s.sent),
];

/// The same of an endpoint.
const ENDPOINT: &[(&str, &str, bool, Read<EndpointSeries>)] = &[
    ("meta_proxy_upstream_lost", "Requests lost with their connection", true, |s| &s.lost),
    ("meta_proxy_upstream_timeouts", "Requests without a response in time", true, |s| &s.timeouts),
    ("meta_proxy_upstream_active", "Requests that await their response", false, |s| &s.active),
    ("meta_proxy_upstream_connections_active", "Connections open", false, |s| &s.connections),
    ("meta_proxy_upstream_connections", "Connections made", true, |s| &s.connects),
    ("meta_proxy_upstream_connect_failures", "Connection attempts that failed", true, |s| {
        &s.connect_failures
    }),
    ("meta_proxy_upstream_tls_failures", "Connection attempts that failed in TLS", true, |s| &s.tls_failures),
    (
        "meta_proxy_upstream_reverse_requests",
        "Requests from an endpoint, answered with an error",
        true,
        |s| &s.reverse_requests,
    ),
    ("meta_proxy_upstream_late_responses", "Responses that nobody waited for any more", true, |s| &s.late),
];

/// The same of a worker.
const WORKER: &[(&str, &str, Read<WorkerSeries>)] = &[
    ("meta_proxy_mirrored", "Copies of requests sent", |s| &s.mirrored),
    (
        "meta_proxy_unmirrored_requests",
        "Requests not copied to a mirror, since they need a connection of their own",
        |s| &s.unmirrored,
    ),
    ("meta_proxy_mirror_failures", "Copies not sent or not answered", |s| &s.mirror_failures),
    ("meta_proxy_unedited_messages", "Messages without a place for what their route sets", |s| &s.unedited),
    ("meta_proxy_retries", "Further tries of requests that had been sent", |s| &s.retries),
    ("meta_proxy_retries_over_budget", "Requests not tried again, since too many others were", |s| {
        &s.retries_over_budget
    }),
];

/// What is known of the controllers of a proxy that has some.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Control {
    /// Whether there is a stream.
    pub is_connected: bool,
    /// Seconds since there was one.
    pub staleness: f64,
    /// Streams begun.
    pub streams: u64,
    /// Responses put in force.
    pub updates: u64,
    /// Resources refused.
    pub refused: u64,
}

impl Telemetry {
    /// Everything, in the text format of `OpenMetrics` 1.0. How endpoints stand is known elsewhere, and so is `control`, which
    /// is there if the proxy has controllers.
    pub fn exposition(
        self: &Arc<Self>,
        judged: Vec<Judged>,
        control: Option<Control>,
    ) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Exposition(self.clone(), judged, control)));
        let mut body = String::new();
        text::encode(&mut body, &registry)?;
        Ok(body)
    }
}

struct Exposition(Arc<Telemetry>, Vec<Judged>, Option<Control>);

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exposition")
    }
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.requests(&mut encoder)?;
        self.durations(&mut encoder)?;
        self.listeners(&mut encoder)?;
        self.responses(&mut encoder)?;
        self.endpoints(&mut encoder)?;
        self.judged(&mut encoder)?;
        self.workers(&mut encoder)?;
        self.tls(&mut encoder)?;
        self.2.map_or(Ok(()), |control| control.encode(&mut encoder))
    }
}

impl Control {
    fn encode(self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let figures = [
            ("meta_proxy_control_connected", "1: a controller is there", self.is_connected.into(), false),
            ("meta_proxy_control_streams", "Streams begun", self.streams, true),
            ("meta_proxy_control_updates", "Responses put in force", self.updates, true),
            ("meta_proxy_control_refused", "Resources refused", self.refused, true),
        ];
        for (name, help, value, grows) in figures {
            count_of(value, grows).encode(encoder.encode_descriptor(name, help, None, kind(grows))?)?;
        }
        let help = "Seconds since a controller was there";
        let name = "meta_proxy_control_staleness_seconds";
        let mut encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        encoder.encode_gauge(&self.staleness)
    }
}

fn sum<S>(series: &[Arc<S>], read: impl Fn(&S) -> u64) -> u64 {
    series.iter().fold(0, |total, one| total.wrapping_add(read(one)))
}

impl Exposition {
    fn requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family =
            encoder.encode_descriptor("istio_requests", "Requests by outcome", None, MetricType::Counter)?;
        for (key, series) in self.0.all_requests() {
            let counts = Outcome::all().flat_map(|outcome| {
                let plain = sum(&series, |one| one.count(outcome));
                let exhausted = sum(&series, |one| one.count_exhausted(outcome));
                let flags = outcome.flags_exhausted();
                [(outcome, outcome.flags().to_owned(), plain), (outcome, flags, exhausted)]
            });
            for (outcome, flags, count) in counts {
                if count == 0 {
                    continue;
                }
                let labels = [
                    ("reporter", "source"),
                    ("listener", &key.listener),
                    ("destination_service", &key.service),
                    ("route", &key.route),
                    ("method", &key.method),
                    ("request_protocol", &key.protocol),
                    ("response_code", outcome.status()),
                    ("response_flags", &flags),
                ];
                count_of(count, true).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn durations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let name = "istio_request_duration_milliseconds";
        let mut family =
            encoder.encode_descriptor(name, "Duration of requests", None, MetricType::Histogram)?;
        for (key, series) in self.0.all_requests() {
            let labels = [
                ("reporter", "source"),
                ("listener", &*key.listener),
                ("destination_service", &key.service),
                ("route", &key.route),
                ("method", &key.method),
                ("request_protocol", &key.protocol),
            ];
            let mut buckets = Vec::with_capacity(BUCKETS_MS.len() + 1);
            for (index, bound) in BUCKETS_MS.iter().copied().chain([f64::INFINITY]).enumerate() {
                buckets.push((bound, sum(&series, |one| one.buckets()[index])));
            }
            let total = buckets.iter().map(|(_, count)| count).sum();
            let sum_ms = sum(&series, RequestSeries::sum_us) as f64 / 1000.0;
            let mut metric = family.encode_family(&labels)?;
            metric.encode_histogram::<[(&str, &str); 0]>(sum_ms, total, &buckets, None)?;
        }
        Ok(())
    }

    fn listeners(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let all = self.0.all_listeners();
        for (name, help, grows, read) in LISTENER {
            let mut family = encoder.encode_descriptor(name, help, None, kind(*grows))?;
            for (key, series) in &all {
                let count = sum(series, |one| read(one).get());
                count_of(count, *grows).encode(family.encode_family(&[("listener", &**key)])?)?;
            }
        }
        Ok(())
    }

    fn responses(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let name = "meta_proxy_upstream_responses";
        let mut family = encoder.encode_descriptor(name, "Responses by status", None, MetricType::Counter)?;
        for (key, series) in self.0.all_endpoints() {
            for (index, status) in Status::ALL.into_iter().enumerate() {
                let count = sum(&series, |one| one.responses[index].get());
                let labels =
                    [("cluster", &*key.cluster), ("endpoint", &key.endpoint), ("status", status.name())];
                count_of(count, true).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn endpoints(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let all = self.0.all_endpoints();
        for (name, help, grows, read) in ENDPOINT {
            let mut family = encoder.encode_descriptor(name, help, None, kind(*grows))?;
            for (key, series) in &all {
                let labels = [("cluster", &*key.cluster), ("endpoint", &key.endpoint)];
                let count = sum(series, |one| read(one).get());
                count_of(count, *grows).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn judged(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, grows, read) in JUDGED {
            let mut family = encoder.encode_descriptor(name, help, None, kind(*grows))?;
            for (cluster, _, endpoints) in &self.1 {
                for one in endpoints {
                    let labels = [("cluster", &**cluster), ("endpoint", &one.endpoint)];
                    count_of(read(one), *grows).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        let (name, help) = ("meta_proxy_upstream_panic", "Whether unhealthy endpoints get requests as well");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (cluster, panics, _) in &self.1 {
            count_of((*panics).into(), false).encode(family.encode_family(&[("cluster", &**cluster)])?)?;
        }
        Ok(())
    }

    fn workers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let all = self.0.all_workers();
        for (name, help, read) in WORKER {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            count_of(sum(&all, |one| read(one).get()), true).encode(metric)?;
        }
        let dropped = self.0.access_log().map_or(0, super::access_log::AccessLog::dropped);
        let name = "meta_proxy_access_log_dropped";
        let metric = encoder.encode_descriptor(
            name,
            "Log lines that found the queue full",
            None,
            MetricType::Counter,
        )?;
        count_of(dropped, true).encode(metric)
    }
}

impl Exposition {
    /// Of files of certificates and keys.
    fn tls(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let tls = self.0.tls();
        let counts: [(&str, &str, bool, u64); 3] = [
            ("meta_proxy_tls_reloads", "Changed files put in force", true, tls.reloads.get()),
            ("meta_proxy_tls_reload_failures", "Changed files not usable", true, tls.reload_failures.get()),
            ("meta_proxy_tls_stale", "Settings whose files are not usable now", false, tls.stale.get()),
        ];
        for (name, help, grows, count) in counts {
            let metric = encoder.encode_descriptor(name, help, None, kind(grows))?;
            count_of(count, grows).encode(metric)?;
        }
        let name = "meta_proxy_tls_certificate_not_after_seconds";
        let mut family = encoder.encode_descriptor(
            name,
            "When a certificate ends, since 1970",
            None,
            MetricType::Gauge,
        )?;
        let ends = tls.certificates.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (file, end) in ends {
            count_of(end.cast_unsigned(), false).encode(family.encode_family(&[("file", &*file)])?)?;
        }
        Ok(())
    }
}

fn kind(grows: bool) -> MetricType {
    if grows { MetricType::Counter } else { MetricType::Gauge }
}

/// A sum over workers, as the encoder wants it.
struct Sum {
    value: u64,
    grows: bool,
}

fn count_of(value: u64, grows: bool) -> Sum {
    Sum { value, grows }
}

impl Sum {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        EncodeMetric::encode(self, encoder)
    }
}

impl EncodeMetric for Sum {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        if self.grows {
            encoder.encode_counter::<[(&str, &str); 0], _, u64>(&self.value, None)
        } else {
            encoder.encode_gauge(&(self.value.cast_signed()))
        }
    }

    fn metric_type(&self) -> MetricType {
        kind(self.grows)
    }
}
