//! A route configuration, compiled for one protocol: its routes, and the conditions of its rate limit.

use std::fmt;
use std::sync::Arc;

use codec_api::{Attribute, Key, Properties};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::model::{AttributeMatcher, Matcher, RouteConfiguration, ValueMatcher};
use crate::route::explain::{Explanation, Failed, Near, Shown, Tried};
use crate::route::matcher::{Condition, Scope, Test};
use crate::route::regex::{Regex, RegexError, Regexes};
use crate::route::selector::Selector;
use crate::route::{Attributes, REGEX_VALUE_LIMIT};

/// Routes that do not match and are named in an explanation.
pub const TRIED_LIMIT: usize = 1000;
/// Conditions that are tried to name the route which comes nearest to a request that none matches.
pub const NEAREST_LIMIT: usize = 256;

/// An ordered list of routes that finds the first one that matches, and the same of a rate limit's conditions. Both are
/// about the same attributes, so that a request is looked into once for both.
///
/// A clone shares everything but the memory that regular expressions are matched with. Each worker keeps a clone of
/// its own, so that no two of them ever wait for each other.
#[derive(Clone)]
pub struct Table {
    compiled: Arc<Compiled>,
    regexes: Box<[Regex]>,
}

struct Compiled {
    wanted: Box<[Attribute]>,
    selector: Selector,
    /// The first route without conditions.
    unconditional: Option<usize>,
    /// Of each route: which requests may be sent several times; `None`: none.
    repeatable: Box<[Option<Repeatable>]>,
    /// The conditions of the rate limit.
    limits: Selector,
    /// The first of them that holds of every request.
    unconditional_limit: Option<usize>,
    names: Box<[Box<str>]>,
    /// Sources of the expressions.
    sources: Box<[Arc<str>]>,
}

/// Requests that may be sent several times.
enum Repeatable {
    /// Any.
    All,
    /// Those of which one of these lists of conditions holds.
    Matching(Selector),
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("routes", &self.len())
            .field("wanted", &self.wanted())
            .finish_non_exhaustive()
    }
}

impl Table {
    /// Compiles `configuration` for a protocol with these properties.
    pub fn new(configuration: &RouteConfiguration, properties: &Properties) -> Result<Self, RegexError> {
        Self::with_regexes(configuration, properties, Regexes::default())
    }

    /// As [`new`](Self::new), but takes expressions from `regexes` where it has them.
    pub fn with_regexes(
        configuration: &RouteConfiguration,
        properties: &Properties,
        mut regexes: Regexes,
    ) -> Result<Self, RegexError> {
        regexes.compile_all(configuration)?;
        let mut wanted = Wanted { properties, attributes: Vec::new(), places: HashMap::default() };
        let mut routes = Vec::with_capacity(configuration.routes.len());
        let mut repeatable = Vec::with_capacity(configuration.routes.len());
        for route in &configuration.routes {
            routes.push(wanted.conditions(&route.matchers, &regexes));
            let retries = route.retries.as_ref();
            repeatable.push(retries.map(|retries| {
                let requests = retries.idempotent.iter();
                requests.map(|matchers| wanted.conditions(matchers, &regexes)).collect::<Vec<_>>()
            }));
        }
        let limits = configuration.rate_limit.iter().flat_map(|limit| &limit.conditions);
        let limits: Vec<_> =
            limits.map(|condition| wanted.conditions(&condition.matchers, &regexes)).collect();
        let wanted: Box<[Attribute]> = wanted.attributes.into();
        let repeatable = repeatable.into_iter().map(|requests| {
            let requests = requests?;
            let is_all = requests.iter().any(Vec::is_empty);
            Some(if is_all {
                Repeatable::All
            } else {
                Repeatable::Matching(Selector::new(requests, &wanted))
            })
        });
        let (sources, regexes) = regexes.into_parts();
        let compiled = Compiled {
            unconditional: routes.iter().position(Vec::is_empty),
            repeatable: repeatable.collect(),
            selector: Selector::new(routes, &wanted),
            unconditional_limit: limits.iter().position(Vec::is_empty),
            limits: Selector::new(limits, &wanted),
            wanted,
            names: configuration.routes.iter().map(|route| route.name.as_str().into()).collect(),
            sources,
        };
        Ok(Self { compiled: Arc::new(compiled), regexes })
    }

    /// The attributes that conditions are about, without repetitions.
    pub fn wanted(&self) -> &[Attribute] {
        &self.compiled.wanted
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.compiled.selector.len()
    }

