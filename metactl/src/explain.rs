//! `metactl explain`: which routes a request would be tried against, and where it would go.
//!
//! The explanation is the proxy's own. From files it is made here; a running proxy is asked for it.

use std::process::ExitCode;

use meta_proxy::admin::explain::{Question, Sight, explain as answer};
use meta_proxy::xds::Codecs;

use crate::ask::ask;
use crate::cli::Explain;
use crate::validate::check;

/// Prints the explanation; exit code 1 if no route matches.
pub fn explain(explain: Explain, codecs: &Codecs) -> Result<ExitCode, String> {
    let Explain { paths, admin, understanding, host, port, attributes } = explain;
    let question = Question { host, port, attributes };
    let (text, is_matched) = match admin {
        Some(_) if !understanding.is_default() => {
            return Err("--allow-cross-namespace and --root-namespace are about files; a running proxy follows what it was \
                        started with"
                .to_owned());
        }
        Some(admin) => ask(&admin, &question)?,
        None => {
            let checked = check(&paths, &understanding, codecs)?;
            for diagnostic in &checked.loaded.diagnostics {
                eprintln!("{diagnostic}");
            }
            for refusal in &checked.refusals {
                eprintln!("{refusal}");
            }
            let explained =
                answer(&Sight::of(&checked.state), &question).map_err(|unanswered| unanswered.to_string())?;
            (explained.to_string(), explained.route.is_some())
        }
    };
    print!("{text}");
    Ok(if is_matched { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
