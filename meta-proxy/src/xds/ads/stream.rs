//! Streams to controllers, one after the other, for as long as the proxy lives.

use std::sync::Arc;
use std::time::Duration;

use ::xds::envoy::envoy::config::core::v3::Node;
use ::xds::envoy::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use ::xds::envoy::envoy::service::discovery::v3::DeltaDiscoveryResponse;
use ::xds::envoy::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use ::xds::envoy::google::protobuf::value::Kind;
use ::xds::envoy::google::protobuf::{Struct, Value};
use ::xds::envoy::google::rpc;
use ::xds::{ResourceType, Update};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Status, Streaming};

use super::back_off::BackOff;
use super::file::{self, LastGood};
use super::subscriber::{Follow, Subscriber};
use super::{Contact, Options, Tls};
use crate::xds::{Applied, Delivery};

/// Bytes of a response.
pub const RESPONSE_LIMIT: usize = 64 << 20;
/// How long a connection to a controller may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long a controller may take until it says anything. One that is starting is silent, and so is one that is stuck, of
/// which a connection shows nothing.
pub const FIRST_RESPONSE_TIME: Duration = Duration::from_secs(15);
/// How often a quiet connection is asked whether it lives, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);
/// Requests that wait to be written.
const WAITING_REQUESTS: usize = 16;
/// How long resources must stay as they are before they are written to the file.
const SAVE_AFTER: Duration = Duration::from_millis(200);

/// Why a stream is over.
#[derive(Debug)]
pub(super) enum Over {
    /// The proxy takes nothing any more.
    Stopped,
    /// The stream broke.
    Broken(String),
}

/// Keeps the proxy told by its controllers, until it takes no more.
pub async fn run(options: Options, deliveries: mpsc::Sender<Delivery>, contact: Arc<Contact>) {
    let mut client = Client::new(&options, deliveries, contact);
    client.restore().await;
    let mut back_off = BackOff::new(options.seed);
    for controller in options.controllers.iter().cycle() {
        client.contact.tries(controller);
        let heard = client.contact.updates();
        match client.talk(controller, &options).await {
            Over::Stopped => return,
            Over::Broken(error) => {
                tracing::info!(controller, error, "no stream to the controller");
                client.contact.lost(controller, &error);
            }
        }
        if client.contact.updates() > heard {
            back_off.reset();
        }
        client.save().await;
        if client.pause(back_off.pause()).await.is_err() {
            return;
        }
    }
}

/// What the streams of a proxy have in common.
pub(super) struct Client {
    deliveries: mpsc::Sender<Delivery>,
    contact: Arc<Contact>,
    subscriber: Subscriber,
    /// Where what was accepted is kept, if it is.
    file: Option<LastGood>,
    /// Whether the proxy was told last that it has everything.
    told_whole: bool,
    /// When the file is to be written, if it is behind.
    save_at: Option<Instant>,
}

impl Client {
    /// One that has not been told anything.
    pub(super) fn new(options: &Options, deliveries: mpsc::Sender<Delivery>, contact: Arc<Contact>) -> Self {
        let (subscriber, file) = (Subscriber::default(), LastGood::of(options));
        Self { deliveries, contact, subscriber, file, told_whole: false, save_at: None }
    }

