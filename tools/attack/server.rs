//! The servers that are attacked, each in a process of its own, and what they cost.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use tempfile::TempDir;
use turnout::data_dir::Addresses;

/// The key of a server of the application.
pub const SERVER_KEY: &str = "a-key-of-forty-bytes-that-guards-nothing";

const CHAT: &str = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: { realtime-v2: 50% }\n";

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    _flags: TempDir,
}

impl Server {
    /// The one that was built beside this program.
    pub fn ours() -> Server {
        let flags = TempDir::new().unwrap();
        fs::write(flags.path().join("chat.yaml"), CHAT).unwrap();
        let mut command = Command::new(built().join("turnout"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--flags"])
            .arg(flags.path());
        let data = flags.path().join("data");
        command.arg("--data").arg(&data);
        Server::start(command, &data, flags)
    }

    /// Waits until it serves.
    fn start(mut command: Command, data: &Path, flags: TempDir) -> Server {
        let child =
            command.stderr(Stdio::null()).spawn().expect("build it first: scripts/attack.sh does");
        let mut server = Server { child, address: ([127, 0, 0, 1], 0).into(), _flags: flags };
        server.address = loop {
            if let Some(Addresses { public, .. }) = Addresses::read(data).unwrap() {
                break public.strip_prefix("http://").unwrap().parse().unwrap();
            }
            assert!(server.is_alive(), "the server ended before it served");
            thread::sleep(Duration::from_millis(5));
        };
        server
    }

    /// The same with so many flags and a server's key, at the defaults.
    pub fn with_flags(count: usize) -> Server {
        let flags = TempDir::new().unwrap();
        let folder = flags.path().join("flags");
        fs::create_dir(&folder).unwrap();
        for number in 0..count {
            let key = format!("f{number:05}");
            // One that asks for texts, so that those who listen can have them kept.
            let asks = if number == 0 { "attributes: { plan: text, city: text }\n" } else { "" };
            fs::write(folder.join(format!("{key}.yaml")), CHAT.replace("chat", &key) + asks)
                .unwrap();
        }
        let hash = digest(&SHA256, SERVER_KEY.as_bytes());
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let keys = flags.path().join("keys");
        fs::write(&keys, format!("shop {hash}\n")).unwrap();
        let mut command = Command::new(built().join("turnout"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--flags"])
            .arg(&folder);
        let data = flags.path().join("data");
        command.arg("--data").arg(&data).arg("--server-keys-file").arg(keys);
        Server::start(command, &data, flags)
    }

    /// The least a server can do that has the same bounds (`tools/bare_axum.rs`).
    pub fn bare() -> Server {
        let mut command = Command::new(built().join("bare_axum"));
        command.arg("bounded");
        let mut child =
            command.stderr(Stdio::piped()).spawn().expect("build it first: scripts/attack.sh does");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines
            .by_ref()
            .find_map(|line| line.split("http://").nth(1)?.trim().parse().ok())
            .unwrap();
        thread::spawn(move || lines.for_each(drop));
        Server { child, address, _flags: TempDir::new().unwrap() }
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    pub fn rss_kib(&self) -> u64 {
        rss_kib(self.child.id())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has used so far, of all cores.
    pub fn cpu(&self) -> Duration {
        let threads =
            fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let used = threads.filter_map(|thread| {
            let used = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            used.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(used.sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has in memory.
pub fn rss_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// `target/release`.
fn built() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.parent().unwrap().to_owned()
}
