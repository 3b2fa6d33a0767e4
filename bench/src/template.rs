//! Configurations of the proxies are committed templates, in which `{{name}}` stands for what is known only at run time.

use anyhow::{Context, bail, ensure};

/// Puts values into a template. A placeholder without a value, and a value without a placeholder, are errors.
/// Comments (lines that begin with `#`) are left out, so that they may name placeholders.
pub fn fill(template: &str, values: &[(&str, &str)]) -> anyhow::Result<String> {
    let lines: Vec<_> = template.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let template = lines.join("\n") + "\n";
    for (name, _) in values {
        ensure!(template.contains(&format!("{{{{{name}}}}}")), "the template has no {{{{{name}}}}}");
    }
    let (mut out, mut rest) = (String::new(), &*template);
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").context("a placeholder of the template is not closed")?;
        let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
            bail!("nothing is known for the placeholder {{{{{name}}}}}");
        };
        out.extend([before, value]);
        rest = after;
    }
    Ok(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_and_comments_left_out() {
        let filled = fill("# {{port}} is the port\na: {{port}}, {{port}}\n", &[("port", "1")]).unwrap();
        assert_eq!(filled, "a: 1, 1\n");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let unknown = fill("a: {{nobody}}", &[]).unwrap_err().to_string();
        assert!(unknown.contains("{{nobody}}"), "{unknown}");
        let unused = fill("a: 1", &[("port", "1")]).unwrap_err().to_string();
        assert!(unused.contains("{{port}}"), "{unused}");
        assert!(fill("a: {{port", &[]).is_err());
    }
}
