//! Asks the admin port of a running proxy, or the pages of a controller.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use meta_proxy::admin::explain::{MATCHED, Question};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const ANSWER_LIMIT: usize = 64 << 20;

/// What the proxy answers: a text, and whether a route matches.
pub fn ask(admin: &str, question: &Question) -> Result<(String, bool), String> {
    let path = path(question)?;
    let failed = |why: String| format!("the admin port {admin} cannot be asked: {why}");
    let Answer { status, matched, body } = get(admin, &path).map_err(failed)?;
    match (status, matched) {
        (StatusCode::OK, Some(matched)) => Ok((body, matched)),
        (StatusCode::NOT_FOUND, _) if body.trim().is_empty() => {
            Err(failed("it has no page /explain; is it the admin port of a meta-proxy?".to_owned()))
        }
        (StatusCode::OK, None) => Err(failed("it is not the admin port of a meta-proxy".to_owned())),
        _ => Err(body.trim_end().to_owned()),
    }
}

/// What is answered.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    matched: Option<bool>,
    /// The page.
    pub body: String,
}

/// Fetches a page.
pub fn get(address: &str, path: &str) -> Result<Answer, String> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().map_err(|error| format!("cannot start: {error}"))?;
    let answered = runtime.block_on(async { timeout(TIME, fetch(address, path)).await });
    answered.map_err(|_| format!("no answer within {TIME:?}"))?
}

fn path(question: &Question) -> Result<String, String> {
    let mut pairs = vec![("host", question.host.clone())];
    pairs.extend(question.port.map(|port| ("port", port.to_string())));
    pairs.extend(question.attributes.iter().map(|(name, value)| ("attr", format!("{name}={value}"))));
    let query = serde_urlencoded::to_string(pairs).map_err(|error| error.to_string())?;
    Ok(format!("/explain?{query}"))
}

async fn fetch(admin: &str, path: &str) -> Result<Answer, String> {
    let stream = TcpStream::connect(admin).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let request = Request::get(path).header(header::HOST, admin).header(header::ACCEPT, "text/plain");
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let matched = response.headers().get(MATCHED).and_then(|matched| matched.to_str().ok()?.parse().ok());
    let body = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    Ok(Answer { status, matched, body: String::from_utf8_lossy(&body).into_owned() })
}
