//! The log on stderr: it blocks nothing, has two formats, and is filtered by its own targets.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::support::program::{Program, home};
use crate::support::{Save, flag, wait_until};

const OPEN: &str = "rollout: { realtime-v2: 100% }";

fn two_flags() -> tempfile::TempDir {
    home(&[("chat.yaml", &flag("chat", OPEN)), ("feed.yaml", &flag("feed", OPEN))])
}

/// Stderr is a full pipe: stops, saves and the end of the process wait for no reader.
#[tokio::test]
async fn an_unread_log_blocks_nothing() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut program = Program::start_unread(
        two_flags(),
        &[("TURNOUT_LOG", "trace")],
        writer.try_clone().unwrap(),
    );
    let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("then change")));
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    for size in [4096, 1] {
        while match writer.write(&vec![b'x'; size]) {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        } {}
    }
    rustix::io::ioctl_fionbio(&writer, false).unwrap();

    for _ in 0..2 {
        assert_eq!(program.order("/v1/flags/chat/stop", json!({})).await.status(), 200);
    }
    assert_eq!(program.strategy("chat", "u-1").await, "polling");
    let narrower = flag("feed", OPEN).replace("enabled: true", "enabled: false");
    Save::Rename.save(&program.path("flags/feed.yaml"), &narrower);
    wait_until("the save to be live", async || program.strategy("feed", "u-1").await == "polling")
        .await;
    program.signal("TERM");
    assert_eq!(program.exit().await, Some(0));
}

#[tokio::test]
async fn with_the_json_format_each_log_line_is_an_object() {
    let mut program =
        Program::start(two_flags(), &[("TURNOUT_LOG", "debug"), ("TURNOUT_LOG_FORMAT", "json")]);
    program.says("then change").await;
    assert_eq!(program.order("/v1/flags/chat/stop", json!({})).await.status(), 200);
    program.signal("TERM");
    assert_eq!(program.exit().await, Some(0));
    program.says("stopped").await;
    let said = program.said();
    let lines: Vec<Json> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert!(
            ["timestamp", "level", "target", "message"].iter().all(|name| line[name].is_string()),
            "{line}"
        );
        assert!(line["target"].as_str().unwrap().starts_with("turnout::"), "{line}");
        assert!(line["feature_flag.context.id"].is_null(), "{line}");
    }
    assert!(
        lines.iter().any(|line| line["level"] == "DEBUG" && line["feature_flag.key"] == "chat"),
        "{said}"
    );
}

#[tokio::test]
async fn text_log_lines_begin_with_time_and_level_and_obey_the_filter() {
    let mut program = Program::start(two_flags(), &[("TURNOUT_LOG", "info,turnout::control=off")]);
    program.says("then change").await;
    assert_eq!(program.order("/v1/flags/chat/stop", json!({})).await.status(), 200);
    program.signal("TERM");
    assert_eq!(program.exit().await, Some(0));
    program.says("stopped").await;
    for line in program.said().lines() {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.len() == "2026-11-27T08:15:00.042Z".len() && time.ends_with('Z'), "{line}");
        assert!(rest.starts_with("INFO turnout::app: "), "{line}");
    }
}

#[test]
fn a_bad_log_filter_or_format_is_reported_before_the_start() {
    for (settings, says) in [
        (
            [("TURNOUT_LOG", "loud"), ("TURNOUT_LOG_FORMAT", "")],
            "TURNOUT_LOG: `loud` is not a level",
        ),
        (
            [("TURNOUT_LOG", "hyper=trace"), ("TURNOUT_LOG_FORMAT", "")],
            "TURNOUT_LOG: `hyper` is not a target of this service",
        ),
        (
            [("TURNOUT_LOG", ""), ("TURNOUT_LOG_FORMAT", "xml")],
            "TURNOUT_LOG_FORMAT: `xml` is not a format",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_turnout")).envs(settings).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    }
}
