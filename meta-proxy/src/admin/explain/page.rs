//! The page `/explain`: a question in the query, an answer as text or JSON.

use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::{Explained, Question, Sight, Unanswered, explain};

/// Bytes of a query.
pub const QUERY_LIMIT: usize = 32 << 10;
/// Attributes of a question.
pub const ATTRIBUTES_LIMIT: usize = 64;
/// Bytes of the host that is asked about: the longest that DNS has.
pub const HOST_LIMIT: usize = 253;
/// The header of an answer that tells whether a route matches: `true` or `false`.
pub const MATCHED: &str = "x-matched";

/// How the page is asked, for those who ask it wrongly.
const USAGE: &str = "ask for /explain?host=HOST, with port=PORT where it has several, attr=NAME=VALUE for each attribute of \
                     the request, and format=text or format=json";

type Wrong = (StatusCode, String);

/// Answers a request for the page.
pub(in crate::admin) fn answer(sight: &Sight<'_>, uri: &Uri, headers: &HeaderMap) -> Response {
    let answered = read(uri, headers).and_then(|(question, is_json)| {
        let explained = explain(sight, &question).map_err(|unanswered| {
            let status = match &unanswered {
                Unanswered::NoService { .. } => StatusCode::NOT_FOUND,
                Unanswered::SeveralPorts { .. } => StatusCode::BAD_REQUEST,
            };
            (status, unanswered.to_string())
        })?;
        Ok(page(&explained, is_json))
    });
    answered.unwrap_or_else(|(status, text)| (status, format!("{text}\n")).into_response())
}

/// The question, and whether the answer is to be JSON.
fn read(uri: &Uri, headers: &HeaderMap) -> Result<(Question, bool), Wrong> {
    let wrong = |text: String| (StatusCode::BAD_REQUEST, format!("{text}; {USAGE}"));
    if uri.query().is_some_and(|query| query.len() > QUERY_LIMIT) {
        return Err((StatusCode::URI_TOO_LONG, format!("the query is longer than {QUERY_LIMIT} bytes")));
    }
    let pairs: Vec<(String, String)> =
        Query::try_from_uri(uri).map_err(|error| wrong(format!("the query cannot be read: {error}")))?.0;
    let (mut host, mut format, mut question) = (None, None, Question::default());
    for (name, value) in pairs {
        let is_again = match &*name {
            "host" => host.replace(value).is_some(),
            "format" => format.replace(value).is_some(),
            "port" => {
                let port = value.parse().map_err(|_| wrong(format!("port={value} is not a port")))?;
                question.port.replace(port).is_some()
            }
            "attr" => {
                let form = || wrong(format!("attr={value} is not of the form attr=NAME=VALUE"));
                let (name, value) = value.split_once('=').ok_or_else(form)?;
                question.attributes.push((name.to_owned(), value.to_owned()));
                false
            }
            _ => return Err(wrong(format!("{name} is not known here"))),
        };
        if is_again {
            return Err(wrong(format!("{name} is there twice")));
        }
    }
    if question.attributes.len() > ATTRIBUTES_LIMIT {
        return Err(wrong(format!("there are more than {ATTRIBUTES_LIMIT} attributes")));
    }
    question.host = host.ok_or_else(|| wrong("host is missing".to_owned()))?;
    if question.host.len() > HOST_LIMIT {
        return Err(wrong(format!("host is longer than {HOST_LIMIT} bytes")));
    }
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    match format.as_deref() {
        None => Ok((question, accept.is_some_and(|accept| accept.contains("application/json")))),
        Some("text") => Ok((question, false)),
        Some("json") => Ok((question, true)),
        Some(other) => Err(wrong(format!("format={other} is not known"))),
    }
}

fn page(explained: &Explained, is_json: bool) -> Response {
    let (content_type, body) = if is_json {
        let body = serde_json::to_string_pretty(explained).unwrap_or_default() + "\n";
        ("application/json", body)
    } else {
        ("text/plain; charset=utf-8", explained.to_string())
    };
    let matched = if explained.route.is_some() { "true" } else { "false" };
    ([(header::CONTENT_TYPE.as_str(), content_type), (MATCHED, matched)], body).into_response()
}
