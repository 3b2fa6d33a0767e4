//! The first of many lists of conditions that holds, found without trying them all.
//!
//! One attribute is the index: lists that demand an exact value of it are looked up by that value. What the look-up
//! gives is merged, in the lists' order, with the lists that demand no exact value of it, and tried one after the
//! other. If the index is a late attribute, a guard over cheap attributes first tells whether any list gets as far
//! as to need it.

use std::ops::Range;

use codec_api::{Attribute, Key};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use crate::route::Attributes;
use crate::route::matcher::{Condition, Scope};

/// Fewer distinct values than this are compared one by one: that is faster than hashing.
const INDEX_FROM: usize = 4;
/// A head attribute is preferred as the index if it has at least this many percent of a late one's distinct values.
const HEAD_PREFERRED_FROM_PERCENT: usize = 90;

/// Lists of conditions in order; called routes, since that is what they mostly are.
#[derive(Debug)]
pub(crate) struct Selector {
    /// Of all routes, one after the other. A route in the index has the indexed condition first.
    conditions: Box<[Condition]>,
    /// Where each route's conditions end.
    ends: Box<[u32]>,
    /// Routes that are not in the index, ascending.
    open: Box<[u32]>,
    index: Option<Index>,
}

#[derive(Debug)]
struct Index {
    /// The attribute looked up, by its place among the wanted.
    attribute: u32,
    /// Routes by the value that they demand, ascending. Keys come from the configuration alone and nothing is ever
    /// added, so that no client can make it slow; a fixed seed makes the cost of a look-up repeat.
    buckets: HashMap<Box<[u8]>, Box<[u32]>, FixedState>,
    /// Present if the attribute is late.
    guard: Option<Guard>,
}

/// What indexed routes demand of cheap attributes, without repetitions.
#[derive(Debug)]
struct Guard {
    demands: Box<Selector>,
    /// The first route with each demand.
    routes: Box<[u32]>,
}

impl Selector {
    /// A selector over `routes`, whose conditions stand in the order in which they are to be tried.
    pub(crate) fn new(mut routes: Vec<Vec<Condition>>, wanted: &[Attribute]) -> Self {
        let index =
            Index::choose(&routes, wanted).map(|attribute| Index::new(attribute, &mut routes, wanted));
        let indexed = |route: &Vec<Condition>| {
            let attribute = index.as_ref().map(|index| index.attribute);
            route.first().is_some_and(|first| Some(first.attribute) == attribute && first.exact().is_some())
        };
        let numbers = routes.iter().zip(0..);
        let open = numbers.filter(|(route, _)| !indexed(route)).map(|(_, number)| number).collect();
        let ends = routes.iter().scan(0, |end, route| {
            *end += route.len() as u32;
            Some(*end)
        });
        Self { ends: ends.collect(), open, index, conditions: routes.into_iter().flatten().collect() }
    }

    /// The conditions of a route, in the order in which they are tried.
    pub(crate) fn conditions(&self, route: u32) -> &[Condition] {
        &self.conditions[self.range(route)]
    }

    fn range(&self, route: u32) -> Range<usize> {
        let route = route as usize;
        let start = if route == 0 { 0 } else { self.ends[route - 1] as usize };
        start..self.ends[route] as usize
    }

