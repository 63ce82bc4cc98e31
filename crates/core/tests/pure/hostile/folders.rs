//! The folder itself: files with wrong names, unreadable or missing files, and `INTERNAL_USER_IDS`.

use turnout_core::definition::Code::*;
use turnout_core::definition::{DefinitionSet, File, FlagFiles};

use super::harness::{Case, FLAG, HEAD, SEGMENT, SEGMENT_HEAD, whole};
use super::shipped::form;

pub fn folders() -> Vec<Case> {
    let called = |file: &str| {
        let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".yaml");
        whole(&format!("called {file}"), HEAD.replace("chat", stem), &[(BadFileName, 0, 0)])
            .called(file)
    };
    let unreadable = |why: &str| File::Unreadable { why: why.to_owned() };
    let long = "a".repeat(65) + ".yaml";
    vec![
        called("Chat.yaml").hint("rename the file"),
        called(".yaml"),
        called("-chat.yaml"),
        called("chat copy.yaml"),
        called("chat~.yaml"),
        called("chät.yaml"),
        called("chаt.yaml"),
        called("...yaml"),
        called(&long),
        called("chat.yml").says("only files called `….yaml` are read"),
        called("segments/Internal.yaml"),
        called("segments/.yaml"),
        called("segments/internal.yml"),
        whole("a copy with the old key in it", HEAD, &[(NameMismatch, 2, 7)])
            .called("chat-2.yaml")
            .hint("write `flag: chat-2`"),
        whole("a segment called as a flag", HEAD, &[(NameMismatch, 2, 7)]).called("segments.yaml"),
        whole("a flag that cannot be read", "", &[(UnreadableFile, 0, 0)])
            .with_file(FLAG, unreadable("may not be read by this user"))
            .says("may not be read by this user")
            .hint("check its permissions"),
        Case::new("a segment that cannot be read", SEGMENT, b"", &[(UnreadableFile, 0, 0)])
            .with_file(SEGMENT, unreadable("is no folder")),
        whole("a flag that is gone", "", &[]).without_file().later(&[(VanishedFile, 0, 0)]),
        Case::new("a segment that is gone", SEGMENT, b"", &[]).without_file().later(&[(
            VanishedFile,
            0,
            0,
        )]),
        whole("a flag that was given up", HEAD, &[(RetiredKey, 0, 0)])
            .with("retired.txt", "older\nchat   # its feature is gone\n")
            .says("`chat` is retired")
            .hint("take another key")
            .spoiled(),
        whole("a list of retired flags with something else in it", HEAD, &[])
            .with("retired.txt", "two words\n\n# a remark\n")
            .and("retired.txt", &[(BadName, 0, 0)]),
        whole("a folder that is gone", "", &[]).without_file().without_folder(),
        whole("a folder that is gone, whatever it held", HEAD, &[]).without_folder(),
        whole("a bad file beside a good one", HEAD, &[])
            .with("other.yaml", "version: [")
            .and("other.yaml", &[(Syntax, 1, 10)]),
        whole("files that mean nothing", HEAD, &[])
            .with("README.md", "# Flags")
            .with("notes/chat.yaml", "version: [")
            .with("segments/old/internal.yaml", "version: ["),
        whole("several broken files, in the order of their names", "", &[(Empty, 0, 0)])
            .with("a.yaml", "[")
            .and("a.yaml", &[(Syntax, 1, 1)])
            .with("segments/z.yaml", "\0")
            .and("segments/z.yaml", &[(Binary, 1, 1)])
            .with("Z.yaml", "")
            .and("Z.yaml", &[(BadFileName, 0, 0)]),
    ]
}

impl Case {
    fn without_folder(mut self) -> Case {
        self.contents.unreadable = Some("./flags does not exist".into());
        self.and("", &[(FolderMissing, 0, 0)]).spoiled()
    }
}

/// `INTERNAL_USER_IDS` makes the segment where no file does: then its file cannot be missing.
#[test]
fn a_segment_made_by_the_variable_has_no_file_to_miss() {
    let folder = |ids: &[&str]| FlagFiles {
        internal_user_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..FlagFiles::of([(FLAG, HEAD)])
    };
    let has = |definitions: &DefinitionSet, id| {
        definitions.segments().any(|segment| segment.members.users.contains(id))
    };
    let mut definitions = DefinitionSet::default();
    assert_eq!(definitions.update(&folder(&["u-1"])), []);
    assert!(has(&definitions, "u-1"));
    assert_eq!(definitions.update(&folder(&["u-1"])), [], "the same again");
    assert_eq!(definitions.update(&folder(&["u-2"])), [], "another id");
    assert!(has(&definitions, "u-2") && !has(&definitions, "u-1"));
}

#[test]
fn a_broken_internal_segment_is_not_replaced_by_the_variable() {
    let good = FlagFiles {
        internal_user_ids: vec!["u-1".into()],
        ..FlagFiles::of([(SEGMENT, SEGMENT_HEAD)])
    };
    let broken = FlagFiles {
        internal_user_ids: vec!["u-1".into()],
        ..FlagFiles::of([(SEGMENT, "version: [")])
    };
    let mut definitions = DefinitionSet::default();
    definitions.update(&good);
    let before = form(&definitions, SEGMENT);
    assert_eq!(definitions.update(&broken).len(), 1);
    assert_eq!(form(&definitions, SEGMENT), before);
}
