//! `admin.token` belongs to its node alone and is part of no revision. When the file is deleted,
//! its token ends within two seconds and a new one is made. Revoking the token does the same, and
//! needs neither the database nor room on the disk.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::admin_token_state::{AdminToken, AdminTokenEnd};
use super::{CommandRejected, ControlEvent, Coordinator, Inner, Problem, ProblemKind};
use crate::auth::{LocalAdmin, random_secret};
use crate::data_dir::{AdminTokenFile, FileId};
use crate::ledger::ContentHash;

/// How often the file is read.
const READ_INTERVAL: Duration = Duration::from_secs(1);
/// How soon the file is read again after a change: a file that is being written looks like another
/// one for a moment.
const REREAD_INTERVAL: Duration = Duration::from_millis(250);

impl Coordinator {
    /// The credential for users who can read the data folder, as accepted from now on.
    pub fn local_admin(&self) -> &LocalAdmin {
        &self.0.local_admin
    }

    /// Ends the token in `admin.token`, and writes a new one in its place.
    pub async fn end_admin_token(&self) -> Result<AdminTokenEnd, CommandRejected> {
        let inner = self.0.clone();
        // A task of its own, so that it finishes also when the caller goes away.
        tokio::spawn(async move { inner.end_admin_token().await })
            .await
            .map_err(|_| CommandRejected::Unknown)
    }
}

/// Reads the file regularly until the coordinator is dropped.
pub(super) async fn watch(inner: Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        let is_settled = strong.look_at_admin_token().await;
        drop(strong);
        sleep(if is_settled { READ_INTERVAL } else { REREAD_INTERVAL }).await;
    }
}

impl Inner {
    /// Accepts the token in the file at a start, or makes one. Without a token the server still
    /// serves.
    pub(super) async fn open_admin_token(self: &Arc<Self>) {
        let mut admin_token = self.admin_token.lock().await;
        self.read_ended_admin_tokens(&mut admin_token.ended).await;
        let (found, folder) = self.read_admin_token().await;
        self.take_admin_token(&mut admin_token, found, folder).await;
    }

    /// Reads the file. Returns whether it is unchanged or its change is dealt with.
    async fn look_at_admin_token(self: &Arc<Self>) -> bool {
        let mut admin_token = self.admin_token.lock().await;
        self.save_ended_admin_tokens(&mut admin_token.ended).await;
        let (found, folder) = self.read_admin_token().await;
        let is_known = matches!(&found, AdminTokenFile::Token(token) if self.local_admin.is(ContentHash::of(token.as_bytes())));
        if is_known {
            admin_token.doubted = None;
            admin_token.seen = Some((found, folder));
            self.trouble(ProblemKind::AdminToken, Vec::new());
            return true;
        }
        // An editor that saves the file, or a copy put in its place, does not end the token: two
        // readings must agree.
        if admin_token.doubted.as_ref() != Some(&found) {
            admin_token.doubted = Some(found);
            return false;
        }
        self.take_admin_token(&mut admin_token, found, folder).await;
        true
    }

    /// Replaces the accepted token by what was found.
    async fn take_admin_token(
        self: &Arc<Self>,
        admin_token: &mut AdminToken,
        found: AdminTokenFile,
        folder: Option<FileId>,
    ) {
        let had_one = self.local_admin.is_known();
        match found {
            // A backup or a tool put an ended token back: its end stands.
            AdminTokenFile::Token(token) if admin_token.ended.holds(&token) => {
                self.local_admin.end();
                if self.replace_admin_token(admin_token).await {
                    (self.observer)(&ControlEvent::AdminToken(
                        "admin.token held a token that had been revoked or deleted: it is not accepted, and a new one is there",
                    ));
                }
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
            // The file was not deleted: the whole folder went. The live token is written to the
            // folder that took its place.
            AdminTokenFile::Gone if had_one && admin_token.is_of_another_folder(folder) => {
                self.keep_admin_token(admin_token, folder).await;
            }
            AdminTokenFile::Gone => {
                admin_token.ended.add(self.local_admin.end());
                self.save_ended_admin_tokens(&mut admin_token.ended).await;
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
            // An unreadable file is not a deleted one: a failing disk must not take the ability to
            // stop from an operator who holds the token.
            AdminTokenFile::Unreadable(why) => {
                let what = if had_one {
                    format!("cannot be read: {why}; its token is accepted as before")
                } else {
                    format!("cannot be read: {why}; so this node has no token of its own")
                };
                self.admin_token_trouble(
                    what,
                    "see to the data folder and its rights; it is looked at again every second",
                );
            }
        }
    }

    /// Writes the accepted token into the folder that is there now.
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
        admin_token.ended.add(self.local_admin.end());
        let is_saved = self.save_ended_admin_tokens(&mut admin_token.ended).await;
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
            _ if is_saved => AdminTokenEnd::Replaced,
            _ => AdminTokenEnd::InMemory,
        }
    }

    /// Makes a new token, and returns whether the file holds it.
    async fn replace_admin_token(self: &Arc<Self>, admin_token: &mut AdminToken) -> bool {
        let written = match random_secret() {
            None => Err("the system gives no randomness".to_owned()),
            Some(secret) => {
                // Accepted before it is written, so that the file never holds a token that is
                // refused.
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
                (admin_token.seen, admin_token.doubted) = (None, None);
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
