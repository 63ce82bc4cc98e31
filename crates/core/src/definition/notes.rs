//! What deserves a look though every file is sound, and which files decide whether a flag's file
//! goes live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::definition_set::DefinitionSet;
use super::files::{FlagFiles, Subject};
use super::finding::{Code, Finding};
use crate::flag::{Definition, FlagKey, Salt};

impl DefinitionSet {
    /// Notes about forms in force. They keep nothing from going live.
    ///
    /// ```
    /// use turnout_core::definition::{DefinitionSet, FlagFiles};
    ///
    /// let flag = |key: &str| format!(
    ///     "version: 1\nflag: {key}\nsalt: one\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: {{ realtime-v2: 10% }}\n"
    /// );
    /// let mut set = DefinitionSet::default();
    /// set.update(&FlagFiles::of([("a.yaml", flag("a").as_str()), ("b.yaml", flag("b").as_str())]));
    /// assert_eq!(set.notes()[0].code.as_str(), "shared-salt");
    /// ```
    pub fn notes(&self) -> Vec<Finding> {
        let mut first: BTreeMap<Salt, FlagKey> = BTreeMap::new();
        let mut notes = Vec::new();
        for (key, form) in self.flags() {
            let Some((definition, _)) = form.filter(|(definition, _)| splits(definition)) else {
                continue;
            };
            match first.get(&definition.salt) {
                None => drop(first.insert(definition.salt.clone(), key.clone())),
                Some(other) => notes.push(shared_salt(key, other, &definition.salt)),
            }
        }
        notes
    }

    /// The files whose findings keep what a file says from going live: the file itself and, for a
    /// flag, its test tables and the segments it names.
    pub fn files_that_decide(&self, file: &str) -> BTreeSet<Arc<str>> {
        let mut files = BTreeSet::from([Arc::from(file)]);
        let Some(Subject::Flag(key)) = FlagFiles::subject(file) else { return files };
        let segment = |key: &dyn std::fmt::Display| Arc::from(format!("segments/{key}.yaml"));
        files.extend(self.tables_of.get(key).into_iter().flatten().cloned());
        if let Some(tracked) = self.flags.get(key) {
            let named_by_the_new = self.uses.get(key).into_iter().flat_map(|uses| &uses.of_flag);
            files.extend(named_by_the_new.map(|(key, _)| segment(key)));
            let live = tracked.good.iter().flat_map(|definition| &definition.segments);
            files.extend(live.map(|key| segment(key)));
        }
        files
    }
}

/// Whether a flag gives users of different buckets different strategies.
fn splits(definition: &Definition) -> bool {
    definition.rollout.is_some_and(|split| split.single_strategy(definition.default).is_none())
}

fn shared_salt(key: &FlagKey, other: &FlagKey, salt: &Salt) -> Finding {
    let message = format!(
        "`{key}` and `{other}` have one salt, `{salt}`: the same users come first in both rollouts"
    );
    Finding::of_file(&format!("{key}.yaml"), Code::SharedSalt, message).with_hint(
        "if that is not meant, take `salt` out of the newer flag before its rollout begins; later that gives every user another bucket",
    )
}
