//! `metactl status`: how each object of a controller stands.

use std::process::ExitCode;

use controller::ads::ObjectStatus;

use crate::cli::OfController;
use crate::pages::{columns, page};

/// Prints a table, and what is wrong; exit code 1 if something is not in force as it is written.
pub fn object_status(of: &OfController) -> Result<ExitCode, String> {
    let objects: Vec<ObjectStatus> = page(of, "/objects")?;
    print!("{}", table(&objects));
    let is_wrong = |one: &ObjectStatus| one.has_mistake || !one.refused.is_empty();
    Ok(if objects.iter().any(is_wrong) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn table(objects: &[ObjectStatus]) -> String {
    let mut rows = vec![["OBJECT", "ACCEPTED", "PROGRAMMED"].map(str::to_owned)];
    for one in objects.iter().filter(|one| !one.object.is_empty()) {
        let accepted = if one.has_mistake { "no" } else { "yes" };
        let programmed = match (one.programmed, one.proxies) {
            (Some(programmed), Some(proxies)) => format!("{programmed} of {proxies}"),
            _ => "-".to_owned(),
        };
        rows.push([one.object.clone(), accepted.to_owned(), programmed]);
    }
    let said = objects.iter().flat_map(|one| one.says.iter().chain(&one.refused));
    said.fold(columns(&rows), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_how_each_object_stands_and_what_is_wrong() {
        let object = |object: &str, programmed: Option<u32>, has_mistake| ObjectStatus {
            object: object.to_owned(),
            proxies: programmed.map(|_| 2),
            programmed,
            has_mistake,
            says: if has_mistake { vec![format!("error: {object}: no")] } else { vec![] },
            refused: if programmed == Some(1) {
                vec![format!("{object}: proxy a refused it")]
            } else {
                vec![]
            },
        };
        let objects = [
            object("MetaRouter shop/carts", None, true),
            object("MetaRouter shop/orders", Some(2), false),
            object("MetaRouter shop/users", Some(1), false),
        ];
        let expected = "\
OBJECT                  ACCEPTED  PROGRAMMED
MetaRouter shop/carts   no        -
MetaRouter shop/orders  yes       2 of 2
MetaRouter shop/users   yes       1 of 2
error: MetaRouter shop/carts: no
MetaRouter shop/users: proxy a refused it
";
        assert_eq!(table(&objects), expected);
    }
}
