//! Where a server in a process of its own listens, read from its data folder.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use turnout::data_dir::Addresses;

use super::PATIENCE;

/// Removes what a killed server left, so that only the next one can be found.
pub fn forget(data: &Path) {
    let _ = fs::remove_file(data.join("addresses.json"));
}

/// Waits until the server serves; `log` returns its output, shown if it does not.
pub fn wait(data: &Path, child: &mut Child, log: impl Fn() -> String) -> Addresses {
    let began = Instant::now();
    loop {
        if let Some(addresses) = Addresses::read(data).unwrap() {
            return addresses;
        }
        let ended = child.try_wait().unwrap();
        assert!(
            ended.is_none() && began.elapsed() < PATIENCE,
            "it does not serve ({ended:?}):\n{}",
            log()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
