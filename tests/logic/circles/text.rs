//! The code of a source file without what is not code of the program: comments, texts and test
//! modules.

/// The code with comments left out, and texts and characters empty.
pub fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_text(rest).filter(|_| !ends_in_word(&out)) {
            out.push_str("\"\"");
            length
        } else if rest.starts_with('"') {
            out.push_str("\"\"");
            plain_text(rest)
        } else {
            character(rest)
        };
        if skipped > 0 {
            at += skipped;
            continue;
        }
        let next = rest.chars().next().map_or(1, char::len_utf8);
        out.push_str(&rest[..next]);
        at += next;
    }
    out
}

/// The code without test modules, and the names of the files that are test modules.
pub fn without_tests(code: &str) -> (String, Vec<String>) {
    let (mut out, mut files) = (String::new(), Vec::new());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        rest = rest[at + "#[cfg(test)]".len()..].trim_start();
        while rest.starts_with("#[") {
            rest = rest[end_of(rest, '[', ']')..].trim_start();
        }
        let item = rest.find([';', '{']).unwrap_or(rest.len());
        if let Some(name) = rest[..item].trim().strip_prefix("mod ") {
            files.push(name.trim().to_owned());
        }
        let is_block = rest[item..].starts_with('{');
        rest = &rest[if is_block { item + end_of(&rest[item..], '{', '}') } else { item }..];
    }
    out.push_str(rest);
    (out, files)
}

/// The bodies of the modules written inside the file, by name, and the code around them.
pub fn inner_modules(code: &str) -> (String, Vec<(String, String)>) {
    let (mut out, mut inner) = (String::new(), Vec::new());
    let mut rest = code;
    while let Some(at) = rest.find("mod ") {
        let is_word = rest[..at].chars().next_back().is_none_or(char::is_whitespace);
        let name: String = rest[at + 4..]
            .chars()
            .take_while(|character| character.is_alphanumeric() || *character == '_')
            .collect();
        let behind = at + 4 + name.len();
        let body = rest[behind..].trim_start();
        if is_word && !name.is_empty() && body.starts_with('{') {
            let start = rest.len() - body.len();
            let end = start + end_of(body, '{', '}');
            out.push_str(&rest[..at]);
            inner.push((name, rest[start..end].to_owned()));
            rest = &rest[end..];
        } else {
            out.push_str(&rest[..behind]);
            rest = &rest[behind..];
        }
    }
    out.push_str(rest);
    (out, inner)
}

/// Where the bracket that a text begins with is closed.
fn end_of(text: &str, open: char, close: char) -> usize {
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        if character == open {
            depth += 1;
        } else if character == close {
            depth -= 1;
            if depth == 0 {
                return at + close.len_utf8();
            }
        }
    }
    text.len()
}

fn ends_in_word(out: &str) -> bool {
    out.chars().next_back().is_some_and(|last| last.is_alphanumeric() || last == '_')
}

/// The length of a raw text, such as `r#"…"#`.
fn raw_text(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r')?;
    let hashes = inside.len() - inside.trim_start_matches('#').len();
    let body = inside[hashes..].strip_prefix('"')?;
    let end = body.find(&format!("\"{}", "#".repeat(hashes)))?;
    Some(rest.len() - body.len() + end + 1 + hashes)
}

/// The length of a text in quotes.
fn plain_text(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character, such as `'"'` or `'\''`; 0 for a lifetime and for other code.
fn character(rest: &str) -> usize {
    let mut characters = rest.char_indices();
    if characters.next().is_none_or(|(_, first)| first != '\'') {
        return 0;
    }
    match characters.next() {
        Some((_, '\\')) => rest[3.min(rest.len())..].find('\'').map_or(0, |end| end + 4),
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}
