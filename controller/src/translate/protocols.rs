//! What ports may speak: the built-in protocols and those that `ApplicationProtocol` objects register.

use std::collections::BTreeMap;

use crds::{ApplicationProtocolSpec, FreeForm};

use super::report::Report;
use crate::object::{Object, Objects};
use crate::status::Reason;
use crate::tree::FieldPath;

/// Codecs whose messages name no service, so that an address and port can hold one service only. Of a codec that is not
/// built in, the opposite is assumed; where that is wrong, the proxy refuses the listener.
const WITHOUT_SERVICE: &[&str] = &["redis"];

/// A protocol that ports may name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Protocol {
    /// Name of the codec.
    pub(crate) codec: String,
    /// Options of the codec, on both sides of the proxy.
    pub(crate) options: FreeForm,
}

impl Protocol {
    /// Whether its messages say which service they are for.
    pub(crate) fn names_services(&self) -> bool {
        !WITHOUT_SERVICE.contains(&self.codec.as_str())
    }
}

/// All protocols, by their names in lower case.
#[derive(Debug)]
pub(crate) struct Protocols(BTreeMap<String, Protocol>);

impl Protocols {
    pub(crate) fn of(objects: &Objects, report: &mut Report) -> Self {
        let built_in = |name: &&str| {
            ((*name).to_owned(), Protocol { codec: (*name).to_owned(), options: FreeForm::new() })
        };
        let mut all: BTreeMap<String, Protocol> = xds::protocols::BUILT_IN.iter().map(built_in).collect();
        let mut registered: BTreeMap<String, &Object<ApplicationProtocolSpec>> = BTreeMap::new();
        for object in &objects.protocols {
            let name = object.spec.protocol.to_ascii_lowercase();
            if !is_name(&name) {
                let message = format!(
                    "{:?} cannot stand in the name of a port; use letters, digits, and `-` between words",
                    object.spec.protocol
                );
                report.error(object, &FieldPath::spec().field("protocol"), message);
                continue;
            }
            if let Some(winner) = registered.get(&name) {
                let message =
                    format!("protocol {name} is registered by {} already, which is older", winner.describe());
                report.error(object, &FieldPath::spec().field("protocol"), Reason::Conflicted.says(message));
                continue;
            }
            let codec = object.spec.codec.as_deref().unwrap_or(&name);
            let codec = codec.strip_prefix(&xds::protocols::codec_name("")).unwrap_or(codec).to_owned();
            let options = object.spec.options.clone().unwrap_or_default();
            all.insert(name.clone(), Protocol { codec, options });
            registered.insert(name, object);
        }
        Self(all)
    }

    /// The protocol of `<longest registered name>[-suffix]`.
    pub(crate) fn longest(&self, text: &str) -> Option<&Protocol> {
        let text = text.to_ascii_lowercase();
        let mut name = text.as_str();
        loop {
            if let Some(protocol) = self.0.get(name) {
                return Some(protocol);
            }
            name = &name[..name.rfind('-')?];
        }
    }

    /// Names of all protocols.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Whether a text can be a part of a port's name.
fn is_name(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.split('-').all(is_word)
}

/// What a port's name says after `<word>-metaprotocol-`; `None` where it is not such a name.
pub(crate) fn of_port_name(name: &str) -> Option<&str> {
    let mut words = name.splitn(3, '-');
    words.next()?;
    words.next().filter(|word| word.eq_ignore_ascii_case("metaprotocol"))?;
    Some(words.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocols(names: &[&str]) -> Protocols {
        let protocol = |name: &&str| {
            ((*name).to_owned(), Protocol { codec: (*name).to_owned(), options: FreeForm::new() })
        };
        Protocols(names.iter().map(protocol).collect())
    }

    #[test]
    fn the_longest_registered_name_wins() {
        let protocols = protocols(&["my", "my-protocol", "dubbo"]);
        let rows = [
            ("tcp-metaprotocol-my-protocol", Some("my-protocol")),
            ("tcp-metaprotocol-my-protocol-orders", Some("my-protocol")),
            ("tcp-metaprotocol-my-own", Some("my")),
            ("TCP-MetaProtocol-Dubbo", Some("dubbo")),
            ("tcp-metaprotocol-dubbo-20880", Some("dubbo")),
            ("tcp-metaprotocol-dubbox", None),
            ("tcp-metaprotocol", None),
            ("tcp-dubbo", None),
            ("metaprotocol-dubbo", None),
        ];
        for (name, expected) in rows {
            let found = of_port_name(name).and_then(|rest| protocols.longest(rest));
            assert_eq!(found.map(|protocol| protocol.codec.as_str()), expected, "{name}");
        }
    }
}
