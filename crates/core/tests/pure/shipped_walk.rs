//! The shipped flag is rolled out by editing its share alone: its own tests stay true all the way.

use turnout_core::definition::{DefinitionSet, FlagFiles};

const FLAG: &str = include_str!("../../../../flags/build-events.yaml");
const INTERNAL: &str = include_str!("../../../../flags/segments/internal.yaml");

#[test]
fn the_shipped_flag_is_rolled_out_by_its_share_alone() {
    const SHARE: &str = "realtime-v2: 10% ";
    assert_eq!(FLAG.matches(SHARE).count(), 1);
    let mut set = DefinitionSet::default();
    for share in ["0%", "10%", "50%", "100%", "50%", "0%"] {
        let edited = FLAG.replace(SHARE, &format!("realtime-v2: {share} "));
        let files = [("build-events.yaml", &*edited), ("segments/internal.yaml", INTERNAL)];
        assert_eq!(set.update(&FlagFiles::of(files)), [], "{share}");
        let (definition, _) = set.flags().next().unwrap().1.unwrap();
        let rollout = definition.rollout.unwrap();
        assert_eq!(rollout.to_string(), share, "in force");
        assert!(set.cases("build-events") > 0);
    }
}
