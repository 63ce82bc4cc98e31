//! `admin.token` is its node's alone and stands in no revision. Deleting the file ends the token it
//! held, within two seconds, and a new one is made; so does revoking it, which needs neither the
//! database nor room on the disk.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::{CommandRejected, ControlEvent, Coordinator, Inner, Problem, ProblemKind};
use crate::auth::{LocalAdmin, random_secret};
use crate::data_dir::{AdminTokenFile, FileId};
use crate::ledger::ContentHash;

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How soon again where it is not what it was: a file that is being written looks like another one
/// for a moment.
const AGAIN: Duration = Duration::from_millis(250);

/// The file and what is believed of it; held by whoever looks at it or ends it.
#[derive(Debug, Default)]
pub(super) struct AdminToken {
    /// The file with the token that is believed, and the folder it was last seen in.
    seen: Option<(AdminTokenFile, Option<FileId>)>,
    /// What the last look found, if that was not what is believed.
    doubted: Option<AdminTokenFile>,
    /// A token that was revoked, while the file that holds it could not be replaced.
    revoked: Option<ContentHash>,
}

/// What became of the file of a token that was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminTokenEnd {
    /// It is gone from the file, and another token stands there or will.
    Replaced,
    /// The file still holds it: this process accepts it no more, and one that starts later would.
    InMemory,
}

impl AdminToken {
    fn is_of_another_folder(&self, folder: Option<FileId>) -> bool {
        self.seen.as_ref().is_some_and(|(_, seen_in)| *seen_in != folder)
    }
}

impl Coordinator {
    /// The credential of whoever may read the data folder, as it is believed from now on.
    pub fn local_admin(&self) -> &LocalAdmin {
        &self.0.local_admin
    }

    /// Ends the token that `admin.token` holds, and puts a new one in its place.
    pub async fn end_admin_token(&self) -> Result<AdminTokenEnd, CommandRejected> {
        let inner = self.0.clone();
        // Carried to its end also when whoever asked goes away.
        tokio::spawn(async move { inner.end_admin_token().await })
            .await
            .map_err(|_| CommandRejected::Unknown)
    }
}

/// Looks at the file until the coordinator is gone.
pub(super) async fn watch(inner: Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        let settled = strong.look_at_admin_token().await;
        drop(strong);
        sleep(if settled { EVERY } else { AGAIN }).await;
    }
}

impl Inner {
    /// Believes what the file holds at a start, or makes one. A server without it serves all the
    /// same.
    pub(super) async fn open_admin_token(self: &Arc<Self>) {
        let mut admin_token = self.admin_token.lock().await;
        let (found, folder) = self.read_admin_token().await;
        self.take_admin_token(&mut admin_token, found, folder).await;
    }

    /// Whether the file is what it was, or what became of it is settled.
    async fn look_at_admin_token(self: &Arc<Self>) -> bool {
        let mut admin_token = self.admin_token.lock().await;
        let (found, folder) = self.read_admin_token().await;
        let is_known = matches!(&found, AdminTokenFile::Token(token) if self.local_admin.is(ContentHash::of(token.as_bytes())));
        if is_known {
            admin_token.doubted = None;
            admin_token.seen = Some((found, folder));
            self.trouble(ProblemKind::AdminToken, Vec::new());
            return true;
        }
        // An editor that saves it, or a copy that is put in its place, is not an end: two looks
        // have to agree.
        if admin_token.doubted.as_ref() != Some(&found) {
            admin_token.doubted = Some(found);
            return false;
        }
        self.take_admin_token(&mut admin_token, found, folder).await;
        true
    }

