//! The real program in a process of its own, over folders of its own, on free ports; killed when it is dropped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::wire::Wire;

/// Where a server keeps what it knows.
pub struct Home {
    pub data: PathBuf,
    pub flags: PathBuf,
    pub folder: TempDir,
}

impl Home {
    pub fn new(files: &[(&str, &str)]) -> Home {
        let folder = TempDir::with_prefix("turnout-prove-").expect("a temporary folder");
        let (data, flags) = (folder.path().join("data"), folder.path().join("flags"));
        fs::create_dir_all(&flags).expect("a flags folder");
        files.iter().for_each(|(name, text)| fs::write(flags.join(name), text).expect("a flag file"));
        Home { data, flags, folder }
    }

    /// Saves a flag's file as editors do.
    pub fn save(&self, name: &str, text: &str) {
        let beside = self.flags.join("saving.tmp");
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, self.flags.join(name))).expect("a saved file");
    }
}

/// Which program is proved.
#[derive(Clone)]
pub struct Program {
    pub path: PathBuf,
}

impl Program {
    /// The one beside this example.
    pub fn beside() -> Program {
        let here = std::env::current_exe().expect("this program has a path");
        let target = here.parent().and_then(Path::parent).expect("target/PROFILE/examples/prove");
        Program { path: target.join("turnout") }
    }

    pub fn command(&self, home: &Home) -> Command {
        let mut command = Command::new(&self.path);
        arguments(&mut command, home);
        command
    }

    pub fn start(&self, home: &Home) -> Result<Server, String> {
        Server::of(self.command(home), home)
    }
}

/// What makes the program serve this home.
pub fn arguments(command: &mut Command, home: &Home) {
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.arg("--data").arg(&home.data).arg("--flags").arg(&home.flags);
    for name in ["INTERNAL_USER_IDS", "ENABLE_SERVER_AUTH", "DATABASE_URL"] {
        command.env_remove(name);
    }
}

pub struct Server {
    child: Child,
    pub public: SocketAddr,
    pub admin: SocketAddr,
    token: String,
}

impl Server {
    /// Starts it and waits until it says where it listens.
    pub fn of(mut command: Command, home: &Home) -> Result<Server, String> {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = Killed(Some(spawned.map_err(|error| format!("cannot start {command:?}: {error}"))?));
        let stderr = child.0.as_mut().and_then(|child| child.stderr.take()).ok_or("no stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let (mut public, mut said) = (None, Vec::new());
        let (public, admin) = loop {
            let Some(Ok(line)) = lines.next() else { return Err(format!("it did not start: {}", said.join(" | "))) };
            let address = |line: &str| line.split("on http://").nth(1).and_then(|rest| rest.trim().parse::<SocketAddr>().ok());
            match (address(&line), public) {
                (Some(address), None) => public = Some(address),
                (Some(admin), Some(public)) => break (public, admin),
                _ => said.push(line),
            }
        };
        // Read to the end, or the server would be held up by a full pipe.
        thread::spawn(move || {
            let show = std::env::var_os("PROVE_SHOW").is_some();
            lines.map_while(Result::ok).filter(|_| show).for_each(|line| eprintln!("{line}"));
        });
        let token = fs::read_to_string(home.data.join("admin.token")).map_err(|error| format!("no admin token: {error}"))?;
        let child = child.0.take().ok_or("no child")?;
        Ok(Server { child, public, admin, token: token.trim().to_owned() })
    }

    pub fn operator(&self) -> Result<Wire, String> {
        Wire::admin(self.admin, &self.token).map_err(|error| format!("cannot reach the admin listener: {error}"))
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn client(&self) -> Result<Wire, String> {
        Wire::public(self.public).map_err(|error| format!("cannot reach the public listener: {error}"))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// As a machine that loses its power would, as far as a process can tell.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// As a deploy would.
    pub fn stop(mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A child that did not get as far as being a server.
struct Killed(Option<Child>);

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
