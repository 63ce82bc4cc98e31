//! The documents of one flag.

use std::sync::OnceLock;

use turnout_api::ofrep::ErrorCode;

use super::Document;
use super::outcomes::outcomes;
use crate::evaluation_counters::{Count, EvaluationCounters};
use crate::flag::{Flag, FlagKey, Resolution, ServerAuth, Transports};
use crate::public_path::PublicPath;

/// The index of one of a flag's outcomes. A flag has far fewer than 256, whatever its file says:
/// outcomes differ by strategy, step and reason alone.
pub type Pick = u8;

/// The documents of one flag, made at their first use.
#[derive(Debug)]
pub struct Documents {
    key: FlagKey,
    transports: Transports,
    /// The prefix of every address.
    public_path: PublicPath,
    /// The OFREP error code that `error` maps to.
    error_code: ErrorCode,
    outcomes: Vec<Outcome>,
}

#[derive(Debug)]
struct Outcome {
    resolution: Resolution,
    document: OnceLock<Document>,
    answered: Count,
}

impl Documents {
    /// Every outcome the flag can have; `None` for a flag with no good form.
    pub fn of(
        key: &FlagKey,
        flag: Option<&Flag>,
        error_is_ours: bool,
        server_auth: ServerAuth,
        public_path: &PublicPath,
        tally: &EvaluationCounters,
    ) -> Documents {
        let outcome = |resolution| Outcome {
            resolution,
            document: OnceLock::new(),
            answered: tally.count(key, resolution),
        };
        let outcomes = outcomes(flag, server_auth).into_iter().map(outcome).collect();
        Documents {
            key: key.clone(),
            transports: flag.map(|flag| flag.definition.transports.clone()).unwrap_or_default(),
            public_path: public_path.clone(),
            error_code: if error_is_ours { ErrorCode::General } else { ErrorCode::InvalidContext },
            outcomes,
        }
    }

    /// Passes on the document of one outcome, and counts it as answered.
    #[inline]
    pub fn with<R>(&self, resolution: Resolution, use_it: impl FnOnce(&Document) -> R) -> R {
        self.find(resolution, |outcome| outcome.answered.add_one(), use_it)
    }

    /// Passes on the document of one outcome without counting it, for comparisons.
    #[inline]
    pub fn document_uncounted<R>(
        &self,
        resolution: Resolution,
        use_it: impl FnOnce(&Document) -> R,
    ) -> R {
        self.find(resolution, |_| (), use_it)
    }

    /// The index of a resolution's outcome, for callers that evaluate many flags first and take the
    /// documents later.
    pub fn pick(&self, resolution: Resolution) -> Pick {
        let place = self.outcomes.iter().position(|outcome| outcome.resolution == resolution);
        debug_assert!(place.is_some(), "every outcome that can occur is prepared");
        let baseline =
            || self.outcomes.iter().position(|outcome| outcome.resolution == Resolution::ERROR);
        place.or_else(baseline).and_then(|place| Pick::try_from(place).ok()).unwrap_or_default()
    }

    /// The document of an outcome that was picked before.
    #[inline]
    pub fn picked(&self, pick: Pick) -> Option<&Document> {
        let outcome = self.outcomes.get(usize::from(pick))?;
        Some(outcome.document.get_or_init(|| self.make(outcome.resolution)))
    }

    /// Counts a picked outcome as answered.
    #[inline]
    pub fn answered(&self, pick: Pick) {
        if let Some(outcome) = self.outcomes.get(usize::from(pick)) {
            outcome.answered.add_one();
        }
    }

    fn make(&self, resolution: Resolution) -> Document {
        Document::new(
            self.key.as_str(),
            &self.transports,
            &self.public_path,
            resolution,
            self.error_code,
        )
    }

    /// All possible outcomes are prepared; any other would be made again at each call.
    fn find<R>(
        &self,
        resolution: Resolution,
        note: impl FnOnce(&Outcome),
        use_it: impl FnOnce(&Document) -> R,
    ) -> R {
        let make = || self.make(resolution);
        match self.outcomes.iter().find(|outcome| outcome.resolution == resolution) {
            Some(outcome) => {
                note(outcome);
                use_it(outcome.document.get_or_init(make))
            }
            None => use_it(&make()),
        }
    }
}