    /// Puts the last good resources in force, if there are any.
    async fn restore(&mut self) {
        let Some(file) = &self.file else { return };
        let path = file.path.display();
        let resources = match file.read() {
            Ok(Some(resources)) => resources,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%path, "the file of last good resources is not used: it {error}");
                return;
            }
        };
        tracing::info!(resources = resources.len(), %path, "begins with the last good resources");
        let update = Update { changed: resources, removed: Vec::new() };
        if let Some(applied) = self.deliver(update.clone(), true).await {
            for rejection in &applied.ack.rejected {
                tracing::warn!("of the last good resources, one is refused: {rejection}");
            }
            self.subscriber.restore(&update, &applied);
        }
    }

    /// Follows one controller until the stream breaks.
    async fn talk(&mut self, controller: &str, options: &Options) -> Over {
        // Sent before the stream begins: some controllers say nothing, not even that it has, before they are asked.
        let mut first = self.subscriber.connect();
        let node = node(options, first.len());
        if let Some(request) = first.first_mut() {
            request.node = Some(node);
        }
        let silent_at = Instant::now() + FIRST_RESPONSE_TIME;
        match timeout_at(silent_at, begin(controller, options, first)).await {
            Ok(Ok(talk)) => self.follow(controller, silent_at, talk).await,
            Ok(Err(error)) => Over::Broken(error),
            Err(_) => silent(),
        }
    }

    /// Puts in force what a stream says that has begun. It is given up if it says nothing until `silent_at`: another
    /// controller, or another one behind the same address, may be ready.
    pub(super) async fn follow(
        &mut self,
        controller: &str,
        silent_at: Instant,
        (requests, mut responses): Talk<impl Stream<Item = Result<DeltaDiscoveryResponse, Status>> + Unpin>,
    ) -> Over {
        let mut is_first = true;
        loop {
            let due = self.due();
            let response = tokio::select! {
                response = responses.next() => response,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.save().await;
                    continue;
                }
                () = self.contact.is_mended() => match self.look_again(Some(&requests)).await {
                    Ok(()) => continue,
                    Err(over) => return over,
                },
                () = sleep_until(silent_at), if is_first => return silent(),
                () = self.deliveries.closed() => return Over::Stopped,
            };
            let response = match response {
                Some(Ok(response)) => response,
                None => return ended(()),
                Some(Err(status)) => return Over::Broken(words(&status)),
            };
            if std::mem::take(&mut is_first) {
                tracing::info!(controller, "is told by the controller");
                self.contact.connected(controller);
            }
            match self.response(response, &requests).await {
                Ok(()) => {}
                Err(over) => return over,
            }
        }
    }

    /// Puts a response in force, answers it, and asks for what follows from it.
    async fn response(
        &mut self,
        response: DeltaDiscoveryResponse,
        requests: &mpsc::Sender<DeltaDiscoveryRequest>,
    ) -> Result<(), Over> {
        let (kind, update) = match Subscriber::read(&response) {
            Ok(read) => read,
            Err(message) => return requests.send(refusal(response, message)).await.map_err(ended),
        };
        let is_greeting = update == Update::default();
        let Follow { requests: follow, forgotten } = if is_greeting {
            self.contact.updated(0);
            self.subscriber.greeted(kind, response.nonce)
        } else {
            // A listener is not opened before its routes have come, which follow.
            let is_whole = self.subscriber.is_whole() && kind != ResourceType::Listener;
            let applied = self.deliver(update.clone(), is_whole).await.ok_or(Over::Stopped)?;
            self.contact.updated(applied.ack.rejected.len());
            for rejection in &applied.ack.rejected {
                tracing::warn!("refused: {rejection}");
            }
            self.has_changed();
            self.subscriber.applied(kind, response.nonce, &update, &applied)
        };
        self.go_on(follow, forgotten, Some(requests)).await
    }

    /// Takes over what has mended itself, and asks for what it names and for itself: so the controller learns of it. Without a
    /// stream it does so when it is told what is known.
    async fn look_again(
        &mut self,
        requests: Option<&mpsc::Sender<DeltaDiscoveryRequest>>,
    ) -> Result<(), Over> {
        // What it names may be missing: that shows in the answer.
        let applied = self.deliver(Update::default(), false).await.ok_or(Over::Stopped)?;
        self.has_changed();
        let Follow { requests: follow, forgotten } = self.subscriber.follow(&applied);
        self.go_on(follow, forgotten, requests).await
    }

    /// Waits for the next attempt.
    pub(super) async fn pause(&mut self, time: Duration) -> Result<(), Over> {
        let end = Instant::now() + time;
        loop {
            tokio::select! {
                () = sleep_until(end) => return Ok(()),
                () = self.contact.is_mended() => {
                    self.look_again(None).await?;
                    self.save().await;
                }
            }
        }
    }

    async fn go_on(
        &mut self,
        follow: Vec<DeltaDiscoveryRequest>,
        forgotten: Vec<(ResourceType, String)>,
        requests: Option<&mpsc::Sender<DeltaDiscoveryRequest>>,
    ) -> Result<(), Over> {
        if let Some(requests) = requests {
            for request in follow {
                requests.send(request).await.map_err(ended)?;
            }
        }
        let is_whole = self.subscriber.is_whole();
        if (is_whole && !self.told_whole) || !forgotten.is_empty() {
            let update = Update { changed: Vec::new(), removed: forgotten };
            self.deliver(update, is_whole).await.ok_or(Over::Stopped)?;
        }
        Ok(())
    }

    /// `None`: the proxy takes nothing any more.
    async fn deliver(&mut self, update: Update, is_whole: bool) -> Option<Applied> {
        self.told_whole = is_whole;
        let (answer, answered) = oneshot::channel();
        self.deliveries.send(Delivery { update, is_whole, answer }).await.ok()?;
        answered.await.ok()
    }

    /// Notes that the file is behind, if there is to be one.
    fn has_changed(&mut self) {
        self.save_at = self.file.is_some().then(|| Instant::now() + SAVE_AFTER);
    }

    /// When the file is to be written. What is not whole is not written: a proxy that starts with it would lack something.
    fn due(&self) -> Option<Instant> {
        self.save_at.filter(|_| self.subscriber.is_whole())
    }

    /// Writes the file if it is behind and may be written.
    async fn save(&mut self) {
        let Some(file) = self.file.as_ref().filter(|_| self.due().is_some()) else { return };
        let (bytes, path) = (file.encode(self.subscriber.kept()), file.path.clone());
        self.save_at = None;
        let shown = path.display().to_string();
        let written = tokio::task::spawn_blocking(move || file::write(&path, &bytes)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(path = shown, "the file of last good resources is not written: {error}");
        }
    }
}

