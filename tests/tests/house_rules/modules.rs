//! Which way modules look: lib.rs lists them in reading order, and each uses only those that stand below it.
//!
//! So a reader can start at the top and never needs what comes later to understand what stands here, and there is no
//! knot of modules that use each other.

use crate::source::{code_only, is_word, line_of, words};
use crate::tree;
use crate::{Breach, none_of};

/// Crates whose modules stand in reading order.
const ORDERED: [&str; 2] = ["meta-proxy", "controller"];

/// The modules of a crate in the order of its lib.rs, and where names that lib.rs re-exports come from.
struct Order {
    modules: Vec<String>,
    exports: Vec<(String, String)>,
}

impl Order {
    fn of(krate: &str) -> Self {
        let code = code_only(&tree::read(&format!("{krate}/src/lib.rs")));
        let mut order = Self { modules: Vec::new(), exports: Vec::new() };
        for line in code.split(';').map(str::trim) {
            let line =
                line.strip_prefix("pub").map_or(line, |line| line.trim_start_matches("(crate)").trim_start());
            if let Some(module) = line.strip_prefix("mod ") {
                order.modules.push(module.trim().to_owned());
            } else if let Some((module, names)) =
                line.strip_prefix("use ").and_then(|path| path.split_once("::"))
            {
                let module = module.trim_start_matches("crate::").to_owned();
                let names = names.split(|c| !is_word(c)).filter(|name| !name.is_empty());
                order.exports.extend(names.map(|name| (name.to_owned(), module.clone())));
            }
        }
        order
    }

    /// Place of the module that `name`, used as `crate::name`, belongs to.
    fn place(&self, name: &str) -> Option<usize> {
        let module =
            self.exports.iter().find(|(export, _)| export == name).map_or(name, |(_, module)| module);
        self.modules.iter().position(|known| known == module)
    }
}

/// The Rust files of a crate's library, each with the path of its module.
fn library(krate: &str) -> impl Iterator<Item = (String, Vec<String>)> {
    let start = format!("{krate}/src/");
    tree::rust().filter_map(move |path| {
        let inner = path.strip_prefix(&start)?.strip_suffix(".rs")?;
        let inner = inner.strip_suffix("/mod").unwrap_or(inner);
        let is_root = matches!(inner, "lib" | "main") || inner.starts_with("bin/");
        let module = inner.split('/').map(str::to_owned).collect();
        (!is_root).then(|| (path.clone(), module))
    })
}

/// The first name of each path that begins with `crate::`, and where it stands.
fn crate_paths(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for at in words(code, "crate") {
        let Some(rest) = code[at + "crate".len()..].strip_prefix("::") else { continue };
        let start = at + "crate::".len();
        match rest.strip_prefix('{') {
            None => found.push((start, name_at(rest))),
            Some(group) => found.extend(names_of_group(group).map(|(inner, name)| (start + 1 + inner, name))),
        }
    }
    found
}

fn name_at(rest: &str) -> &str {
    &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
}

/// The first name of each member of a `{…}`, whose opening brace has been taken.
fn names_of_group(group: &str) -> impl Iterator<Item = (usize, &str)> {
    let (mut depth, mut is_first) = (0_usize, true);
    let mut starts = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_first = true,
            c if is_word(c) && is_first => {
                starts.push(at);
                is_first = false;
            }
            _ => {}
        }
    }
    starts.into_iter().map(|at| (at, name_at(&group[at..])))
}

#[test]
fn modules_use_only_those_below_them() {
    let mut breaches = Vec::new();
    for krate in ORDERED {
        let order = Order::of(krate);
        assert!(!order.modules.is_empty(), "{krate}/src/lib.rs lists its modules");
        for (path, module) in library(krate) {
            let Some(place) = order.modules.iter().position(|known| *known == module[0]) else {
                breaches
                    .push(Breach::new(&path, format!("{krate}/src/lib.rs lists no module {}", module[0])));
                continue;
            };
            let code = code_only(&tree::read(&path));
            for (at, name) in crate_paths(&code) {
                let text = match order.place(name) {
                    Some(used) if used >= place => continue,
                    Some(used) => format!(
                        "{} uses {}, which stands above it in {krate}/src/lib.rs: use only modules below, or move what is shared down",
                        module[0], order.modules[used],
                    ),
                    None => format!("crate::{name} is no module or re-export of {krate}/src/lib.rs"),
                };
                breaches.push(Breach::at(&path, line_of(&code, at), text));
            }
        }
    }
    none_of(&breaches);
}

/// How many modules with a body (`mod tests { … }`) enclose the byte at `offset`.
fn inline_modules(code: &str, offset: usize) -> usize {
    let mut open = Vec::new();
    let mut statement = 0;
    for (at, c) in code[..offset].char_indices() {
        match c {
            '{' => {
                open.push(words(&code[statement..at], "mod").next().is_some());
                statement = at + 1;
            }
            '}' => {
                open.pop();
                statement = at + 1;
            }
            ';' => statement = at + 1,
            _ => {}
        }
    }
    open.into_iter().filter(|is_module| *is_module).count()
}

#[test]
fn nobody_reaches_out_of_a_module_by_super() {
    let mut breaches = Vec::new();
    for krate in ORDERED {
        for (path, module) in library(krate) {
            let code = code_only(&tree::read(&path));
            for at in words(&code, "super") {
                let text = if code[at..].starts_with("super::super") {
                    "super::super: write crate::… instead"
                } else if module.len() + inline_modules(&code, at) < 2 {
                    "super:: leads out of the top-level module: write crate::… instead"
                } else {
                    continue;
                };
                breaches.push(Breach::at(&path, line_of(&code, at), text));
            }
        }
    }
    none_of(&breaches);
}

#[test]
fn paths_are_found_alone_and_in_groups() {
    let code = "use crate::a::b; use crate::{c::{d, e}, f,\n g}; fn x() { crate::h() } pub(crate) fn y() {}";
    let names: Vec<_> = crate_paths(code).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "c", "f", "g", "h"]);
    let code = "fn a() {} mod tests { fn b() { super } }";
    assert_eq!(inline_modules(code, code.find("super").expect("it stands there")), 1);
}
