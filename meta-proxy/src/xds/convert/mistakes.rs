//! What is wrong with a resource, collected.

use std::fmt;

use ::xds::{Rejection, Resource};

/// Mistakes of one resource that are reported; of more, only the number is told.
pub const MISTAKES_LIMIT: usize = 50;

/// The mistakes found so far in one resource.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    list: Vec<(String, String)>,
    more: usize,
    /// How many are of files that the resource names.
    of_files: usize,
}

impl Mistakes {
    /// Notes that `field` is wrong. `message` says what is wrong, and what would be right.
    pub(crate) fn add(&mut self, field: impl fmt::Display, message: impl Into<String>) {
        if self.list.len() < MISTAKES_LIMIT {
            self.list.push((field.to_string(), message.into()));
        } else {
            self.more += 1;
        }
    }

    /// Notes that a file which `field` names is wrong: it may be mended without another version of the resource.
    pub(crate) fn add_of_file(&mut self, field: impl fmt::Display, message: impl Into<String>) {
        self.of_files += 1;
        self.add(field, message);
    }

    /// Whether there are mistakes, and all are of files.
    pub(crate) fn are_of_files(&self) -> bool {
        self.of_files > 0 && self.of_files == self.list.len() + self.more
    }

    /// Notes that `field` would have no effect.
    pub(crate) fn add_unsupported(&mut self, field: impl fmt::Display) {
        self.add(field, "not supported yet");
    }

    /// The mistakes as those of `resource`.
    pub(crate) fn into_rejections(self, resource: &Resource) -> Vec<Rejection> {
        let rejection =
            |(field, message)| Rejection { kind: resource.kind, name: resource.name.clone(), field, message };
        let mut rejections: Vec<_> = self.list.into_iter().map(rejection).collect();
        if let (Some(last), 1..) = (rejections.last_mut(), self.more) {
            last.message = format!("{} (and {} more mistakes in this resource)", last.message, self.more);
        }
        rejections
    }
}

/// The path of `field` inside the message at `at`; the resource itself is at the empty path.
pub(crate) fn path(at: &str, field: &str) -> String {
    if at.is_empty() { field.to_owned() } else { format!("{at}.{field}") }
}

/// Leaves `field` empty and tells whether it was set.
pub(crate) fn take_set<T: Default + PartialEq>(field: &mut T) -> bool {
    let empty = T::default();
    std::mem::replace(field, empty) != T::default()
}

/// Refuses every field that is still set in a message out of which all that is served has been taken. The fields named
/// are reported by their names; should the list lack one, it is refused all the same.
macro_rules! refuse_rest {
    ($message:expr, $at:expr, $mistakes:expr, [$($field:ident),* $(,)?]) => {{
        let (mut message, at): (_, &str) = ($message, $at);
        let mistakes: &mut $crate::xds::convert::mistakes::Mistakes = &mut *$mistakes;
        $(
            if $crate::xds::convert::mistakes::take_set(&mut message.$field) {
                mistakes.add_unsupported($crate::xds::convert::mistakes::path(at, stringify!($field)));
            }
        )*
        if $crate::xds::convert::mistakes::take_set(&mut message) {
            let at = if at.is_empty() { "body" } else { at };
            mistakes.add(at, "has a field set that this proxy does not know");
        }
    }};
}
pub(crate) use refuse_rest;

#[cfg(test)]
mod tests {
    use ::xds::{Resource, ResourceType, v1};

    use crate::xds::convert::mistakes::{MISTAKES_LIMIT, Mistakes};

    fn resource() -> Resource {
        Resource::new(ResourceType::Cluster, "c".to_owned(), "1".to_owned(), &v1::Mirror::default())
    }

    #[test]
    fn a_field_that_no_list_names_is_refused_all_the_same() {
        let mut mistakes = Mistakes::default();
        let message = v1::Mirror { cluster: "c".to_owned(), millionths: 1, writes_only: false };
        refuse_rest!(message, "", &mut mistakes, [cluster]);
        let rejections = mistakes.into_rejections(&resource());
        let texts: Vec<_> = rejections.iter().map(ToString::to_string).collect();
        let expected = [
            "cluster c: cluster: not supported yet",
            "cluster c: body: has a field set that this proxy does not know",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn of_very_many_mistakes_only_the_number_is_told() {
        let mut mistakes = Mistakes::default();
        for number in 0..MISTAKES_LIMIT + 3 {
            mistakes.add(format_args!("routes[{number}]"), "wrong");
        }
        let rejections = mistakes.into_rejections(&resource());
        assert_eq!(rejections.len(), MISTAKES_LIMIT);
        assert_eq!(rejections[MISTAKES_LIMIT - 1].message, "wrong (and 3 more mistakes in this resource)");
    }
}
