//! Whose clients may see something: the `exportTo` of a service and of a `MetaRouter`, and the latter's `gateways`.

use std::collections::BTreeSet;

use super::report::Report;
use crate::object::Head;
use crate::tree::FieldPath;

/// Everybody, the own namespace, nobody; all else is the name of a namespace.
const ALL: &str = "*";
const OWN: &str = ".";
const NONE: &str = "~";

/// All proxies that are no gateway.
const MESH: &str = "mesh";

/// Who may see a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// Proxies that stand in one of these namespaces; `None`: all.
    pub namespaces: Option<BTreeSet<String>>,
    /// Whether proxies may that are no gateway.
    pub is_for_mesh: bool,
    /// Gateways that may, by namespace and name, wherever they stand; `None`: those in the namespaces.
    pub gateways: Option<BTreeSet<String>>,
}

impl Audience {
    /// Whether a proxy in `namespace` belongs to it that is part of this gateway; of none, if `gateway` is empty.
    pub fn includes(&self, namespace: &str, gateway: &str) -> bool {
        let is_near = || self.namespaces.as_ref().is_none_or(|all| all.contains(namespace));
        match &self.gateways {
            _ if gateway.is_empty() => self.is_for_mesh && is_near(),
            Some(gateways) => gateways.contains(&format!("{namespace}/{gateway}")),
            None => is_near(),
        }
    }
}

/// The namespaces whose clients may see something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Exports {
    /// All that there are.
    #[default]
    All,
    /// These.
    Of(BTreeSet<String>),
}

/// The proxies of all gateways that are named, as in a `MetaRouter`'s `gateways`; the mesh, if that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Whether it reaches proxies that are no gateway.
    pub(crate) is_for_mesh: bool,
    /// Gateways, each as `namespace/name`.
    pub(crate) gateways: BTreeSet<String>,
}

impl Reach {
    /// What a list says that stands at `path` of an object; `None`: it says nothing, so it is for the mesh alone. What
    /// names no gateway adds none.
    pub(crate) fn read(
        list: &[String],
        object: &Head,
        path: &FieldPath,
        report: &mut Report,
    ) -> Option<Self> {
        let mut read = Self { is_for_mesh: false, gateways: BTreeSet::new() };
        for (i, text) in list.iter().enumerate() {
            let (namespace, name) = text.split_once('/').unwrap_or((&object.key.namespace, text));
            if text == MESH {
                read.is_for_mesh = true;
            } else if is_namespace(namespace) && is_namespace(name) {
                read.gateways.insert(format!("{namespace}/{name}"));
            } else {
                let message = format!(
                    "{text:?} names no gateway; it would be a name, a namespace and a name with `/` between them, or {MESH}, which \
                     stands for all proxies that are no gateway"
                );
                report.error(object, &path.index(i), message);
            }
        }
        (!list.is_empty()).then_some(read)
    }
}

impl Exports {
    /// What a list says whose items stand at `path` of an object; an empty one says nothing, so it is for all. What names
    /// nobody adds nobody: a mistake hides, rather than shows.
    pub(crate) fn read<'t>(
        list: impl IntoIterator<Item = &'t str>,
        object: &Head,
        path: &dyn Fn(usize) -> FieldPath,
        report: &mut Report,
    ) -> Self {
        let (mut names, mut is_for_all, mut is_empty) = (BTreeSet::new(), false, true);
        for (i, text) in list.into_iter().enumerate() {
            is_empty = false;
            match text {
                ALL => is_for_all = true,
                OWN => drop(names.insert(object.key.namespace.clone())),
                NONE => {}
                name if is_namespace(name) => drop(names.insert(name.to_owned())),
                other => {
                    let message = format!(
                        "{other:?} names no namespace; there are {ALL} (all), {OWN} (this one), {NONE} (none) and names"
                    );
                    report.error(object, &path(i), message);
                }
            }
        }
        if is_for_all || is_empty { Self::All } else { Self::Of(names) }
    }

    /// Those that are in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, both) | (both, Self::All) => both.clone(),
            (Self::Of(a), Self::Of(b)) => Self::Of(a.intersection(b).cloned().collect()),
        }
    }

    /// Those that are in one of them.
    pub(crate) fn or(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::Of(a), Self::Of(b)) => Self::Of(a.union(b).cloned().collect()),
        }
    }

    /// Whether it has all that `other` has.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Of(_), Self::All) => false,
            (Self::Of(a), Self::Of(b)) => a.is_superset(b),
        }
    }

    /// Whether it has none.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Of(names) if names.is_empty())
    }

    /// In words that follow "exported to".
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::All => "all namespaces".to_owned(),
            Self::Of(names) if names.is_empty() => "no namespace".to_owned(),
            Self::Of(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                format!("{} only", names.join(", "))
            }
        }
    }

    /// Those of them that `reach` reaches, as those know it who deliver; `None`: everybody.
    pub(crate) fn audience(&self, reach: Option<&Reach>) -> Option<Audience> {
        let namespaces = match self {
            Self::All if reach.is_none() => return None,
            Self::All => None,
            Self::Of(names) => Some(names.clone()),
        };
        Some(Audience {
            namespaces,
            is_for_mesh: reach.is_none_or(|reach| reach.is_for_mesh),
            gateways: reach.map(|reach| reach.gateways.clone()),
        })
    }
}

/// A name as Kubernetes takes it for a namespace.
fn is_namespace(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 63
        && name.starts_with(is_letter)
        && name.ends_with(is_letter)
        && name.chars().all(|c| is_letter(c) || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Exports {
        Exports::Of(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn exports_are_joined_and_compared_as_sets() {
        let rows = [
            (Exports::All, Exports::All, Exports::All, Exports::All, true),
            (Exports::All, of(&["a"]), of(&["a"]), Exports::All, true),
            (of(&["a"]), Exports::All, of(&["a"]), Exports::All, false),
            (of(&["a", "b"]), of(&["b", "c"]), of(&["b"]), of(&["a", "b", "c"]), false),
            (of(&["a", "b"]), of(&["b"]), of(&["b"]), of(&["a", "b"]), true),
            (of(&["a"]), of(&[]), of(&[]), of(&["a"]), true),
        ];
        for (a, b, both, either, includes) in rows {
            assert_eq!((a.and(&b), a.or(&b), a.includes(&b)), (both, either, includes), "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_namespace_is_named_as_kubernetes_names_it() {
        for (name, expected) in
            [("shop", true), ("shop-2", true), ("", false), ("Shop", false), ("-a", false), ("a.b", false)]
        {
            assert_eq!(is_namespace(name), expected, "{name}");
        }
    }
}