    /// Whether there are no routes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Index of the first route whose conditions all hold of a request with these attributes.
    pub fn find<A: Attributes + ?Sized>(&self, attributes: &mut A) -> Option<usize> {
        self.compiled.selector.find(self.scope(), attributes).map(|route| route as usize)
    }

    /// Index of the first route without conditions: the one for a request whose attributes cannot be seen.
    pub fn find_unconditional(&self) -> Option<usize> {
        self.compiled.unconditional
    }

    /// Whether a request with these attributes may be sent several times where this route is taken.
    pub fn may_repeat<A: Attributes + ?Sized>(&self, route: usize, attributes: &mut A) -> bool {
        match self.compiled.repeatable.get(route) {
            Some(Some(Repeatable::All)) => true,
            Some(Some(Repeatable::Matching(requests))) => requests.find(self.scope(), attributes).is_some(),
            Some(None) | None => false,
        }
    }

    /// The same for a request whose attributes cannot be seen.
    pub fn may_repeat_unseen(&self, route: usize) -> bool {
        matches!(self.compiled.repeatable.get(route), Some(Some(Repeatable::All)))
    }

    /// Index of the first condition of the rate limit that holds of a request with these attributes.
    pub fn find_limit<A: Attributes + ?Sized>(&self, attributes: &mut A) -> Option<usize> {
        self.compiled.limits.find(self.scope(), attributes).map(|condition| condition as usize)
    }

    /// The same for a request whose attributes cannot be seen.
    pub fn find_unconditional_limit(&self) -> Option<usize> {
        self.compiled.unconditional_limit
    }

    /// Tells which routes were tried for a request with these attributes, and why those before the chosen one did not
    /// match. Chooses as [`find`](Self::find) does, but goes through all routes and conditions in order.
    pub fn explain<A: Attributes + ?Sized>(&self, attributes: &mut A) -> Explanation {
        self.explain_list(&self.compiled.selector, &self.compiled.names, attributes)
    }

    /// The same of the conditions of the rate limit, which have no names.
    pub fn explain_limit<A: Attributes + ?Sized>(&self, attributes: &mut A) -> Explanation {
        self.explain_list(&self.compiled.limits, &[], attributes)
    }

    fn explain_list<A: Attributes + ?Sized>(
        &self,
        list: &Selector,
        names: &[Box<str>],
        attributes: &mut A,
    ) -> Explanation {
        let (mut tried, mut more) = (Vec::new(), 0);
        for route in 0..list.len() {
            let conditions = list.conditions(route as u32);
            let failed = conditions.iter().find(|condition| !condition.holds(self.scope(), attributes));
            if failed.is_some() && tried.len() >= TRIED_LIMIT {
                more += 1;
                continue;
            }
            let failed = failed.map(|condition| self.failed(condition, attributes));
            let matches = failed.is_none();
            let name = names.get(route).map(ToString::to_string).unwrap_or_default();
            tried.push(Tried { route, name, failed });
            if matches {
                return Explanation { tried, more, chosen: Some(route) };
            }
        }
        Explanation { tried, more, chosen: None }
    }

    /// The route that comes nearest to a request with these attributes, which none matches: the one of which the most
    /// conditions hold, of several the one of which the fewest do not, of several the first. Costly attributes are looked
    /// at only for routes of which all else holds. After [`NEAREST_LIMIT`] conditions it is the nearest so far.
    pub fn nearest<A: Attributes + ?Sized>(&self, attributes: &mut A) -> Option<Near> {
        let mut left = NEAREST_LIMIT;
        let mut best: Option<(Closeness, u32, &Condition)> = None;
        for route in self.compiled.selector.likely(self.scope(), attributes) {
            let Some((closeness, failed)) = self.closeness(route, &mut left, attributes) else { break };
            let is_nearer = |(known, place, _): &(Closeness, u32, _)| {
                (closeness.held, known.failed, *place) > (known.held, closeness.failed, route)
            };
            if let Some(failed) = failed
                && best.as_ref().is_none_or(is_nearer)
            {
                best = Some((closeness, route, failed));
            }
        }
        let (closeness, route, failed) = best?;
        let failed = Some(self.failed(failed, attributes));
        let (route, name) = (route as usize, self.compiled.names[route as usize].to_string());
        Some(Near { tried: Tried { route, name, failed }, more: closeness.failed - 1 })
    }