    /// Believes what was found in the place of what was.
    async fn take_admin_token(
        self: &Arc<Self>,
        admin_token: &mut AdminToken,
        found: AdminTokenFile,
        folder: Option<FileId>,
    ) {
        let had_one = self.local_admin.is_known();
        match found {
            AdminTokenFile::Token(token)
                if admin_token.revoked == Some(ContentHash::of(token.as_bytes())) =>
            {
                self.replace_admin_token(admin_token).await;
            }
            AdminTokenFile::Token(token) => {
                self.local_admin.accept_secret(&token);
                admin_token.seen = Some((AdminTokenFile::Token(token), folder));
                self.trouble(ProblemKind::AdminToken, Vec::new());
                if had_one {
                    (self.observer)(&ControlEvent::AdminToken(
                        "admin.token holds another token: the one before is no longer accepted",
                    ));
                }
            }
            // Nobody deleted the file: the whole folder went, and what is live is kept in the one
            // that took its place.
            AdminTokenFile::Gone if had_one && admin_token.is_of_another_folder(folder) => {
                self.keep_admin_token(admin_token, folder).await;
            }
            AdminTokenFile::Gone => {
                self.local_admin.end();
                let replaced = self.replace_admin_token(admin_token).await;
                if had_one && replaced {
                    (self.observer)(&ControlEvent::AdminToken(
                        "admin.token was deleted: its token is no longer accepted, and a new one is there",
                    ));
                }
            }
            AdminTokenFile::Unusable => {
                self.local_admin.end();
                let what =
                    "does not hold one token, so this node has no token of its own".to_owned();
                self.admin_token_trouble(what, "delete it, and a new one is made");
            }
            // What cannot be looked at is not gone: a disk that fails must not take the stop from
            // whoever holds the token.
            AdminTokenFile::Unreadable(why) => {
                let what = match had_one {
                    true => format!("cannot be read: {why}; its token is accepted as before"),
                    false => format!("cannot be read: {why}; so this node has no token of its own"),
                };
                self.admin_token_trouble(
                    what,
                    "see to the data folder and its rights; it is looked at again every second",
                );
            }
        }
    }

    /// Writes the token that is believed into the folder that is there now.
    async fn keep_admin_token(&self, admin_token: &mut AdminToken, folder: Option<FileId>) {
        let Some((AdminTokenFile::Token(token), seen_in)) = &mut admin_token.seen else { return };
        let (data, secret) = (self.data.clone(), token.clone());
        let written =
            match tokio::task::spawn_blocking(move || data.write_admin_token(&secret)).await {
                Ok(written) => written.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
        match written {
            Ok(()) => *seen_in = folder,
            Err(why) => {
                let what = format!("cannot be written: {why}; its token is accepted as before");
                self.admin_token_trouble(
                    what,
                    "see to the data folder and its rights; it is tried again every second",
                );
            }
        }
    }

    async fn end_admin_token(self: &Arc<Self>) -> AdminTokenEnd {
        let mut admin_token = self.admin_token.lock().await;
        admin_token.revoked = self.local_admin.end().or(admin_token.revoked);
        let data = self.data.clone();
        if self.replace_admin_token(&mut admin_token).await {
            (self.observer)(&ControlEvent::AdminToken(
                "admin.token was revoked: its token is no longer accepted, and a new one is there",
            ));
            return AdminTokenEnd::Replaced;
        }
        let deleted = tokio::task::spawn_blocking(move || data.delete_admin_token()).await;
        match deleted {
            Ok(Ok(())) => AdminTokenEnd::Replaced,
            _ => AdminTokenEnd::InMemory,
        }
    }

    /// Makes a new token, and says whether the file holds it.
    async fn replace_admin_token(self: &Arc<Self>, admin_token: &mut AdminToken) -> bool {
        let written = match random_secret() {
            None => Err("the system gives no randomness".to_owned()),
            Some(secret) => {
                // Accepted first, so that nobody reads a token from the file that is not.
                self.local_admin.accept_secret(&secret);
                let data = self.data.clone();
                match tokio::task::spawn_blocking(move || data.write_admin_token(&secret)).await {
                    Ok(written) => written.map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                }
            }
        };
        match written {
            Ok(()) => {
                *admin_token = AdminToken::default();
                self.trouble(ProblemKind::AdminToken, Vec::new());
                true
            }
            Err(why) => {
                self.local_admin.end();
                let what =
                    format!("has no token of this node, and a new one cannot be written: {why}");
                self.admin_token_trouble(
                    what,
                    "make room in the data folder, or set its rights right; it is tried again every second",
                );
                false
            }
        }
    }

    async fn read_admin_token(&self) -> (AdminTokenFile, Option<FileId>) {
        let data = self.data.clone();
        // The disk may hang.
        let read = tokio::task::spawn_blocking(move || data.look_at_admin_token()).await;
        read.unwrap_or_else(|error| (AdminTokenFile::Unreadable(error.to_string()), None))
    }

    fn admin_token_trouble(&self, what: String, hint: &str) {
        let message = format!("{} {what}", self.data.admin_token().display());
        self.trouble(
            ProblemKind::AdminToken,
            vec![Problem {
                kind: ProblemKind::AdminToken,
                subject: None,
                message,
                hint: hint.to_owned(),
            }],
        );
    }
}
