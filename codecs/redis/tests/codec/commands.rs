//! The policies of all commands, and the document that lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use codec_redis::{Described, commands};

/// What each policy means, in the order of the document.
const POLICIES: [(&str, &str); 16] = [
    (
        "by key",
        "Sent to the endpoint of its keys. Where they belong to several, the answer is `-CROSSSLOT`; a common tag, \
         `{user:1}:name`, keeps keys together. Scripts and functions without keys go to the home endpoint.",
    ),
    (
        "by key, split",
        "Each endpoint gets the part with its keys; the answers are merged. At most 1 MiB, asked and answered.",
    ),
    (
        "by key, blocking",
        "Sent to the endpoint of its keys, on a connection of its own from the pool. In a transaction it does not wait.",
    ),
    ("any endpoint", "Sent to any endpoint on a shared connection."),
    ("the only endpoint", "Sent to the only endpoint; refused where keys are spread over several."),
    ("home endpoint", "Sent to where an empty key lives: the same endpoint for every client of every proxy."),
    ("all endpoints", "Sent to each endpoint. In a transaction: to the only one."),
    (
        "behind the last writes",
        "Sent to each endpoint that the client wrote to, on the connection of its last write; the least answer.",
    ),
    ("answered by the proxy", "Not sent. In a transaction refused, but for PING, QUIT and RESET."),
    (
        "session",
        "Changes what connections must have been set up with that carry the client's commands. Refused in a transaction.",
    ),
    (
        "transaction",
        "Between WATCH or the first command behind MULTI, and EXEC or DISCARD, the client has a connection of its own from the pool.",
    ),
    (
        "subscription",
        "The client has a connection of its own for it; in RESP2 for everything, until the last subscription ends. Refused in a transaction.",
    ),
    (
        "own connection",
        "The server keeps it for a connection: the client has one of its own. Refused in a transaction.",
    ),
    ("only with a subcommand", "Means nothing by itself."),
    ("refused", "Answered `-ERR … is refused: …`."),
    ("", ""),
];

fn document() -> String {
    let mut sections: BTreeMap<&str, BTreeMap<&str, Vec<Described>>> = BTreeMap::new();
    for command in commands() {
        sections.entry(command.policy).or_default().entry(command.detail).or_default().push(command);
    }
    let count = commands().count();
    let mut text = format!(
        "# Redis commands\n\nWhat the proxy does with each of the {count} commands and subcommands that it knows. \
         Generated from the codec's table;\n`UPDATE=1 cargo test -p codec-redis` rewrites it. The table comes from \
         servers (`codecs/redis/generate/commands.py`),\nthe policies are declared in \
         `codecs/redis/src/policy/rules.rs`.\n\nA command that is not listed is refused, or with the option \
         `unknownCommands: first-key` sent to where its first argument\nlives. In a cluster that does not hash by \
         `key`, all endpoints are alike, and only \"all endpoints\" means more than one.\n\n\
         What changes data is set in bold: a route may mirror nothing else, and WAIT follows it.\n"
    );
    for (policy, meaning) in POLICIES.iter().filter(|(policy, _)| !policy.is_empty()) {
        let details = sections.remove(policy).unwrap_or_default();
        let mut title = policy.to_string();
        title[..1].make_ascii_uppercase();
        let _ = writeln!(text, "\n## {title}\n\n{}", wrapped(meaning));
        for (detail, commands) in details {
            let names: Vec<_> = commands.iter().map(shown).collect();
            let lead = if detail.is_empty() { String::new() } else { format!("{detail}: ") };
            let mut lead = lead;
            if let Some(first) = lead.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            let _ = writeln!(text, "\n{}", wrapped(&format!("{lead}{}.", names.join(", "))));
        }
    }
    assert!(sections.is_empty(), "policies without a section: {:?}", sections.keys());
    text
}

fn shown(command: &Described) -> String {
    // A blank inside a name is no place to break a line.
    let name = command.name.replace(' ', "\u{a0}");
    if command.writes && !command.refused { format!("**{name}**") } else { name }
}

/// Lines of at most 120 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().unwrap();
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + word.chars().count() < 120 {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n").replace('\u{a0}', " ")
}

#[test]
fn the_document_lists_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/redis-commands.md");
    let document = document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == document, "{} is out of date; UPDATE=1 rewrites it", path.display());
}

#[test]
fn every_command_is_described_once_and_every_refusal_has_a_reason() {
    let names: BTreeSet<String> = commands().map(|command| command.name).collect();
    assert_eq!(names.len(), commands().count());
    for command in commands() {
        assert!(!command.policy.is_empty(), "{command:?}");
        assert!(!command.refused || command.detail.len() > 10, "{command:?}");
    }
    for name in ["GET", "CLIENT SETNAME", "VSIM", "HGETEX", "COMMANDLOG GET", "ARSET"] {
        assert!(names.contains(name), "{name}");
    }
}
