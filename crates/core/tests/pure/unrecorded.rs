//! Files that are served before any database has recorded them.

use turnout_core::flag::{FlagKey, Segments};
use turnout_core::ledger::{
    Catalog, ContentCache, ContentHash, EffectiveState, FlagRecord, Head, SegmentRecord,
};
use turnout_core::snapshot::State;

/// A flag `f` of this segment, as the files say it.
fn files() -> Catalog {
    let mut content = ContentCache::default();
    let mut named = |text: &str| {
        let id = ContentHash::of(text.as_bytes());
        content.blobs.insert(id, text.to_owned().into());
        id
    };
    let flag = named(
        "version: 1\nflag: f\nenabled: true\ndefault: polling\nwhen_stopped: polling\nallow:\n  - { segment: staff, strategy: realtime-v2 }\n",
    );
    let segment = named("version: 1\nsegment: staff\nusers: [u-1]\n");
    let flag = FlagRecord { definition: Some(flag), ..FlagRecord::default() };
    let segment = SegmentRecord { file: Some(segment), ..SegmentRecord::default() };
    let key: FlagKey = "f".parse().unwrap();
    content.read_flag(&key, &flag).unwrap();
    content.read_segment(&"staff".parse().unwrap(), &segment).unwrap();
    Catalog::of(Head::none(), [(key, flag, 0)], [("staff".parse().unwrap(), segment, 0)], content)
}

/// Whether `f` is served, with its segment.
fn is_served(state: &EffectiveState) -> bool {
    let is_whole = |state: &State| match state {
        State::Usable(flag) => matches!(flag.segments, Segments::Known(_)),
        State::Unusable { .. } => false,
    };
    state.effective_flags().iter().any(|flag| flag.key.as_str() == "f" && is_whole(&flag.state))
}

#[test]
fn a_database_that_is_empty_yet_takes_no_file_from_the_served_ones() {
    let mut state = EffectiveState::of(Catalog::empty(), Vec::new());
    state.serve_unrecorded(files());
    assert!(is_served(&state) && !state.is_recorded());
    // It is opened, takes nothing, is lost, and is opened again.
    for _ in 0..2 {
        state.serve_recorded(Catalog::empty());
        assert!(is_served(&state) && !state.is_recorded() && !state.is_cold());
        assert!(state.flag("f").is_some() && state.known_flags().count() == 1);
        assert_eq!(state.flag_to_record("f").map(|flag| flag.record), None);
        state.serve_recorded(Catalog::empty());
        assert!(is_served(&state), "it was opened twice");
        state.serve_unrecorded(files());
    }
    // One that has a history knows better.
    state.serve_recorded(Catalog::of(
        Head { revision: 1, ..Head::none() },
        [],
        [],
        ContentCache::default(),
    ));
    assert!(!is_served(&state) && state.is_recorded());
}

#[test]
fn files_that_were_recorded_are_served_as_recorded() {
    let mut state = EffectiveState::of(Catalog::empty(), Vec::new());
    state.serve_unrecorded(files());
    state.serve_recorded(Catalog::empty());
    state.note_files_recorded();
    assert!(!is_served(&state) && state.is_recorded() && state.flag("f").is_none());
}
