//! The admin port, as a probe, a scraper and a person with a browser see it.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::eventually::soon;

/// An admin port.
#[derive(Clone, Copy, Debug)]
pub struct Admin {
    address: SocketAddr,
}

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// What it says of its content's type.
    pub content_type: String,
    /// The content.
    pub body: String,
}

impl Admin {
    /// The one at this address.
    pub fn at(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Fetches a page.
    pub async fn get(&self, path: &str) -> Page {
        let fetched = soon("an admin page", self.fetch(path)).await;
        fetched.unwrap_or_else(|error| panic!("http://{}{path}: {error}", self.address))
    }

    async fn fetch(&self, path: &str) -> std::io::Result<Page> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let malformed = || std::io::Error::other(format!("not an HTTP answer: {answer}"));
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(malformed)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
        let header = |line: &str| Some(line.to_ascii_lowercase().strip_prefix("content-type: ")?.to_owned());
        let content_type = head.lines().find_map(header).unwrap_or_default();
        let is_chunked = head.to_ascii_lowercase().lines().any(|line| line == "transfer-encoding: chunked");
        let body = if is_chunked { joined(body).ok_or_else(malformed)? } else { body.to_owned() };
        Ok(Page { status, content_type, body })
    }

    /// Fetches a page of JSON.
    pub async fn json(&self, path: &str) -> Value {
        let page = self.get(path).await;
        assert_eq!((page.status, &*page.content_type), (200, "application/json"), "{path}");
        serde_json::from_str(&page.body).unwrap_or_else(|error| panic!("{path}: {error}\n{}", page.body))
    }

    /// Fetches all metrics.
    pub async fn metrics(&self) -> Metrics {
        let page = self.get("/metrics").await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.content_type.starts_with("application/openmetrics-text"), "{}", page.content_type);
        assert!(page.body.ends_with("# EOF\n"), "{}", page.body);
        let lines = page.body.lines().filter(|line| !line.starts_with('#'));
        Metrics { samples: lines.map(Sample::parse).collect() }
    }
}

/// A body that comes in chunks, as a whole.
fn joined(mut chunks: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (length, rest) = chunks.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.push_str(rest.get(..length)?);
        chunks = rest.get(length..)?.strip_prefix("\r\n")?;
    }
}

/// All samples of a scrape.
#[derive(Clone, Debug)]
pub struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Clone, Debug)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Sample {
    /// Values with quotes inside do not occur in the tests.
    fn parse(line: &str) -> Self {
        let parse = || {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let pairs = labels.strip_suffix('}')?.split("\",").filter(|pair| !pair.is_empty());
            let pair = |pair: &str| {
                let (name, value) = pair.split_once("=\"")?;
                Some((name.to_owned(), value.trim_end_matches('"').to_owned()))
            };
            let labels = pairs.map(pair).collect::<Option<Vec<_>>>()?;
            Some(Self { name: name.to_owned(), labels, value: value.parse().ok()? })
        };
        parse().unwrap_or_else(|| panic!("not a sample: {line}"))
    }
}

impl Metrics {
    /// The sum of all samples of this name that have these labels, which are counts.
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.sum(name, labels) as u64
    }

    /// The sum of all samples of this name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &Sample, (name, value): &(&str, &str)| {
            sample.labels.iter().any(|(known, is)| known == name && is == value)
        };
        let fits = |sample: &&Sample| sample.name == name && labels.iter().all(|label| has(sample, label));
        self.samples.iter().filter(fits).map(|sample| sample.value).sum()
    }

    /// The labels of all samples of this name.
    pub fn labels(&self, name: &str) -> Vec<&[(String, String)]> {
        self.samples.iter().filter(|sample| sample.name == name).map(|sample| &*sample.labels).collect()
    }
}
