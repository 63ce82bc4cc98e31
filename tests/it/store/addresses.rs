//! `addresses.json`: where a running server listens, as programs on the same machine look it up.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::app::App;
use turnout::data_dir::Addresses;

use crate::support::typed::{Server, output, turnout};
use crate::support::{Service, announced, config, flag};

fn stale() -> String {
    json!({ "public": "http://127.0.0.1:1", "admin": "http://127.0.0.1:1" }).to_string()
}

/// Both members are URLs that answer; the file belongs to its owner alone, and is removed at an
/// orderly stop.
#[tokio::test]
async fn the_addresses_file_exists_while_the_server_listens() {
    let mut service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let file = service.data.join("addresses.json");
    let reply: Json = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let [public, admin] = [service.url(""), service.admin_url("")];
    assert_eq!(reply, json!({ "public": public, "admin": admin }));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    service.crash().await;
    assert!(file.exists(), "a killed server cannot remove it");
    service.restart().await;
    assert_eq!(Addresses::read(&service.data).unwrap().unwrap().public, service.url(""));

    // A file that another server wrote meanwhile is not this one's to remove.
    fs::write(&file, stale()).unwrap();
    service.stop().await;
    assert_eq!(fs::read_to_string(&file).unwrap(), stale());
    service.restart().await;
    service.stop().await;
    assert!(!file.exists(), "nothing listens there any more");
}

/// A listener on all addresses is named by one that a program on this machine can connect to.
#[tokio::test]
async fn the_addresses_file_names_connectable_addresses_for_wildcard_listeners() {
    let home = TempDir::new().unwrap();
    let mut settings = config(home.path());
    fs::create_dir(&settings.flags).unwrap();
    settings.listen = "0.0.0.0:0".parse().unwrap();
    settings.admin_listen = "0.0.0.0:0".parse().unwrap();
    let data = settings.data.clone();
    let app = App::start(settings).await.unwrap();
    let Addresses { public, admin } = Addresses::read(&data).unwrap().unwrap();
    assert_eq!(public, format!("http://127.0.0.1:{}", app.address().port()));
    for (url, path, status) in [(public, "/healthz", 200), (admin, "/v1/status", 401)] {
        assert_eq!(reqwest::get(format!("{url}{path}")).await.unwrap().status(), status, "{url}");
    }
    app.stop().await;
}

/// A data folder that accepts no new file does not stop the service; the error is logged. A folder
/// stands at the path of the file here, which also affects root.
#[test]
fn an_unwritable_addresses_file_does_not_stop_the_service() {
    let home = TempDir::new().unwrap();
    let (flags, data, log) =
        (home.path().join("flags"), home.path().join("data"), home.path().join("log"));
    fs::create_dir(&flags).unwrap();
    fs::create_dir_all(data.join("addresses.json/taken")).unwrap();
    let mut server = turnout()
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--flags"])
        .arg(&flags)
        .arg("--data")
        .arg(&data)
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let said = |words: &str| fs::read_to_string(&log).unwrap().contains(words);
    while !said("operators on http://") {
        assert!(server.try_wait().unwrap().is_none(), "{}", fs::read_to_string(&log).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let text = fs::read_to_string(&log).unwrap();
    let reply = text.lines().filter(|line| line.contains("addresses.json")).collect::<Vec<_>>();
    assert!(
        reply.len() == 2 && reply[0].contains("cannot remove") && reply[1].contains("cannot write"),
        "{text}"
    );
    assert!(
        Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap().success()
    );
    assert!(server.wait().unwrap().success());
}

/// A command needs no address: the data folder names it. An explicit address wins; where no server
/// runs, the default address is asked.
#[test]
fn commands_find_the_server_by_its_data_folder() {
    let server = Server::start();
    let data = server.home.path().join("data");
    let command = |line: &str, data: &Path, more: &[(&str, &str)]| {
        let mut command = turnout();
        command
            .args(line.split(' '))
            .env("TURNOUT_DATA", data)
            .envs(more.iter().copied())
            .stdout(Stdio::piped());
        output(&mut command)
    };
    let (exit, _, stderr) = command("publish chat b --type t", &data, &[]);
    assert_eq!(exit, 0, "{stderr}");
    for line in [
        "status chat",
        "ask chat --user u-1",
        "history --limit 1",
        "problems",
        "explain chat --user u-1",
        "streams chat",
    ] {
        let (exit, stdout, stderr) = command(line, &data, &[]);
        assert!(exit == 0 && !stdout.is_empty(), "{line}: {exit} {stderr}");
        let (exit, ..) =
            command(&format!("{line} --data {}", data.display()), Path::new("elsewhere"), &[]);
        assert_eq!(exit, 0, "{line}");
        // An empty value counts as not set.
        let (exit, _, stderr) =
            command(line, &data, &[("TURNOUT_SERVER", ""), ("TURNOUT_URL", "")]);
        assert_eq!(exit, 0, "{line}: {stderr}");
    }
    let nowhere = "http://127.0.0.1:1";
    for (line, name, option) in
        [("status chat", "TURNOUT_SERVER", "--server"), ("ask chat", "TURNOUT_URL", "--url")]
    {
        let (exit, _, stderr) = command(line, &data, &[(name, nowhere)]);
        assert!(
            exit == 4 && stderr.contains(nowhere) && stderr.contains("is it running?"),
            "{stderr}"
        );
        let (exit, _, stderr) = command(&format!("{line} {option} {nowhere}"), &data, &[]);
        assert!(exit == 4 && stderr.contains(nowhere), "{stderr}");
    }

    // A copy of the folder of a server that no longer runs, and a file that was damaged by hand.
    let other = TempDir::new().unwrap();
    let file = other.path().join("addresses.json");
    symlink(data.join("admin.token"), other.path().join("admin.token")).unwrap();
    fs::write(&file, stale()).unwrap();
    for line in ["status", "ask chat"] {
        let (exit, _, stderr) = command(line, other.path(), &[]);
        assert!(
            exit == 4 && stderr.contains(nowhere) && stderr.contains("is it running?"),
            "{stderr}"
        );
    }
    fs::write(&file, "{\"public\":").unwrap();
    for (line, option) in [("status", "--server"), ("ask chat", "--url")] {
        let (exit, _, stderr) = command(line, other.path(), &[]);
        assert!(
            exit == 4 && stderr.contains("addresses.json") && stderr.contains(option),
            "{stderr}"
        );
    }
    announced::forget(other.path());
    assert_eq!(Addresses::read(other.path()).unwrap(), None);
}
