//! What was in force at each position, read from the database's rows and from nothing that the
//! server computed for its answers.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::Value as Json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};

use crate::answers::{FLAG, Position};
use crate::answers_reference::{File, State};

/// The flag at every revision that changed it.
pub struct Past {
    states: BTreeMap<u64, State>,
    /// What was live before it was committed: such a revision has a name.
    narrowed: BTreeMap<u64, String>,
    newest: u64,
}

impl Past {
    pub fn read(database: &Path, files: &[(String, File)]) -> Result<Past, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        runtime.block_on(read(database, files))
    }

    pub fn revisions(&self) -> u64 {
        self.newest
    }

    /// The flag at a revision with its pending entries laid over it; `None` if there was no such
    /// position.
    pub fn at(&self, (revision, pending): Position) -> Option<State> {
        let mut state =
            self.states.range(..=revision).next_back().map(|(_, state)| state.clone())?;
        let mut over = self.narrowed.range(revision + 1..);
        for _ in 0..pending {
            let (number, action) = over.next()?;
            lay_over(&mut state, action, &self.states[number]);
        }
        (revision <= self.newest).then_some(state)
    }
}

/// A narrowing entry before it was committed, told from what it became.
fn lay_over(state: &mut State, action: &str, became: &State) {
    match action {
        "stop" => state.stopped = true,
        "define" => state.file = became.file.clone(),
        _ => {
            let ((realtime, disabled), (r, d)) = (split(state), split(became));
            state.split = Some((realtime.min(r), disabled.max(d)));
        }
    }
}

fn split(state: &State) -> (u64, u64) {
    let own = || state.file.as_ref().map_or((0, 0), |file| (file.realtime, file.disabled));
    state.split.unwrap_or_else(own)
}

async fn read(database: &Path, files: &[(String, File)]) -> Result<Past, String> {
    let fault = |error: sqlx::Error| format!("cannot read the history: {error}");
    let mut connection =
        SqliteConnectOptions::new().filename(database).connect().await.map_err(fault)?;
    let mut texts: HashMap<String, Vec<u8>> = HashMap::new();
    for row in sqlx::query("SELECT id, bytes FROM texts ORDER BY id, part")
        .fetch_all(&mut connection)
        .await
        .map_err(fault)?
    {
        texts.entry(row.get(0)).or_default().extend(row.get::<Vec<u8>, _>(1));
    }
    let of_text: HashMap<&[u8], &File> =
        files.iter().map(|(text, file)| (text.as_bytes(), file)).collect();
    let file = |id: &Json| -> Result<File, String> {
        let text = id
            .as_str()
            .and_then(|id| texts.get(id))
            .ok_or(format!("the text {id} is not there"))?;
        let file = of_text.get(text.as_slice()).ok_or(format!("no save wrote the text {id}"))?;
        Ok((*file).clone())
    };
    const ROWS: &str = "SELECT r.revision, r.idempotency_key, c.action, c.record_after FROM revisions AS r \
        JOIN changes AS c USING (revision) WHERE c.kind = 'flag' AND c.subject = $1 ORDER BY r.revision";
    let rows = sqlx::query(ROWS).bind(FLAG).fetch_all(&mut connection).await.map_err(fault)?;
    let (mut states, mut narrowed) = (BTreeMap::new(), BTreeMap::new());
    for row in &rows {
        let (number, key, action): (i64, Option<String>, String) =
            (row.get(0), row.get(1), row.get(2));
        let record: Json = serde_json::from_str(row.get(3)).map_err(|error| error.to_string())?;
        let definition = record.pointer("/pin/definition").unwrap_or(&record["definition"]);
        let share = |name: &str| {
            record
                .pointer(&format!("/split/split/{name}"))
                .and_then(Json::as_str)
                .and_then(thousandths)
        };
        let state = State {
            file: Some(file(definition)?),
            split: share("realtime-v2").zip(share("disabled")),
            stopped: record.get("stop").is_some_and(|stop| !stop.is_null()),
        };
        if record.get("split").is_some_and(|split| !split.is_null()) && state.split.is_none() {
            return Err(format!("the split of revision {number} does not read: {record}"));
        }
        states.insert(number as u64, state);
        if key.is_some() {
            narrowed.insert(number as u64, action);
        }
    }
    let newest: i64 = sqlx::query("SELECT max(revision) FROM revisions")
        .fetch_one(&mut connection)
        .await
        .map_err(fault)?
        .get(0);
    Ok(Past { states, narrowed, newest: newest as u64 })
}

/// `12.5%` is 12500.
fn thousandths(share: &str) -> Option<u64> {
    let (whole, decimals) =
        share.strip_suffix('%')?.split_once('.').unwrap_or((share.strip_suffix('%')?, ""));
    Some(whole.parse::<u64>().ok()? * 1000 + format!("{decimals:0<3}").parse::<u64>().ok()?)
}
