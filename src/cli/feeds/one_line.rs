//! JSON as part of one line, as it was written but for white space between its parts: numbers keep
//! their digits, and members their order.

/// The text without white space outside of strings.
pub fn one_line(json: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    let mut kept = String::with_capacity(json.len());
    for character in json.chars() {
        if is_text {
            is_text = is_escaped || character != '"';
            is_escaped = !is_escaped && character == '\\';
        } else if matches!(character, ' ' | '\t' | '\r' | '\n') {
            continue;
        } else {
            is_text = character == '"';
        }
        kept.push(character);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn only_white_space_between_parts_goes() {
        for (json, line) in [
            ("{ \"a\" : [1,\n 2e400 ] }\n", "{\"a\":[1,2e400]}"),
            ("\" a\\\" b\\\\\" ", "\" a\\\" b\\\\\""),
            ("[\"\\\\\", \" x \"]", "[\"\\\\\",\" x \"]"),
            ("-0.10", "-0.10"),
            ("", ""),
        ] {
            assert_eq!(one_line(json), line, "{json}");
        }
    }
}
