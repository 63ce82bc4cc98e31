//! A case, how to write one, and what must hold for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use turnout_core::definition::{
    Code, DefinitionSet, File, Finding, FlagFiles, Subject, Text, render,
};

use super::shipped::{check_place, form};

/// The valid head of a flag; the lines of a case start below it, on line 6.
pub const HEAD: &str =
    "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\n";
pub const FLAG: &str = "chat.yaml";

/// The valid head of a segment; the lines of a case start below it, on line 3.
pub const SEGMENT_HEAD: &str = "version: 1\nsegment: internal\n";
pub const SEGMENT: &str = "segments/internal.yaml";

/// A finding: its code, line and column; line 0 for one of the whole file.
pub type Expected = (Code, u32, u32);

pub struct Case {
    pub name: String,
    /// The path of the flag's or segment's file.
    pub file: String,
    pub contents: FlagFiles,
    expect: Vec<(String, Expected)>,
    /// Whether a fault outside its file makes it bad.
    spoiled: bool,
    /// The findings of a definition set that has a good form, if they differ.
    expect_later: Option<Vec<(String, Expected)>>,
    hints: Vec<&'static str>,
    messages: Vec<&'static str>,
    never: Vec<&'static str>,
}

/// A flag file with exactly this text.
pub fn whole(name: &str, text: impl AsRef<[u8]>, expect: &[Expected]) -> Case {
    Case::new(name, FLAG, text.as_ref(), expect)
}

/// A good flag with more lines.
pub fn flag(name: &str, more: &str, expect: &[Expected]) -> Case {
    whole(name, format!("{HEAD}{more}\n"), expect)
}

/// A good segment with more lines.
pub fn segment(name: &str, more: &str, expect: &[Expected]) -> Case {
    Case::new(name, SEGMENT, format!("{SEGMENT_HEAD}{more}\n").as_bytes(), expect)
}

impl Case {
    pub fn new(name: &str, file: &str, bytes: &[u8], expect: &[Expected]) -> Case {
        Case {
            name: name.to_owned(),
            file: file.to_owned(),
            contents: FlagFiles::default(),
            expect: Vec::new(),
            spoiled: false,
            expect_later: None,
            hints: Vec::new(),
            messages: Vec::new(),
            never: Vec::new(),
        }
        .with(file, bytes)
        .and(file, expect)
    }

    /// The same text under another file name.
    pub fn called(mut self, file: &str) -> Case {
        let old = std::mem::replace(&mut self.file, file.to_owned());
        if let Some(text) = self.contents.files.remove(&old) {
            self.contents.files.insert(file.to_owned(), text);
        }
        self.expect
            .iter_mut()
            .filter(|(of, _)| *of == old)
            .for_each(|(of, _)| *of = file.to_owned());
        self
    }

    /// Another file in the folder.
    pub fn with(self, file: &str, bytes: impl AsRef<[u8]>) -> Case {
        self.with_file(file, File::Text(Text::new(bytes.as_ref().to_vec())))
    }

    pub fn with_file(mut self, path: &str, file: File) -> Case {
        self.contents.files.insert(path.to_owned(), file);
        self
    }

    pub fn without_file(mut self) -> Case {
        self.contents.files.remove(&self.file);
        self
    }

    /// Expects findings in another file.
    pub fn and(mut self, file: &str, expect: &[Expected]) -> Case {
        self.expect.extend(expect.iter().map(|expected| (file.to_owned(), *expected)));
        self.expect.sort_by(|a, b| a.0.cmp(&b.0));
        self
    }

    /// The subject must be bad, although its own file is good.
    pub fn spoiled(mut self) -> Case {
        self.spoiled = true;
        self
    }

    /// The findings of a definition set that has a good form.
    pub fn later(mut self, expect: &[Expected]) -> Case {
        self.expect_later =
            Some(expect.iter().map(|expected| (self.file.clone(), *expected)).collect());
        self
    }

    /// Expects a part of a hint.
    pub fn hint(mut self, part: &'static str) -> Case {
        self.hints.push(part);
        self
    }

    /// Expects a part of a message.
    pub fn says(mut self, part: &'static str) -> Case {
        self.messages.push(part);
        self
    }

    /// A text that no message or hint may contain.
    pub fn never_says(mut self, part: &'static str) -> Case {
        self.never.push(part);
        self
    }

    pub fn codes(&self) -> Vec<Code> {
        self.expect
            .iter()
            .chain(self.expect_later.iter().flatten())
            .map(|(_, (code, ..))| *code)
            .collect()
    }
}

/// Checks all cases and shows every one that fails.
pub fn check_all(cases: Vec<Case>) {
    let failures: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases fail:\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
}

pub fn check(case: &Case) -> Result<(), String> {
    let judged = catch_unwind(AssertUnwindSafe(|| judge(case))).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or(panic.downcast_ref::<&str>().copied());
        Err(format!("it panics: {}", message.unwrap_or("?")))
    });
    judged.map_err(|fault| format!("`{}`: {fault}", case.name))
}

