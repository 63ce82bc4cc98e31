//! What strace wrote, call by call, with where each began and ended: a call of one thread may be
//! cut in two by those of others.

use std::collections::HashMap;
use std::io;
use std::path::Path;

/// One system call.
struct Call {
    name: String,
    /// What it was called with, and what it returned.
    text: String,
    /// Lines of the trace.
    began: usize,
    ended: usize,
}

pub struct Trace(Vec<Call>);

impl Call {
    /// The descriptor with its path, as `-y` shows it.
    fn descriptor(&self) -> &str {
        self.text.split([',', ')']).next().unwrap_or_default()
    }

    fn is_on(&self, file: &str) -> bool {
        self.descriptor().ends_with(&format!("/{file}>"))
    }

    fn is_sync(&self) -> bool {
        matches!(self.name.as_str(), "fsync" | "fdatasync") && self.text.trim_end().ends_with("= 0")
    }

    fn writes(&self) -> bool {
        matches!(self.name.as_str(), "write" | "pwrite64" | "sendto" | "writev")
    }
}

impl Trace {
    pub fn read(path: &Path) -> io::Result<Trace> {
        let bytes = std::fs::read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut calls = Vec::new();
        let mut cut: HashMap<&str, (usize, String, String)> = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            // `PID TIME name(arguments) = result`
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let Some((_, rest)) = rest.trim_start().split_once(' ') else { continue };
            if let Some(rest) = rest.strip_prefix("<... ") {
                let Some((began, name, head)) = cut.remove(thread) else { continue };
                let tail = rest.split_once(" resumed>").map_or("", |(_, tail)| tail);
                calls.push(Call { name, text: head + tail, began, ended: number });
                continue;
            }
            let Some((name, arguments)) = rest.split_once('(') else { continue };
            match arguments.strip_suffix("<unfinished ...>") {
                Some(head) => {
                    drop(cut.insert(thread, (number, name.to_owned(), head.trim_end().to_owned())));
                }
                None => {
                    calls.push(Call {
                        name: name.to_owned(),
                        text: arguments.to_owned(),
                        began: number,
                        ended: number,
                    });
                }
            }
        }
        Ok(Trace(calls))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn syncs(&self) -> usize {
        self.0.iter().filter(|call| call.is_sync()).count()
    }

    /// Whether, after the request of this key was read and before it was answered, what names it
    /// was written to this file, and then synced.
    pub fn synced_between(&self, key: &str, file: &str) -> Result<(), String> {
        let named = |call: &&Call| call.text.contains(key);
        let read = self
            .0
            .iter()
            .filter(|call| matches!(call.name.as_str(), "read" | "recvfrom"))
            .find(named);
        let read = read.ok_or("its request was not seen")?;
        let answered = self.0.iter().filter(|call| call.began > read.ended && call.writes());
        let mut answered = answered.filter(|call| {
            call.descriptor() == read.descriptor() && call.text.contains("HTTP/1.1 20")
        });
        let answered = answered.next().ok_or("its answer was not seen")?.began;
        let inside =
            |call: &&Call| call.began > read.ended && call.ended < answered && call.is_on(file);
        let written = self.0.iter().filter(inside).filter(|call| call.writes()).find(named);
        let written = written
            .ok_or(format!("nothing that names it was written to {file} before its answer"))?
            .ended;
        let mut synced =
            self.0.iter().filter(inside).filter(|call| call.is_sync() && call.began > written);
        synced.next().map(drop).ok_or(format!("{file} was not synced between that and its answer"))
    }
}
