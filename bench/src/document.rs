//! docs/benchmarks.md: sections that measurements write, and behind them what people wrote.
//!
//! Each section stands between two marks, so that one can be measured anew without the others.

/// A part of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its mark, and its name on the command line.
    pub name: &'static str,
    /// Its Markdown, heading included.
    pub text: String,
}

/// The document: `head`, every section of `order` (as measured now, or as it stands in the `old` document), `notes`.
pub fn merge(old: &str, head: &str, (order, measured): (&[&str], &[Section]), notes: &str) -> String {
    let mut out = format!("{}\n", head.trim_end());
    for name in order {
        let now = measured.iter().find(|section| section.name == *name);
        let Some(text) = now.map_or_else(|| between(old, name), |section| Some(section.text.trim())) else {
            continue;
        };
        out.extend(["\n", &begin(name), "\n\n", text, "\n\n", &end(name), "\n"]);
    }
    out.extend(["\n", notes.trim(), "\n"]);
    out
}

fn begin(name: &str) -> String {
    format!("<!-- {name} -->")
}

fn end(name: &str) -> String {
    format!("<!-- end of {name} -->")
}

fn between<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&begin(name))?;
    Some(rest.split_once(&end(name))?.0.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &'static str, text: &str) -> Section {
        Section { name, text: text.to_owned() }
    }

    #[test]
    fn a_section_that_was_not_measured_stays_as_it_was() {
        let order = ["one", "two", "three"];
        let both = [section("two", "old two"), section("one", "old one")];
        let first = merge("", "# Head", (&order, &both), "## Notes");
        assert!(first.find("old one") < first.find("old two"), "in the order asked for: {first}");
        let second = merge(&first, "# Head", (&order, &[section("two", "new two")]), "## Notes");
        assert!(second.contains("old one") && second.contains("new two") && !second.contains("old two"));
        assert!(!second.contains("three") && second.ends_with("## Notes\n"), "{second}");
        assert_eq!(merge(&second, "# Head", (&order, &[]), "## Notes"), second);
    }
}