    /// All routes, in the order in which one is looked for that nearly matches: first those that demand the value of the
    /// indexed attribute that the request has.
    pub(crate) fn likely<'s, A: Attributes + ?Sized>(
        &'s self,
        scope: Scope<'_>,
        attributes: &mut A,
    ) -> impl Iterator<Item = u32> + use<'s, A> {
        let is_reached = |index: &&Index| {
            index.guard.as_ref().is_none_or(|guard| guard.demands.find(scope, attributes).is_some())
        };
        let index = self.index.as_ref().filter(is_reached);
        let found = index.map_or(&[][..], |index| index.look_up(scope, attributes));
        let others = (0..self.len() as u32).filter(|route| found.binary_search(route).is_err());
        found.iter().copied().chain(others)
    }

    /// How many routes there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The first route whose conditions all hold.
    pub(crate) fn find<A: Attributes + ?Sized>(&self, scope: Scope<'_>, attributes: &mut A) -> Option<u32> {
        let Some(index) = &self.index else { return self.first_open(&self.open, scope, attributes) };
        let mut open = &self.open[..];
        if let Some(guard) = &index.guard {
            let Some(demand) = guard.demands.find(scope, attributes) else {
                return self.first_open(open, scope, attributes);
            };
            let reached = guard.routes[demand as usize];
            let before = open.partition_point(|route| *route < reached);
            if let Some(route) = self.first_open(&open[..before], scope, attributes) {
                return Some(route);
            }
            open = &open[before..];
        }
        let mut found = index.look_up(scope, attributes);
        // Both are ascending: the smaller of their heads is next.
        while let Some((route, rest)) = found.split_first() {
            if let Some((other, others)) = open.split_first().filter(|(other, _)| *other < route) {
                if self.holds(self.range(*other), scope, attributes) {
                    return Some(*other);
                }
                open = others;
                continue;
            }
            let range = self.range(*route);
            // The look-up has shown that its first condition holds.
            if self.holds(range.start + 1..range.end, scope, attributes) {
                return Some(*route);
            }
            found = rest;
        }
        self.first_open(open, scope, attributes)
    }

    #[inline]
    fn first_open<A: Attributes + ?Sized>(
        &self,
        open: &[u32],
        scope: Scope<'_>,
        attributes: &mut A,
    ) -> Option<u32> {
        open.iter().copied().find(|route| self.holds(self.range(*route), scope, attributes))
    }

    fn holds<A: Attributes + ?Sized>(
        &self,
        range: Range<usize>,
        scope: Scope<'_>,
        attributes: &mut A,
    ) -> bool {
        self.conditions[range].iter().all(|condition| condition.holds(scope, attributes))
    }
}

impl Index {
    /// The attribute of which the routes demand the most distinct exact values, if there are enough of them.
    fn choose(routes: &[Vec<Condition>], wanted: &[Attribute]) -> Option<u32> {
        let mut values = vec![HashSet::<&[u8], FixedState>::default(); wanted.len()];
        for condition in routes.iter().flatten() {
            if let Some(value) = condition.exact() {
                values[condition.attribute as usize].insert(value);
            }
        }
        let most = |late: bool| {
            let of_kind = (0..).zip(wanted).filter(|(_, attribute)| (attribute.key() == Key::Late) == late);
            let counted = of_kind.map(|(place, _): (u32, _)| (values[place as usize].len(), place));
            // The first of equals.
            counted.reduce(|best, other| if other.0 > best.0 { other } else { best }).unwrap_or_default()
        };
        let (head, late) = (most(false), most(true));
        let best = if head.0 * 100 >= late.0 * HEAD_PREFERRED_FROM_PERCENT { head } else { late };
        (best.0 >= INDEX_FROM).then_some(best.1)
    }

    /// An index over `attribute`. In routes that it holds, the condition that it answers comes first afterwards.
    fn new(attribute: u32, routes: &mut [Vec<Condition>], wanted: &[Attribute]) -> Self {
        let mut buckets: HashMap<Box<[u8]>, Vec<u32>, FixedState> = HashMap::default();
        let mut demands: Vec<(Vec<Condition>, u32)> = Vec::new();
        let mut seen: HashSet<Vec<Condition>, FixedState> = HashSet::default();
        let late = wanted[attribute as usize].key() == Key::Late;
        for (number, route) in (0..).zip(routes) {
            let answered =
                |condition: &Condition| condition.attribute == attribute && condition.exact().is_some();
            let Some(place) = route.iter().position(answered) else { continue };
            if late {
                let cheap = route.iter().filter(|condition| !condition.is_late(wanted));
                let demand: Vec<_> = cheap.cloned().collect();
                if seen.insert(demand.clone()) {
                    demands.push((demand, number));
                }
            }
            route[..=place].rotate_right(1);
            let value = route[0].exact().expect("the position was that of an exact condition");
            buckets.entry(value.into()).or_default().push(number);
        }
        let guard = late.then(|| {
            let (demands, numbers): (Vec<_>, Vec<_>) = demands.into_iter().unzip();
            Guard { demands: Box::new(Selector::new(demands, wanted)), routes: numbers.into() }
        });
        let buckets = buckets.into_iter().map(|(value, routes)| (value, routes.into())).collect();
        Self { attribute, buckets, guard }
    }

    /// The routes that demand the value that the request has.
    fn look_up<A: Attributes + ?Sized>(&self, scope: Scope<'_>, attributes: &mut A) -> &[u32] {
        let value = attributes.get(self.attribute as usize, &scope.wanted[self.attribute as usize]);
        value.and_then(|value| self.buckets.get(value)).map_or(&[], |routes| routes)
    }
}
