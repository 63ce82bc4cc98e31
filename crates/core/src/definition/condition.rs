//! Reads a `when:` against the attributes a flag declares.

use super::decode::{Decoder, decimal, list};
use super::finding::{Code, quoted};
use super::segment_names::SegmentNames;
use super::tree::{Kind, Node};
use super::wanted::Wanted;
use crate::flag::{
    AttributeName, AttributeType, BooleanPredicate, Clause, Comparison, Condition, NumberPredicate,
    Predicate, TextPredicate, Version, VersionPredicate,
};

/// The keys of a condition that are not attributes; no attribute may be declared under these names.
pub const RESERVED: [&str; 2] = ["segment", "not"];

/// A flag's declarations, as far as conditions need them.
pub struct Declared<'a> {
    pub attributes: &'a [(AttributeName, AttributeType)],
}

impl Declared<'_> {
    pub fn get(&self, name: &str) -> Option<&AttributeType> {
        self.attributes.iter().find(|(other, _)| other.as_str() == name).map(|(_, kind)| kind)
    }
}

pub fn condition(
    d: &mut Decoder,
    node: &Node,
    declared: &Declared,
    segments: &mut SegmentNames,
) -> Option<Condition> {
    let record = d.map(node, "`when`")?;
    if record.entries.is_empty() {
        d.report(
            record.place,
            Code::EmptyEntry,
            "an empty `when` asks nothing",
            Some("name an attribute, or remove it".into()),
        );
        return None;
    }
    let mut parts = Vec::new();
    for (name, value) in record.entries {
        let part = match &*name.text {
            "segment" => segments.read_any(d, value).map(Clause::Segment),
            "not" => condition(d, value, declared, segments).map(Clause::Not),
            attribute => match (attribute, declared.get(attribute)) {
                ("email", _) => email(d, value),
                (_, Some(kind)) => comparison(d, value, attribute, kind),
                (_, None) => {
                    let names = || declared.attributes.iter().map(|(name, _)| name.as_str());
                    let hint = match d.similar(attribute, names().chain(RESERVED).chain(["email"]))
                    {
                        _ if matches!(attribute, "or" | "any" | "any_of" | "and" | "all") => {
                            format!("there is no `{attribute}`: all parts must hold; write a list of values, or two rules")
                        }
                        _ if matches!(attribute, "users" | "emails" | "domains") => {
                            format!("`{attribute}` stands beside `when`, in an entry of `deny` or `allow`")
                        }
                        Some(meant) if attribute != "email_verified" => {
                            format!("did you mean `{meant}`?")
                        }
                        _ if AttributeName::accepts(attribute) => {
                            let kind = type_meant(value);
                            format!("declare it: `attributes: {{ {attribute}: {kind} }}`")
                        }
                        _ => "declare it under `attributes`, with a name of letters, digits, `_`, `.` and `-`".to_owned(),
                    };
                    d.report(
                        name.place,
                        Code::UnknownAttribute,
                        format!("{} is not declared", quoted(attribute)),
                        Some(hint),
                    );
                    None
                }
            }
            .and_then(|comparison| {
                let name = d.parsed_name(attribute, name.place, "an attribute's name")?;
                Some(Clause::Attribute { name, comparison })
            }),
        };
        parts.push(part);
    }
    // Each part that could not be read was reported. Unless all were read there is no condition.
    parts.into_iter().collect::<Option<Vec<Clause>>>().map(|parts| Condition { parts })
}

