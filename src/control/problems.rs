//! What is wrong at the moment, for whoever asks: with the files, and with everything else.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use super::lock;
use crate::definition::Finding;

/// The findings of the last reading, and the troubles there are.
#[derive(Debug, Default)]
pub struct Problems {
    findings: ArcSwap<Vec<Finding>>,
    troubles: ArcSwap<Vec<Trouble>>,
    /// Whoever holds it may change the troubles: they come from several threads, and none may undo another's.
    setting: Mutex<()>,
}

/// Something wrong that is no file's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub kind: TroubleKind,
    /// The flag or segment it is about.
    pub subject: Option<String>,
    pub message: String,
    pub hint: String,
}

/// Each kind comes and goes as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TroubleKind {
    Database,
    DataFolder,
    Journal,
    LastGood,
    PoisonRow,
    FilesWait,
    MissingFile,
    ExpiryWouldWiden,
    AdminToken,
    Webhook,
}

impl TroubleKind {
    pub fn as_str(self) -> &'static str {
        match self {
            TroubleKind::Database => "database",
            TroubleKind::DataFolder => "data-folder",
            TroubleKind::Journal => "journal",
            TroubleKind::LastGood => "last-good",
            TroubleKind::PoisonRow => "poison-row",
            TroubleKind::FilesWait => "files-wait",
            TroubleKind::MissingFile => "missing-file",
            TroubleKind::ExpiryWouldWiden => "expiry-would-widen",
            TroubleKind::AdminToken => "admin-token",
            TroubleKind::Webhook => "webhook",
        }
    }
}

impl Problems {
    /// What is wrong with the files.
    pub fn current(&self) -> Arc<Vec<Finding>> {
        self.findings.load_full()
    }

    /// What else is wrong.
    pub fn troubles(&self) -> Arc<Vec<Trouble>> {
        self.troubles.load_full()
    }

    pub fn count(&self) -> usize {
        self.findings.load().len() + self.troubles.load().len()
    }

    /// Puts new findings in place of the old, and says whether they differ.
    pub(super) fn replace(&self, findings: Vec<Finding>) -> bool {
        let differ = **self.findings.load() != findings;
        if differ {
            self.findings.store(Arc::new(findings));
        }
        differ
    }

    /// Puts the troubles of one kind in place of those of before, and returns those that are new.
    pub(super) fn set(&self, kind: TroubleKind, new: Vec<Trouble>) -> Vec<Trouble> {
        let _setting = lock(&self.setting);
        let old = self.troubles.load_full();
        let of_kind: Vec<&Trouble> = old.iter().filter(|trouble| trouble.kind == kind).collect();
        if of_kind == new.iter().collect::<Vec<_>>() {
            return Vec::new();
        }
        let fresh = new.iter().filter(|trouble| !of_kind.contains(trouble)).cloned().collect();
        let mut all: Vec<Trouble> = old.iter().filter(|trouble| trouble.kind != kind).cloned().chain(new).collect();
        all.sort_by_key(|trouble| trouble.kind);
        self.troubles.store(Arc::new(all));
        fresh
    }
}