fn judge(case: &Case) -> Result<(), String> {
    let mut fresh = DefinitionSet::default();
    let findings = fresh.update(&case.contents);
    compare(&findings, &case.expect)?;
    check_words(case, &findings)?;
    for finding in &findings {
        check_place(finding, &case.contents)?;
        render(finding, &case.contents, str::to_owned, true, None);
        finding.line(str::to_owned);
        check_help(finding)?;
    }
    let good = form(&fresh, &case.file);
    if good.is_some() != case.is_good() {
        return Err(format!(
            "a fresh library has {} good form of it",
            if good.is_some() { "a" } else { "no" }
        ));
    }

    let Some(before) = case.good_version() else { return Ok(()) };
    let mut definitions = DefinitionSet::default();
    let findings = definitions.update(&before);
    let stray = findings.iter().find(|finding| *finding.file == *case.file);
    let Some(kept) = form(&definitions, &case.file).filter(|_| stray.is_none()) else {
        return Err(format!("its good version is not good: {findings:?}"));
    };
    let findings = definitions.update(&case.contents);
    compare(&findings, case.expect_later.as_ref().unwrap_or(&case.expect))
        .map_err(|fault| format!("after a good version, {fault}"))?;
    let now = form(&definitions, &case.file).ok_or("the good form is gone")?;
    match good {
        None if !now.is(&kept) => Err("the good form was replaced".to_owned()),
        Some(good) if now != good => Err("the new form differs with what was before it".to_owned()),
        _ => Ok(()),
    }
}

impl Case {
    /// Whether its subject must be good.
    fn is_good(&self) -> bool {
        let faultless = self.expect.iter().all(|(file, _)| *file != self.file);
        faultless && !self.spoiled && self.contents.files.contains_key(&self.file)
    }

    /// The same folder with a good version of the subject, if the subject can have one.
    fn good_version(&self) -> Option<FlagFiles> {
        let text = if let Some(Subject::Flag(key)) = FlagFiles::subject(&self.file) {
            key.parse::<turnout_core::flag::FlagKey>().ok()?;
            format!("description: the good one\n{}", HEAD.replace("chat", key))
        } else if let Some(Subject::Segment(key)) = FlagFiles::subject(&self.file) {
            key.parse::<turnout_core::flag::SegmentKey>().ok()?;
            format!("version: 1\nsegment: {key}\nusers: [the-good-one]\n")
        } else {
            return None;
        };
        let mut contents = FlagFiles { unreadable: None, ..self.contents.clone() };
        // A table that fails now would have failed before; and a flag was given up only now.
        contents.files.retain(|path, _| !path.starts_with("tests/") && path != "retired.txt");
        contents.files.insert(self.file.clone(), File::Text(Text::new(text.into_bytes())));
        Some(contents)
    }
}

/// Every finding says what to do, in one line that no person wrapped: the screen wraps it.
fn check_help(finding: &Finding) -> Result<(), String> {
    let help = finding.hint.as_str();
    let is_help = !help.trim().is_empty() && help != finding.message && !help.contains('\n');
    if is_help { Ok(()) } else { Err(format!("a finding without a help: {finding:?}")) }
}

/// Compares the findings in the order of the file; those of one place in any order.
fn compare(findings: &[Finding], expect: &[(String, Expected)]) -> Result<(), String> {
    let key = |finding: &Finding| {
        let (line, column) = finding.place.map_or((0, 0), |place| (place.line, place.column));
        (finding.file.to_string(), (line, column), finding.code)
    };
    let got: Vec<_> = findings.iter().map(key).collect();
    let by_place =
        |a: &(String, (u32, u32), Code), b: &(String, (u32, u32), Code)| (&a.0, a.1) <= (&b.0, b.1);
    let mut sorted = got.clone();
    sorted.sort();
    let mut wanted: Vec<_> = expect
        .iter()
        .map(|(file, (code, line, column))| (file.clone(), (*line, *column), *code))
        .collect();
    wanted.sort();
    if sorted == wanted && got.is_sorted_by(by_place) {
        return Ok(());
    }
    let wanted = wanted.iter().map(|(file, (line, column), code)| {
        format!("  wanted {file} ({code:?}, {line}, {column})")
    });
    let got = findings.iter().zip(&got).map(|(finding, (file, (line, column), code))| {
        format!("  got    {file} ({code:?}, {line}, {column}): {:.200}", finding.message)
    });
    let lines: Vec<String> = wanted.take(20).chain(got.take(20)).collect();
    Err(format!("other findings\n{}", lines.join("\n")))
}

fn check_words(case: &Case, findings: &[Finding]) -> Result<(), String> {
    let hints = || findings.iter().map(|finding| finding.hint.as_str());
    let messages = || findings.iter().map(|finding| finding.message.as_str());
    if let Some(part) = case.hints.iter().find(|part| !hints().any(|hint| hint.contains(**part))) {
        return Err(format!("no hint says `{part}`: {:?}", hints().collect::<Vec<_>>()));
    }
    if let Some(part) =
        case.messages.iter().find(|part| !messages().any(|message| message.contains(**part)))
    {
        return Err(format!("no message says `{part}`: {:?}", messages().collect::<Vec<_>>()));
    }
    match case.never.iter().find(|part| hints().chain(messages()).any(|text| text.contains(**part)))
    {
        Some(part) => {
            Err(format!("it says `{part}`: {:?}", messages().chain(hints()).collect::<Vec<_>>()))
        }
        None => Ok(()),
    }
}
