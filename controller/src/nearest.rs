//! "Did you mean …?": the name that is nearest to what was written.
//!
//! Used wherever a message can say what would be right. It costs the product of the lengths, so long names are left out.

/// Names longer than this get no suggestion.
const LONGEST: usize = 253;

/// The candidate with the fewest edits from `name`, if that is few enough to be a slip: a third of the letters.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .filter_map(|candidate| Some((distance(name, candidate)?, candidate)))
        .filter(|(edits, candidate)| *edits <= 1.max(candidate.len().min(name.len()) / 3))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean …?)`, or nothing.
pub(crate) fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |candidate| format!(" (did you mean `{candidate}`?)"))
}

/// Edits of one letter, a swap of neighbours counting as one, regardless of ASCII case.
fn distance(a: &str, b: &str) -> Option<usize> {
    if a.len() > LONGEST || b.len() > LONGEST {
        return None;
    }
    let a: Vec<char> = a.to_ascii_lowercase().chars().collect();
    let b: Vec<char> = b.to_ascii_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut best = (last[j] + usize::from(a[i] != b[j])).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        let fields = ["weight", "destination", "host"];
        assert_eq!(nearest("wieght", fields), Some("weight"));
        assert_eq!(nearest("Weight", fields), Some("weight"));
        assert_eq!(nearest("destinations", fields), Some("destination"));
    }

    #[test]
    fn a_different_word_finds_nothing() {
        assert_eq!(nearest("retries", ["weight", "destination", "host"]), None);
        assert_eq!(nearest(&"x".repeat(300), ["x"]), None);
    }
}
