//! How many proxies want a resource, and how many have it in force, for all resources of a type at once.
//!
//! Most proxies that want everything have everything: these are counted once, and only exceptions are noted by name.

use std::collections::HashMap;

use xds::ResourceType;

use crate::snapshot::{Catalogue, Item};

/// The counts.
#[derive(Debug, Default)]
pub struct Tally {
    /// Proxies that want everything.
    everyone: u32,
    /// Those of them that have nothing of what is.
    without_all: u32,
    /// Proxies beside them that want it, by name.
    wanted: HashMap<String, u32>,
    /// Proxies that want it and do not have it, by name.
    missing: HashMap<String, u32>,
}

impl Tally {
    /// A proxy wants everything, and has of it what `has` says.
    pub fn everyone(&mut self, kind: ResourceType, catalogue: &Catalogue, has: impl Fn(&Item) -> bool) {
        self.everyone += 1;
        for (name, _) in catalogue.items(kind).iter().filter(|(_, item)| !has(item)) {
            *self.missing.entry(name.to_string()).or_default() += 1;
        }
    }

    /// A proxy wants everything, and has all but these; `None`: it has none.
    pub fn all_but<'a>(&mut self, missing: Option<impl Iterator<Item = &'a str>>) {
        self.everyone += 1;
        match missing {
            Some(missing) => missing.for_each(|name| *self.missing.entry(name.to_owned()).or_default() += 1),
            None => self.without_all += 1,
        }
    }

    /// A proxy wants this resource.
    pub fn one(&mut self, name: &str, has: bool) {
        *self.wanted.entry(name.to_owned()).or_default() += 1;
        if !has {
            *self.missing.entry(name.to_owned()).or_default() += 1;
        }
    }

    /// Proxies that want a resource, and those that have it in force.
    pub fn of(&self, name: &str) -> (u32, u32) {
        let count = |map: &HashMap<String, u32>| map.get(name).copied().unwrap_or_default();
        let proxies = self.everyone + count(&self.wanted);
        (proxies, proxies.saturating_sub(count(&self.missing) + self.without_all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_want_all_and_those_who_want_one_are_added_up() {
        let mut tally = Tally::default();
        tally.all_but(Some(["a"].into_iter()));
        tally.all_but(Some([].into_iter()));
        tally.all_but(None::<std::iter::Empty<&str>>);
        tally.one("a", true);
        tally.one("b", false);
        assert_eq!([tally.of("a"), tally.of("b"), tally.of("c")], [(4, 2), (4, 2), (3, 2)]);
    }
}
