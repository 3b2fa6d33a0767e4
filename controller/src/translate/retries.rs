//! When a request that was sent is sent again.

use std::sync::LazyLock;
use std::time::Duration;

use crds::{Definition, JSONSchemaProps, JSONSchemaPropsOrArray, RouteMatch};
use serde_json::Value;

use super::matchers;
use super::model::{AttributeMatcher, Retries};
use super::routes::Reader;
use crate::schema::{self, Findings};
use crate::tree::{FieldPath, Node};

/// Kinds of requests that a route may list as idempotent: the proxy's limit.
const IDEMPOTENT_LIMIT: usize = 64;

/// The schema of a route's `match`, which is that of an item of `idempotent` as well.
static MATCH: LazyLock<Option<JSONSchemaProps>> = LazyLock::new(|| {
    let definition = Definition::of_kind("MetaRouter")?;
    let routes = definition.schema().properties.as_ref()?.get("spec")?.properties.as_ref()?.get("routes")?;
    let JSONSchemaPropsOrArray::Schema(route) = routes.items.as_ref()? else { return None };
    route.properties.as_ref()?.get("match").cloned()
});

impl Reader<'_, '_> {
    /// The `retries` of a route, whose own timeout is `timeout`; they stand at `path`.
    pub(super) fn retries(
        &mut self,
        route: &crds::Route,
        timeout: Option<Duration>,
        path: &FieldPath,
    ) -> Option<Retries> {
        let retries = route.retries.as_ref()?;
        let per_try_timeout = retries
            .per_try_timeout
            .as_deref()
            .and_then(|text| self.per_try_timeout(text, timeout, &path.field("perTryTimeout")));
        let idempotent = self.idempotent(&retries.idempotent, &path.field("idempotent"))?;
        Some(Retries { attempts: retries.attempts, per_try_timeout, idempotent })
    }

    fn per_try_timeout(
        &mut self,
        text: &str,
        timeout: Option<Duration>,
        path: &FieldPath,
    ) -> Option<Duration> {
        let time = self.timeout(text, path)?;
        let whole = timeout.filter(|timeout| !timeout.is_zero());
        let problem = match whole {
            _ if time.is_zero() => {
                "must be more than 0s; leave it out where a try has no limit of its own".into()
            }
            Some(whole) if time >= whole => {
                format!(
                    "{text} is not less than the route's timeout, so that no try would come to an end by it"
                )
            }
            _ => return Some(time),
        };
        self.problem(path, problem);
        None
    }

    /// The conditions of which one must hold.
    fn idempotent(&mut self, value: &Value, path: &FieldPath) -> Option<Vec<Vec<AttributeMatcher>>> {
        let problem = match value {
            Value::Bool(true) => return Some(vec![Vec::new()]),
            Value::Bool(false) => "false leaves nothing to be tried again; leave `retries` out".to_owned(),
            Value::Array(items) if items.is_empty() => {
                "is an empty list, which leaves nothing to be tried again; leave `retries` out".to_owned()
            }
            Value::Array(items) if items.len() <= IDEMPOTENT_LIMIT => {
                let read = items.iter().enumerate().map(|(i, item)| self.requests(item, &path.index(i)));
                // All are read, for the sake of their mistakes.
                return read.collect::<Vec<_>>().into_iter().collect();
            }
            Value::Array(items) => {
                format!("has {} items, must have at most {IDEMPOTENT_LIMIT}", items.len())
            }
            _ => "must be true, or a list such as [{attributes: {method: {prefix: get}}}]".to_owned(),
        };
        self.problem(path, problem);
        None
    }

    /// The conditions of one item, which no schema has seen yet.
    fn requests(&mut self, item: &Value, path: &FieldPath) -> Option<Vec<AttributeMatcher>> {
        let mut findings = Findings::default();
        let schema = MATCH.as_ref().expect("the definition is our own");
        let checked = schema::check(&Node::of_json(item), schema, path, &mut findings);
        let found = findings.unknown.into_iter().chain(findings.invalid).collect::<Vec<_>>();
        if !found.is_empty() {
            for (path, message) in found {
                self.problem(&path, message);
            }
            return None;
        }
        let requests: RouteMatch =
            serde_json::from_value(checked).map_err(|error| self.problem(path, error.to_string())).ok()?;
        if requests.attributes.is_empty() {
            self.problem(
                path,
                "has no attributes, which every request would match; write `idempotent: true`",
            );
            return None;
        }
        let read = matchers::read(self.router, Some(&requests), path, self.report);
        if read.is_none() {
            self.note_problem(path, "cannot be read");
        }
        read
    }
}