fn comparison(
    d: &mut Decoder,
    node: &Node,
    name: &str,
    kind: &AttributeType,
) -> Option<Comparison> {
    match kind {
        // The declaration could not be read, which was reported at the declaration.
        AttributeType::Words(words) if words.is_empty() => None,
        AttributeType::Words(words) => {
            test(d, node, name, &mut |d, operator, value| match operator {
                Operator::AnyOf => {
                    check_words(d, value, name, words);
                    text_values(d, value, name).map(TextPredicate::AnyOf)
                }
                other => refuse(d, other, value, name, "a list of words"),
            })
            .map(Comparison::Text)
        }
        AttributeType::Text => {
            test(d, node, name, &mut |d, operator, value| text_test(d, operator, value, name))
                .map(Comparison::Text)
        }
        AttributeType::Number => test(d, node, name, &mut |d, operator, value| {
            let number = |d: &mut Decoder| {
                let node = value.only(d, name)?;
                d.number(node, &format!("`{name}`"))
            };
            match operator {
                Operator::AnyOf => {
                    let numbers: Vec<_> = value
                        .nodes()
                        .iter()
                        .map(|node| d.number(node, &format!("`{name}`")))
                        .collect();
                    numbers.into_iter().collect::<Option<_>>().map(NumberPredicate::AnyOf)
                }
                Operator::Below => number(d).map(NumberPredicate::Below),
                Operator::AtLeast => number(d).map(NumberPredicate::AtLeast),
                other => refuse(d, other, value, name, "a number"),
            }
        })
        .map(Comparison::Number),
        AttributeType::Version => test(d, node, name, &mut |d, operator, value| match operator {
            Operator::AnyOf => {
                let versions: Vec<_> =
                    value.nodes().iter().map(|node| version(d, node, name)).collect();
                versions.into_iter().collect::<Option<_>>().map(VersionPredicate::AnyOf)
            }
            Operator::Below => value
                .only(d, name)
                .and_then(|node| version(d, node, name))
                .map(VersionPredicate::Below),
            Operator::AtLeast => value
                .only(d, name)
                .and_then(|node| version(d, node, name))
                .map(VersionPredicate::AtLeast),
            other => refuse(d, other, value, name, "a version"),
        })
        .map(Comparison::Version),
        AttributeType::Boolean => test(d, node, name, &mut |d, operator, value| match operator {
            Operator::AnyOf => value
                .only(d, name)
                .and_then(|node| d.boolean(node, &format!("`{name}`")))
                .map(BooleanPredicate::Is),
            other => refuse(d, other, value, name, "a boolean"),
        })
        .map(Comparison::Boolean),
    }
}

/// The address needs no declaration; it is compared in ASCII lower case.
fn email(d: &mut Decoder, node: &Node) -> Option<Comparison> {
    let folded = |test| match test {
        TextPredicate::AnyOf(any) => {
            TextPredicate::AnyOf(any.iter().map(|text| fold(text)).collect())
        }
        TextPredicate::StartsWith(text) => TextPredicate::StartsWith(fold(&text)),
        TextPredicate::EndsWith(text) => TextPredicate::EndsWith(fold(&text)),
    };
    test(d, node, "email", &mut |d, operator, value| {
        text_test(d, operator, value, "email").map(folded)
    })
    .map(Comparison::Email)
}

fn fold(text: &str) -> Box<str> {
    text.to_ascii_lowercase().into()
}

fn text_test(
    d: &mut Decoder,
    operator: Operator,
    value: Operand,
    name: &str,
) -> Option<TextPredicate> {
    match operator {
        Operator::AnyOf => text_values(d, value, name).map(TextPredicate::AnyOf),
        Operator::StartsWith => part_of_text(d, value, name).map(TextPredicate::StartsWith),
        Operator::EndsWith => part_of_text(d, value, name).map(TextPredicate::EndsWith),
        other => refuse(d, other, value, name, "text"),
    }
}

fn text_values(d: &mut Decoder, value: Operand, name: &str) -> Option<Vec<Box<str>>> {
    let text_values: Vec<_> = value
        .nodes()
        .iter()
        .map(|node| d.scalar(node, &format!("`{name}`")).map(Box::from))
        .collect();
    text_values.into_iter().collect()
}

fn part_of_text(d: &mut Decoder, value: Operand, name: &str) -> Option<Box<str>> {
    let node = value.only(d, name)?;
    let text = d.scalar(node, &format!("`{name}`"))?;
    if text.is_empty() {
        d.report(
            node.place,
            Code::BadText,
            "every text starts and ends with nothing",
            Some("write at least one character".into()),
        );
        return None;
    }
    Some(text.into())
}

/// The type that an attribute is declared of, if a rule or a test compares it with this.
pub fn type_meant(value: &Node) -> &'static str {
    match &value.kind {
        Kind::Scalar { text, plain: true } if matches!(&**text, "true" | "false") => "boolean",
        Kind::Scalar { text, plain: true } if decimal(text).is_some() => "number",
        Kind::Scalar { text, .. } if Version::new(text).is_some() && text.contains('.') => {
            "version"
        }
        Kind::Scalar { .. } => "text",
        Kind::List(items) => items.first().map_or("text", type_meant),
        Kind::Map(entries) => match entries.first() {
            Some((operator, value)) if matches!(&*operator.text, "below" | "at_least" | "not") => {
                type_meant(value)
            }
            _ => "text",
        },
    }
}

/// The comparison that may have been meant by a text such as `>= 2.10`.
fn comparison_meant(text: &str) -> Option<String> {
    let version = text.trim_start_matches(['<', '>', '=', '~', '^', ' ']);
    Version::new(version).filter(|_| version != text)?;
    Some(match text.as_bytes() {
        [b'<', b'=', ..] => {
            format!("write {{ not: {{ at_least: … }} }} with the version after {version}")
        }
        [b'<', ..] => format!("write {{ below: \"{version}\" }}"),
        _ => format!("write {{ at_least: \"{version}\" }}"),
    })
}

