//! A second opinion on every answer, written from the design and from nothing in `src`: slow,
//! plain, and with a hash of its own.

/// MurmurHash3 x86 32-bit with seed 0.
fn murmur(bytes: &[u8]) -> u32 {
    let mix =
        |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let mut hash = 0_u32;
    for block in bytes.chunks(4) {
        let number = block.iter().rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        hash ^= mix(number);
        if block.len() == 4 {
            hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
        }
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// Where a user falls, from 0 to 99999.
pub fn bucket(salt: &str, user: &str) -> u64 {
    (u64::from(murmur(format!("{salt}:{user}").as_bytes())) * 100_000) >> 32
}

/// A flag's file, as the driver wrote it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    pub salt: String,
    pub enabled: bool,
    pub when_stopped: String,
    pub deny: Vec<String>,
    pub allow: Vec<(Vec<String>, String)>,
    /// Thousandths of a per cent.
    pub realtime: u64,
    pub disabled: u64,
}

/// A flag at one position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub file: Option<File>,
    /// What an operator holds over the file's.
    pub split: Option<(u64, u64)>,
    pub stopped: bool,
}

/// The strategy and the rule that a user must get.
pub fn answer(state: &State, user: &str) -> (String, &'static str) {
    let polling = || "polling".to_owned();
    let Some(file) = &state.file else {
        return (polling(), if state.stopped { "stop" } else { "error" });
    };
    let when_stopped = file.when_stopped.clone();
    if state.stopped {
        return (when_stopped, "stop");
    }
    if !file.enabled {
        return (when_stopped, "off");
    }
    if file.deny.iter().any(|denied| denied == user) {
        return (polling(), "deny");
    }
    for (users, strategy) in &file.allow {
        if users.iter().any(|allowed| allowed == user) {
            return (strategy.clone(), "allow");
        }
    }
    let (realtime, disabled) = state.split.unwrap_or((file.realtime, file.disabled));
    let bucket = bucket(&file.salt, user);
    let strategy = match () {
        () if bucket < realtime => "realtime-v2",
        () if bucket >= 100_000 - disabled => "disabled",
        () => "polling",
    };
    (strategy.to_owned(), "rollout")
}

/// The published vectors of the hash, or none of the answers would mean anything.
pub fn agrees_with_the_vectors() -> bool {
    [("u-1", 585_828_482, 13_639), ("u-4711", 290_527_794, 6_764), ("é", 554_125_591, 12_901)]
        .into_iter()
        .all(|(user, hash, at)| {
            murmur(format!("build-events:{user}").as_bytes()) == hash
                && bucket("build-events", user) == at
        })
}