    /// How many conditions of a route hold, and the first that does not; `None`: not so many may be tried any more.
    fn closeness<A: Attributes + ?Sized>(
        &self,
        route: u32,
        left: &mut usize,
        attributes: &mut A,
    ) -> Option<(Closeness, Option<&Condition>)> {
        let conditions = self.compiled.selector.conditions(route);
        *left = left.checked_sub(conditions.len())?;
        let (mut closeness, mut first) = (Closeness::default(), None);
        for late in [false, true] {
            if late && closeness.failed > 0 {
                break;
            }
            for condition in conditions.iter().filter(|condition| condition.is_late(self.wanted()) == late) {
                if condition.holds(self.scope(), attributes) {
                    closeness.held += 1;
                } else {
                    closeness.failed += 1;
                    first = first.or(Some(condition));
                }
            }
        }
        Some((closeness, first))
    }

    fn failed<A: Attributes + ?Sized>(&self, condition: &Condition, attributes: &mut A) -> Failed {
        let index = condition.attribute as usize;
        let attribute = &self.wanted()[index];
        let actual = attributes.get(index, attribute);
        Failed {
            attribute: attribute.name().to_owned(),
            actual: actual.map(|value| String::from_utf8_lossy(value).into_owned()),
            expected: self.describe(condition, actual.map_or(0, <[u8]>::len)),
        }
    }

    /// The condition in words, for a value of `length` bytes.
    fn describe(&self, condition: &Condition, length: usize) -> String {
        let words = match &condition.test {
            Test::Exact(value) => format!("exact {}", Shown(&String::from_utf8_lossy(value))),
            Test::Prefix(value) => format!("prefix {}", Shown(&String::from_utf8_lossy(value))),
            Test::Regex(place) if length > REGEX_VALUE_LIMIT => {
                let source = &self.compiled.sources[*place as usize];
                format!("regex {source:?} (of at most {REGEX_VALUE_LIMIT} bytes; it has {length})")
            }
            Test::Regex(place) => format!("regex {:?}", self.compiled.sources[*place as usize]),
            Test::Present(present) => format!("present: {present}"),
        };
        if condition.negated { format!("not {words}") } else { words }
    }

    fn scope(&self) -> Scope<'_> {
        Scope { wanted: &self.compiled.wanted, regexes: &self.regexes }
    }
}

/// How near a route comes to a request.
#[derive(Debug, Clone, Copy, Default)]
struct Closeness {
    held: usize,
    failed: usize,
}

/// Attributes as they are met, each once.
struct Wanted<'a> {
    properties: &'a Properties,
    attributes: Vec<Attribute>,
    places: HashMap<Name<'a>, u32, FixedState>,
}

/// What makes two names the same attribute: the place for fields of the head, the exact spelling for all others, since
/// a message may have several that differ only in case.
#[derive(PartialEq, Eq, Hash)]
enum Name<'a> {
    Head(usize),
    Late(&'a str),
    Source,
}

impl<'a> Wanted<'a> {
    /// Conditions that must all hold, in the order in which they are tried.
    fn conditions(&mut self, matchers: &'a [AttributeMatcher], regexes: &Regexes) -> Vec<Condition> {
        let mut conditions: Vec<_> = matchers.iter().map(|matcher| compile(matcher, self, regexes)).collect();
        conditions.sort_by_key(|condition| condition.cost(&self.attributes));
        conditions
    }

    fn place(&mut self, name: &'a str) -> u32 {
        let attribute = Attribute::new(self.properties, name);
        let same = match attribute.key() {
            Key::Head(place) => Name::Head(place),
            Key::Late => Name::Late(name),
            Key::Source => Name::Source,
        };
        *self.places.entry(same).or_insert_with(|| {
            self.attributes.push(attribute);
            self.attributes.len() as u32 - 1
        })
    }
}

fn compile<'a>(matcher: &'a AttributeMatcher, wanted: &mut Wanted<'a>, regexes: &Regexes) -> Condition {
    let (negated, value) = match &matcher.matcher {
        Matcher::Is(value) => (false, value),
        Matcher::Not(value) => (true, value),
    };
    let test = match value {
        ValueMatcher::Exact(value) => Test::Exact(value.as_bytes().into()),
        ValueMatcher::Prefix(value) => Test::Prefix(value.as_bytes().into()),
        ValueMatcher::Regex(source) => Test::Regex(regexes.place(source).expect("all were compiled before")),
        ValueMatcher::Present(present) => Test::Present(*present),
    };
    Condition { attribute: wanted.place(&matcher.name), negated, test }
}
