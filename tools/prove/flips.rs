//! How fast a durable flip is: one client sets a flag to 10 % and 50 % in turn, beside a bare loop
//! of insert and commit on the same disk with the same pragmas, round by round, so that the disk's
//! mood cancels out.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use crate::server::Home;
use crate::wire::Wire;
use crate::{Outcome, Run, flag, percentile};

const BAR: f64 = 0.3;
const AIM: f64 = 0.6;

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let rounds = run.count.unwrap_or(if run.short { 3 } else { 15 });
    let length = Duration::from_millis(if run.short { 500 } else { 2_000 });
    let home = Home::new(&[("lane.yaml", &flag("lane", "rollout: { realtime-v2: 10% }"))]);
    let server = run.program.start(&home)?;
    let mut operator = server.operator()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut bare = runtime.block_on(open(&home)).map_err(|error| error.to_string())?;
    let (mut flips, mut commits, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first round warms up and does not count.
    for round in 0..=rounds {
        let flipped = flip(&mut operator, length)?;
        let committed =
            runtime.block_on(commit(&mut bare, length)).map_err(|error| error.to_string())?;
        if round > 0 {
            flips.push(flipped);
            commits.push(committed);
            ratios.push(flipped / committed);
        }
    }
    let ratio = percentile(&ratios, 50.0);
    let mut outcome = Outcome::default();
    // Without optimisation the service is slow and the disk is not: that says nothing of what
    // ships.
    if cfg!(debug_assertions) {
        outcome.not_checked.push(format!(
            "flips against the bar of {BAR} (a debug build; scripts/prove.sh --dist flips)"
        ));
    } else {
        outcome.check(ratio >= BAR, || {
            format!("durable flips are {ratio:.2} of bare commits, the bar is {BAR}")
        });
    }
    outcome.figures = json!({
        "ratio": ratio,
        "ratios": ratios,
        "bar": BAR,
        "aim": AIM,
        "flipsPerSecond": percentile(&flips, 50.0),
        "bareCommitsPerSecond": percentile(&commits, 50.0),
        "rounds": rounds,
    });
    Ok(outcome)
}

/// Flips a second, each acknowledged and durable. An upward flip is a commit; a downward one is a
/// journal entry and a commit.
fn flip(operator: &mut Wire, length: Duration) -> Result<f64, String> {
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < length {
        let share = if count % 2 == 0 { "50%" } else { "10%" };
        let body = format!(r#"{{"realtime-v2":"{share}","reason":"proof"}}"#);
        let answer =
            operator.order("lane", "set", None, &body).map_err(|error| error.to_string())?;
        // At the very beginning it may stand as it is wanted already.
        if answer.status != 200 || count > 0 && answer.json()["outcome"] != "committed" {
            return Err(format!("set {share} was told {} {}", answer.status, answer.json()));
        }
        count += 1;
    }
    // Ends where it began.
    let down = operator.order("lane", "set", None, r#"{"realtime-v2":"10%","reason":"proof"}"#);
    down.map_err(|error| error.to_string())?;
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

async fn open(home: &Home) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(home.folder.path().join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .disable_statement_logging();
    let mut bare = options.connect().await?;
    sqlx::query("CREATE TABLE bare (number INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT")
        .execute(&mut bare)
        .await?;
    Ok(bare)
}

async fn commit(bare: &mut SqliteConnection, length: Duration) -> Result<f64, sqlx::Error> {
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < length {
        let mut transaction = bare.begin_with("BEGIN IMMEDIATE").await?;
        let insert = sqlx::query("INSERT INTO bare (text) VALUES ($1)")
            .bind("a flag is flipped by an operator for a reason");
        insert.execute(&mut *transaction).await?;
        transaction.commit().await?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}