/// The two directions of a stream.
type Talk<Responses> = (mpsc::Sender<DeltaDiscoveryRequest>, Responses);

fn ended<T>(_: T) -> Over {
    Over::Broken("the controller has ended the stream".to_owned())
}

fn silent() -> Over {
    Over::Broken(format!(
        "the controller has said nothing for {FIRST_RESPONSE_TIME:?}: it has not read everything yet, or is stuck"
    ))
}

/// Connects and begins a stream.
async fn begin(
    controller: &str,
    options: &Options,
    first: Vec<DeltaDiscoveryRequest>,
) -> Result<Talk<Streaming<DeltaDiscoveryResponse>>, String> {
    let channel = connect(controller, options.tls.as_ref()).await?;
    let mut client = AggregatedDiscoveryServiceClient::new(channel).max_decoding_message_size(RESPONSE_LIMIT);
    let (requests, waiting) = mpsc::channel(WAITING_REQUESTS);
    for request in first {
        requests.try_send(request).map_err(|error| error.to_string())?;
    }
    let begun = client.delta_aggregated_resources(ReceiverStream::new(waiting)).await;
    let responses = begun.map_err(|status| words(&status))?.into_inner();
    Ok((requests, responses))
}

async fn connect(controller: &str, tls: Option<&Tls>) -> Result<Channel, String> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let endpoint = Endpoint::new(format!("{scheme}://{controller}")).map_err(|error| deepest(&error))?;
    let mut endpoint = endpoint
        .connect_timeout(CONNECT_TIME)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .keep_alive_while_idle(true);
    if let Some(tls) = tls {
        let mut config = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&tls.authorities))
            .identity(Identity::from_pem(&tls.certificate, &tls.key));
        if let Some(name) = &tls.name {
            config = config.domain_name(name);
        }
        endpoint = endpoint.tls_config(config).map_err(|error| deepest(&error))?;
    }
    endpoint.connect().await.map_err(|error| deepest(&error))
}

/// Who we are. A controller of ours answers nothing before it has as many requests as we say: only then does it know what
/// we have from an earlier stream, and can take away what is gone after what leads there.
fn node(options: &Options, first_requests: usize) -> Node {
    let text = |text: &String| (!text.is_empty()).then(|| Kind::StringValue(text.clone()));
    let known = [
        ("namespace", text(&options.namespace)),
        ("role", text(&options.role)),
        ("gateway", text(&options.gateway)),
        ("first_requests", Some(Kind::NumberValue(first_requests as f64))),
    ];
    let fields =
        known.into_iter().filter_map(|(name, kind)| Some((name.to_owned(), Value { kind: Some(kind?) })));
    Node {
        id: options.node_id.clone(),
        user_agent_name: "meta-proxy".to_owned(),
        metadata: Some(Struct { fields: fields.collect() }),
        ..Default::default()
    }
}

/// Refuses a response as a whole.
fn refusal(response: DeltaDiscoveryResponse, message: String) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: response.type_url,
        response_nonce: response.nonce,
        error_detail: Some(rpc::Status {
            code: tonic::Code::InvalidArgument as i32,
            message,
            details: Vec::new(),
        }),
        ..Default::default()
    }
}

/// What a status says, and what it comes from.
fn words(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(source) => deepest(source),
        None => status.message().to_owned(),
    }
}

/// What is at the bottom of an error: what a person can act on.
fn deepest(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => deepest(source),
        None => error.to_string(),
    }
}