fn version(d: &mut Decoder, node: &Node, name: &str) -> Option<Box<str>> {
    let text = d.scalar(node, &format!("`{name}`"))?;
    if Version::new(text).is_none() {
        let hint = comparison_meant(text)
            .unwrap_or_else(|| "like 2.10, 2.10.1 or 3.0.0-beta.1".to_owned());
        d.report(
            node.place,
            Code::BadVersion,
            format!("`{text}` is no dotted version"),
            Some(hint),
        );
        return None;
    }
    Some(text.into())
}

/// Checks that a word in a rule is a declared one; a typo would silently match no user.
fn check_words(d: &mut Decoder, value: Operand, name: &str, words: &[String]) {
    for node in value.nodes() {
        let Kind::Scalar { text, .. } = &node.kind else { continue };
        if !node.is_null() && !words.iter().any(|word| **word == **text) {
            let words = || words.iter().map(String::as_str);
            let hint = match d.similar(text, words()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("declared are {}", list(words())),
            };
            d.report(
                node.place,
                Code::UnknownWord,
                format!("`{text}` is not a declared value of `{name}`"),
                Some(hint),
            );
        }
    }
}

#[derive(Clone, Copy)]
pub enum Operator {
    AnyOf,
    Below,
    AtLeast,
    StartsWith,
    EndsWith,
}

pub const OPERATORS: [(&str, Operator); 4] = [
    ("below", Operator::Below),
    ("at_least", Operator::AtLeast),
    ("starts_with", Operator::StartsWith),
    ("ends_with", Operator::EndsWith),
];

/// The value of an operator: a single value or a list.
#[derive(Clone, Copy)]
struct Operand<'n>(&'n Node);

impl<'n> Operand<'n> {
    fn nodes(self) -> &'n [Node] {
        match &self.0.kind {
            Kind::List(items) => items,
            _ => std::slice::from_ref(self.0),
        }
    }

    fn only(self, d: &mut Decoder, name: &str) -> Option<&'n Node> {
        match &self.0.kind {
            Kind::Scalar { .. } if !self.0.is_null() => Some(self.0),
            _ => d.wrong_type(
                self.0,
                &format!("`{name}` is compared with a single value"),
                Wanted::Single,
            ),
        }
    }
}

/// A value, a list, or a map of operators; `leaf` reads the value of one operator.
fn test<T>(
    d: &mut Decoder,
    node: &Node,
    name: &str,
    leaf: &mut dyn FnMut(&mut Decoder, Operator, Operand) -> Option<T>,
) -> Option<Predicate<T>> {
    let Kind::Map(entries) = &node.kind else {
        return leaf(d, Operator::AnyOf, Operand(node)).map(Predicate::One);
    };
    if entries.is_empty() {
        let hint = format!("write a value, a list, or one of {}", operators());
        d.report(
            node.place,
            Code::EmptyEntry,
            format!("`{name}` is compared with nothing"),
            Some(hint),
        );
        return None;
    }
    let mut tests = Vec::new();
    for (operator, value) in entries {
        let test = match OPERATORS.iter().find(|(word, _)| *word == &*operator.text) {
            Some((_, operator)) => leaf(d, *operator, Operand(value)).map(Predicate::One),
            None if &*operator.text == "not" => {
                test(d, value, name, leaf).map(|test| Predicate::Not(Box::new(test)))
            }
            None => {
                let words = OPERATORS.iter().map(|(word, _)| *word).chain(["not"]);
                let hint = d.similar(&operator.text, words).map_or_else(
                    || format!("there are {}", operators()),
                    |meant| format!("did you mean `{meant}`?"),
                );
                let message = format!("unknown comparison `{}` of `{name}`", operator.text);
                d.report(operator.place, Code::UnknownKey, message, Some(hint));
                None
            }
        };
        tests.push(test);
    }
    tests.into_iter().collect::<Option<_>>().map(Predicate::All)
}

fn operators() -> String {
    list(OPERATORS.iter().map(|(word, _)| *word).chain(["not"]))
}

fn refuse<T>(
    d: &mut Decoder,
    operator: Operator,
    value: Operand,
    name: &str,
    kind: &str,
) -> Option<T> {
    let word = OPERATORS
        .iter()
        .find(|(_, other)| std::mem::discriminant(other) == std::mem::discriminant(&operator));
    let word = word.map_or("a list", |(word, _)| word);
    let hint = "`below` and `at_least` are for numbers and versions, `starts_with` and `ends_with` for text".to_owned();
    d.report(
        value.0.place,
        Code::WrongComparison,
        format!("`{name}` is {kind}: it has no `{word}`"),
        Some(hint),
    );
    None
}
