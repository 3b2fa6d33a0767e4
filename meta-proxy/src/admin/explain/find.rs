//! The service that is asked about, or which there are.

use std::fmt;

use crate::model::Service;
use crate::xds::{Entry, Listener, State};

use super::Question;

/// Services that are listed where the one asked about is not there.
const LISTED: usize = 50;

/// Why a question cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// There is no such service.
    NoService {
        /// What was asked for.
        asked: String,
        /// What was perhaps meant.
        hint: Option<String>,
        /// What there is: some of them, and how many more.
        known: (Vec<String>, usize),
    },
    /// There are several.
    SeveralPorts {
        /// The host that was asked for.
        host: String,
        /// Its ports.
        ports: Vec<u16>,
    },
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoService { asked, hint, known: (known, more) } => {
                write!(f, "no service {asked}")?;
                if let Some(hint) = hint {
                    write!(f, " (did you mean {hint}?)")?;
                }
                if known.is_empty() {
                    return f.write_str("; there is none");
                }
                write!(f, "; there are: {}", known.join(", "))?;
                if *more > 0 { write!(f, " and {more} more") } else { Ok(()) }
            }
            Self::SeveralPorts { host, ports } => {
                let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
                write!(f, "{host} has several ports, {}; choose one with --port (port=)", ports.join(", "))
            }
        }
    }
}

impl std::error::Error for Unanswered {}

/// The one service of the question's host and port. Hosts are compared regardless of ASCII case.
pub(super) fn find<'a>(
    state: &'a State,
    question: &Question,
) -> Result<(&'a Entry<Listener>, &'a Service), Unanswered> {
    let all = || {
        state
            .listeners()
            .flat_map(|listener| listener.value.model.services.iter().map(move |service| (listener, service)))
    };
    let is_host = |service: &Service| service.host.eq_ignore_ascii_case(&question.host);
    let is_port = |port: u16| question.port.is_none_or(|wanted| wanted == port);
    let found: Vec<_> =
        all().filter(|(listener, service)| is_host(service) && is_port(port_of(listener))).collect();
    match found.as_slice() {
        [one] => return Ok(*one),
        [] => {}
        several => {
            let ports = several.iter().map(|(listener, _)| port_of(listener)).collect();
            return Err(Unanswered::SeveralPorts { host: question.host.clone(), ports });
        }
    }
    let mut names = all().map(|(listener, service)| format!("{}:{}", service.host, port_of(listener)));
    let known: Vec<_> = names.by_ref().take(LISTED).collect();
    Err(Unanswered::NoService {
        asked: match question.port {
            Some(port) => format!("{}:{port}", question.host),
            None => question.host.clone(),
        },
        hint: nearest(question, all().map(|(listener, service)| (&*service.host, port_of(listener)))),
        known: (known, names.count()),
    })
}

fn port_of(listener: &Entry<Listener>) -> u16 {
    listener.value.model.address.port()
}

/// The service that was perhaps meant: one of the same host, one whose name goes on where the question's ends, or one that
/// differs in a third of the letters at most.
fn nearest<'a>(question: &Question, services: impl Iterator<Item = (&'a str, u16)>) -> Option<String> {
    let asked = question.host.to_ascii_lowercase();
    let rated = services.filter_map(|(host, port)| {
        let known = host.to_ascii_lowercase();
        let goes_on = || known.strip_prefix(&*asked).is_some_and(|rest| rest.starts_with('.'));
        let edits = match () {
            () if known == asked => 0,
            () if goes_on() => 1,
            () if known.len().abs_diff(asked.len()) <= known.len() / 3 => {
                strsim::osa_distance(&known, &asked) + 1
            }
            () => return None,
        };
        (edits <= 1 + known.len() / 3).then(|| (edits, format!("{host}:{port}")))
    });
    rated.min_by_key(|(edits, _)| *edits).map(|(_, name)| name)
}
