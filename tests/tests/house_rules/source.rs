//! Rust source without what the compiler does not look at, so that rules are not broken by a comment or a text.

/// `text` with comments and the insides of literals made blank. Lines stay where they are.
pub fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_after_word = false;
    while let Some(first) = rest.chars().next() {
        let length = blank(rest, is_after_word).unwrap_or(0);
        if length > 0 {
            code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
            is_after_word = false;
        } else {
            code.push(first);
            is_after_word = is_word(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length of the comment or literal at the start of `rest`.
fn blank(rest: &str, is_after_word: bool) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"'));
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    let prefix =
        ["br", "cr", "r"].into_iter().find(|prefix| rest.starts_with(prefix)).filter(|_| !is_after_word)?;
    let hashes = rest[prefix.len()..].chars().take_while(|c| *c == '#').count();
    let start = prefix.len() + hashes;
    if !rest[start..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inner = rest[start + 1..].find(&end).unwrap_or(rest.len() - start - 1);
    Some((start + 1 + inner + end.len()).min(rest.len()))
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal; `None`: a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        return Some(quoted(rest, '\''));
    }
    match chars.next() {
        Some((at, '\'')) => Some(at + 1),
        _ => None,
    }
}

/// The line, from 1, on which the byte at `offset` stands.
pub fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// Where `word` stands in `code` as a word of its own.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[test]
fn comments_and_literals_are_blank_and_lines_stay() {
    let rows = [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("crate::x\"", 'c', '\'', b'"')"#, "f(            ,    ,     , b   )"),
        ("r#\"crate::\"x\"# y", "               y"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("var\"x\"", "var   "),
    ];
    for (text, code) in rows {
        assert_eq!(code_only(text), code, "{text}");
    }
    assert_eq!(words("super supers a::super", "super").collect::<Vec<_>>(), [0, 16]);
}
