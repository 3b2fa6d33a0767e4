//! `metactl proxy-status`: how far each proxy of a controller is.

use std::fmt::Write as _;
use std::process::ExitCode;

use controller::ads::Proxy;

use crate::cli::OfController;
use crate::pages::{columns, page};

/// Prints a table, and what is refused; exit code 1 if a proxy refuses something.
pub fn proxy_status(status: &OfController) -> Result<ExitCode, String> {
    let proxies: Vec<Proxy> = page(status, "/proxies")?;
    print!("{}", table(&proxies));
    let is_refused = proxies.iter().any(|proxy| !proxy.refused.is_empty());
    Ok(if is_refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn table(proxies: &[Proxy]) -> String {
    let mut rows = vec![
        ["PROXY", "NAMESPACE", "CLUSTERS", "ENDPOINTS", "LISTENERS", "ROUTES", "FROM"].map(str::to_owned),
    ];
    for proxy in proxies {
        let state = |kind: &str| {
            proxy.types.iter().find(|one| one.kind == kind).map(|one| match one.pending {
                0 => one.state.clone(),
                pending => format!("{} ({pending})", one.state),
            })
        };
        let [clusters, endpoints, listeners, routes] =
            ["cluster", "endpoints", "listener", "routes"].map(|kind| state(kind).unwrap_or_default());
        let namespace = if proxy.namespace.is_empty() { "-".to_owned() } else { proxy.namespace.clone() };
        rows.push([proxy.id.clone(), namespace, clusters, endpoints, listeners, routes, proxy.peer.clone()]);
    }
    let mut text = columns(&rows);
    for proxy in proxies {
        for refused in &proxy.refused {
            let (kind, name, field, message) =
                (&refused.kind, &refused.name, &refused.field, &refused.message);
            let _ = writeln!(text, "{} refuses {kind} {name}: {field}: {message}", proxy.id);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use controller::ads::{Refused, TypeProgress};

    #[test]
    fn a_table_says_how_far_each_proxy_is_and_what_it_refuses() {
        let progress = |kind: &str, state: &str, pending| TypeProgress {
            kind: kind.to_owned(),
            state: state.to_owned(),
            pending,
            named: None,
        };
        let refused = Refused {
            kind: "routes".to_owned(),
            name: "r".to_owned(),
            field: "routes[0]".to_owned(),
            message: "no".to_owned(),
        };
        let proxy = Proxy {
            id: "edge-1".to_owned(),
            namespace: String::new(),
            role: String::new(),
            peer: "10.0.0.1:1".to_owned(),
            connected_seconds: 1,
            protocol: "delta".to_owned(),
            sent_bytes: 1,
            sent_responses: 1,
            types: vec![
                progress("cluster", "synced", 0),
                progress("endpoints", "not asked", 0),
                progress("listener", "stale", 2),
                progress("routes", "nacked", 0),
            ],
            refused: vec![refused],
        };
        let expected = "\
PROXY   NAMESPACE  CLUSTERS  ENDPOINTS  LISTENERS  ROUTES  FROM
edge-1  -          synced    not asked  stale (2)  nacked  10.0.0.1:1
edge-1 refuses routes r: routes[0]: no
";
        assert_eq!(table(&[proxy]), expected);
    }
}
