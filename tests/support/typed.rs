//! The real binary as people type it: a server process, and verbs that call it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::data_dir::Addresses;

use super::announced;

/// A server over a folder of its own, ended with the test.
pub struct Server {
    pub child: Child,
    /// The address for clients.
    pub public: String,
    /// The address for operators.
    pub admin: String,
    pub home: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const CHAT: &str = "version: 1\nflag: chat\nowner: team\nenabled: true\ndefault: polling\nwhen_stopped: polling\n\
    attributes: { platform: [ios, web], seats: number }\n\
    deny: [{ when: { platform: ios } }]\nrollout: { realtime-v2: 10% }\n";

impl Server {
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    /// With more arguments.
    pub fn start_with(more: &[&str]) -> Server {
        Server::start_as(more, |_| ())
    }

    /// With more arguments, and in an environment of its own.
    pub fn start_as(more: &[&str], environment: impl FnOnce(&mut Command)) -> Server {
        let home = TempDir::new().unwrap();
        let flags = home.path().join("flags");
        fs::create_dir(&flags).unwrap();
        fs::write(flags.join("chat.yaml"), CHAT).unwrap();
        fs::write(flags.join("search.yaml"), CHAT.replace("chat", "search")).unwrap();
        let (child, Addresses { public, admin }) = Server::spawn(home.path(), more, environment);
        Server { child, public, admin, home }
    }

    /// Kills the server and starts it again over the same folder, at other addresses.
    pub fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        announced::forget(&self.home.path().join("data"));
        let (child, Addresses { public, admin }) = Server::spawn(self.home.path(), &[], |_| ());
        (self.child, self.public, self.admin) = (child, public, admin);
    }

    /// Stops the server in good order.
    pub fn stop(&mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    /// Starts a server that was stopped over the folder `data` of its home.
    pub fn start_again(&mut self, more: &[&str]) {
        let (child, Addresses { public, admin }) = Server::spawn(self.home.path(), more, |_| ());
        (self.child, self.public, self.admin) = (child, public, admin);
    }

    fn spawn(
        home: &Path,
        more: &[&str],
        environment: impl FnOnce(&mut Command),
    ) -> (Child, Addresses) {
        let (data, log) = (home.join("data"), home.join("log"));
        let mut command = turnout();
        environment(&mut command);
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--flags"])
            .arg(home.join("flags"))
            .arg("--data")
            .arg(&data)
            .args(more)
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let addresses = announced::wait(&data, &mut child, || fs::read_to_string(&log).unwrap());
        (child, addresses)
    }

    /// Saves another share in the file of `chat`, and waits until the server has recorded it.
    pub fn save_chat(&self, share: &str) {
        let path = self.home.path().join("flags/chat.yaml");
        fs::write(&path, CHAT.replace("10%", share)).unwrap();
        let written = json!(format!("realtime-v2 {share}"));
        while self.json("status chat --json")["file"] != written {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// What a verb prints and how it ends; without a terminal.
    pub fn run(&self, line: &str) -> (i32, String, String) {
        output(&mut self.command(line))
    }

    /// A verb that knows where this server is.
    pub fn command(&self, line: &str) -> Command {
        let mut command = turnout();
        command
            .env("TURNOUT_SERVER", &self.admin)
            .env("TURNOUT_DATA", self.home.path().join("data"));
        command.env("TURNOUT_URL", &self.public).args(words(line));
        command
    }

    pub fn json(&self, line: &str) -> Json {
        let (exit, stdout, stderr) = self.run(line);
        assert_eq!((exit, &*stderr), (0, ""), "{line}");
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{line}: {error} in {stdout}"))
    }

    /// A row: what is typed, the exit code, texts on stdout (nothing printed, if empty), texts on
    /// stderr.
    #[track_caller]
    pub fn check(&self, (line, exit, on_stdout, on_stderr): Row) {
        let (ended, stdout, stderr) = self.run(line);
        assert_eq!(ended, exit, "turnout {line}\n{stdout}{stderr}");
        assert_eq!(stdout.is_empty(), on_stdout.is_empty(), "turnout {line}\n{stdout}{stderr}");
        for (wanted, text) in on_stdout
            .iter()
            .map(|wanted| (wanted, &stdout))
            .chain(on_stderr.iter().map(|w| (w, &stderr)))
        {
            assert!(text.contains(wanted), "turnout {line}: no `{wanted}` in\n{stdout}{stderr}");
        }
    }
}

pub type Row<'a> = (&'a str, i32, &'a [&'a str], &'a [&'a str]);

pub fn turnout() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("TURNOUT_") || name == "INTERNAL_USER_IDS")
    {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

pub fn output(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Words as a shell splits them, as far as needed here: `'a b'` is one.
pub fn words(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate();
    quoted
        .flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}
