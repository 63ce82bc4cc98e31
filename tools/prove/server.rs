//! The real program in a process of its own, over folders of its own, on free ports; killed when it
//! is dropped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use turnout::data_dir::Addresses;

use crate::wire::Wire;

/// How many lines of a start are shown when it fails.
const LINES_KEPT: usize = 100;

/// The key of the application's server, which publishes events.
pub const SERVER_KEY: &str = "proof";
/// Its line among the server keys.
const SERVERS: &str = "proof c1cda26362828b69266512052b97cb3729e3b052e4ade47c0a1e3383defe73c7\n";

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
        fs::write(folder.path().join("servers"), SERVERS).expect("a file of server keys");
        files
            .iter()
            .for_each(|(name, text)| fs::write(flags.join(name), text).expect("a flag file"));
        Home { data, flags, folder }
    }

    /// Saves a flag's file as editors do.
    pub fn save(&self, name: &str, text: &str) {
        let beside = self.flags.join("saving.tmp");
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, self.flags.join(name)))
            .expect("a saved file");
    }
}

/// Which program is proved.
#[derive(Clone)]
pub struct Program {
    pub path: PathBuf,
}

impl Program {
    /// The one beside this program.
    pub fn beside() -> Program {
        let here = std::env::current_exe().expect("this program has a path");
        Program { path: here.with_file_name("turnout") }
    }

    pub fn command(&self, home: &Home) -> Command {
        let mut command = Command::new(&self.path);
        arguments(&mut command, home);
        command
    }

    pub fn start(&self, home: &Home) -> Result<Server, String> {
        self.start_with(home, &[])
    }

    /// Starts it with further options.
    pub fn start_with(&self, home: &Home, options: &[&str]) -> Result<Server, String> {
        let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        let mut command = self.command(home);
        command.args(listen).args(options);
        Server::of(command, home, None)
    }

    /// Starts it where the one before it listened: on a full disk it cannot say where it listens.
    pub fn start_at(
        &self,
        home: &Home,
        before: (SocketAddr, SocketAddr),
    ) -> Result<Server, String> {
        let mut command = self.command(home);
        command.args(["--listen", &before.0.to_string(), "--admin-listen", &before.1.to_string()]);
        Server::of(command, home, Some(before))
    }
}

/// What makes the program serve this home.
pub fn arguments(command: &mut Command, home: &Home) {
    command.arg("serve").arg("--data").arg(&home.data).arg("--flags").arg(&home.flags);
    command.env("TURNOUT_SERVER_KEYS_FILE", home.folder.path().join("servers"));
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
    /// Starts it and waits until its data folder says where it listens, or until it answers at the
    /// addresses `known`.
    fn of(
        mut command: Command,
        home: &Home,
        known: Option<(SocketAddr, SocketAddr)>,
    ) -> Result<Server, String> {
        // What a killed one left names nothing that serves.
        let _ = fs::remove_file(home.data.join("addresses.json"));
        let spawned =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child =
            Killed(Some(spawned.map_err(|error| format!("cannot start {command:?}: {error}"))?));
        let stderr = child.0.as_mut().and_then(|child| child.stderr.take()).ok_or("no stderr")?;
        // Read to the end, or the server would be held up by a full pipe.
        let (said, last) = mpsc::sync_channel(LINES_KEPT);
        thread::spawn(move || {
            let show = std::env::var_os("PROVE_SHOW").is_some();
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if show {
                    eprintln!("{line}");
                }
                let _ = said.try_send(line);
            }
        });
        let running = child.0.as_mut().ok_or("no child")?;
        let (public, admin) = loop {
            match (announced(&home.data)?, known) {
                (Some(addresses), _) => break addresses,
                (None, Some(known)) if answers(known) => break known,
                _ => {}
            }
            if running.try_wait().map_err(|error| error.to_string())?.is_some() {
                return Err(format!(
                    "it did not start: {}",
                    last.iter().collect::<Vec<_>>().join(" | ")
                ));
            }
            thread::sleep(Duration::from_millis(1));
        };
        let token = fs::read_to_string(home.data.join("admin.token"))
            .map_err(|error| format!("no admin token: {error}"))?;
        let child = child.0.take().ok_or("no child")?;
        Ok(Server { child, public, admin, token: token.trim().to_owned() })
    }

    pub fn operator(&self) -> Result<Wire, String> {
        Wire::admin(self.admin, &self.token)
            .map_err(|error| format!("cannot reach the admin listener: {error}"))
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn client(&self) -> Result<Wire, String> {
        Wire::public(self.public)
            .map_err(|error| format!("cannot reach the public listener: {error}"))
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

/// Where a server listens, as its data folder says.
fn announced(data: &Path) -> Result<Option<(SocketAddr, SocketAddr)>, String> {
    let Some(Addresses { public, admin }) =
        Addresses::read(data).map_err(|error| error.to_string())?
    else {
        return Ok(None);
    };
    let parse = |url: &str| {
        url.trim_start_matches("http://").parse().map_err(|error| format!("{url}: {error}"))
    };
    Ok(Some((parse(&public)?, parse(&admin)?)))
}

/// Whether a server is ready at both addresses.
fn answers((public, admin): (SocketAddr, SocketAddr)) -> bool {
    let ready = |mut wire: Wire| wire.get("/readyz").is_ok_and(|answer| answer.status == 200);
    Wire::public(public).is_ok_and(ready) && TcpStream::connect(admin).is_ok()
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
