//! Users who are sent to and fro between the tracks get each event once and in order: the rollout is
//! opened and stopped again and again, behind a proxy that breaks what passes, while the server is
//! killed. Their client is `turnout follow`. Each lane is a server with a seed of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::breaking_proxy::BreakingProxy;
use crate::events_wire::{event, publisher};
use crate::rng::Rng;
use crate::server::{Home, Program, Server};
use crate::wire::Wire;
use crate::{Outcome, Run, flag};

const FOLLOWERS: usize = 6;
const MOST_EVENTS: u64 = 5;
/// A switch comes so long after the one before, in milliseconds, at least and at most.
const APART_MS: (u64, u64) = (200, 1_600);
/// The server is killed once in so many switches.
const SWITCHES_A_KILL: u64 = 30;
/// Until then every event has come, when nothing is broken any more.
const PATIENCE: Duration = Duration::from_secs(120);
const QUICK: &str = "rollout: { realtime-v2: 100% }\nclient: { enter_spread: 0s }\ntransports:\n  \
    polling: { start: 1s, min: 1s, max: 2s, factor: 1.5, dedupe: 1s, limit: 7 }\n  \
    realtime-v2: { kind: sse, retry: [1s, 1s, 2s, 2s, 4s] }";

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let switches = run.count.unwrap_or(if run.short { 60 } else { 400 });
    let lanes: Vec<_> = (0..run.lanes)
        .map(|lane| {
            let (program, seed) = (run.program.clone(), run.seed + lane);
            thread::spawn(move || one_lane(&program, seed, switches))
        })
        .collect();
    let (mut outcome, mut figures) = (Outcome::default(), Vec::new());
    for lane in lanes {
        let mut of_lane = lane.join().map_err(|_| "a lane panicked")??;
        figures.push(std::mem::take(&mut of_lane.figures));
        outcome.add(of_lane);
    }
    outcome.figures = json!({ "lanes": figures });
    Ok(outcome)
}

/// One `turnout follow`, ended with the proof.
struct FollowProcess {
    child: Child,
    ids: Arc<Mutex<Vec<String>>>,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Drop for FollowProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl FollowProcess {
    fn start(
        program: &Program,
        proxy: SocketAddr,
        session: &Path,
    ) -> Result<FollowProcess, String> {
        let mut command = Command::new(&program.path);
        command.args(["follow", "lane", "b-1", "--json"]).arg("--bearer-file").arg(session);
        command.args(["--url", &format!("http://{proxy}")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot follow: {error}"))?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let stderr = child.stderr.take().ok_or("no stderr")?;
        let ids = lines_of(stdout, |line| {
            let event: Json = serde_json::from_str(line).unwrap_or_default();
            event["id"].as_str().unwrap_or(line).to_owned()
        });
        let show = std::env::var_os("PROVE_SHOW").is_some();
        let notes = lines_of(stderr, move |line| {
            if show {
                eprintln!("{line}");
            }
            line.to_owned()
        });
        Ok(FollowProcess { child, ids, notes })
    }

    fn got(&self) -> usize {
        lock(&self.ids).len()
    }

    /// How often it said something that begins so.
    fn said(&self, what: &str) -> usize {
        lock(&self.notes).iter().filter(|note| note.starts_with(what)).count()
    }
}

/// Reads lines until there are no more.
fn lines_of(
    from: impl std::io::Read + Send + 'static,
    read: impl Fn(&str) -> String + Send + 'static,
) -> Arc<Mutex<Vec<String>>> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let kept = all.clone();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            lock(&kept).push(read(&line));
        }
    });
    all
}

/// What a follower got, beside what was published.
#[derive(Default)]
struct Got {
    lost: usize,
    repeated: usize,
    out_of_order: usize,
}

impl Got {
    fn of(ids: &[String], published: &[String]) -> Got {
        let place = |id: &String| published.iter().position(|other| other == id);
        let places: Vec<usize> = ids.iter().filter_map(place).collect();
        let mut once = places.clone();
        once.sort_unstable();
        once.dedup();
        Got {
            lost: published.len() - once.len(),
            repeated: ids.len() - once.len(),
            out_of_order: places.windows(2).filter(|pair| pair[0] > pair[1]).count(),
        }
    }

    fn is_right(&self) -> bool {
        (self.lost, self.repeated, self.out_of_order) == (0, 0, 0)
    }
}

/// The server of a lane, which comes back at the same addresses.
struct SwitchLane<'p> {
    program: &'p Program,
    home: Home,
    server: Option<Server>,
    published: Vec<String>,
}

impl SwitchLane<'_> {
    fn server(&self) -> Result<&Server, String> {
        self.server.as_ref().ok_or("no server".to_owned())
    }

    fn kill(&mut self) -> Result<(), String> {
        let server = self.server.take().ok_or("no server")?;
        let addresses = (server.public, server.admin);
        server.kill();
        self.server = Some(self.program.start_at(&self.home, addresses)?);
        Ok(())
    }

    fn order(&self, verb: &str) -> Result<(), String> {
        let mut wire = self.server()?.operator()?;
        let answer = wire.order("lane", verb, None, "{\"reason\":\"to and fro\"}");
        match answer.map_err(|error| error.to_string())?.status {
            200 | 202 => Ok(()),
            status => Err(format!("{verb} was answered {status}")),
        }
    }

    fn publish(&mut self, count: u64) -> Result<(), String> {
        let first = self.published.len() as u64;
        let ids: Vec<String> = (first..first + count).map(|n| format!("e-{n}")).collect();
        let events: Vec<Json> = ids.iter().map(|id| event(id, first)).collect();
        let body = json!({ "readers": "verified", "events": events }).to_string();
        let mut wire = publisher(self.server()?)?;
        let answer = wire.post("/v1/feeds/lane/b-1", &body).map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("a publish was answered {}", answer.status));
        }
        self.published.extend(ids);
        Ok(())
    }

    fn session(&self, wire: &mut Wire, user: usize) -> Result<std::path::PathBuf, String> {
        let body = json!({ "targetingKey": format!("u-{user}"), "ttlMs": 86_400_000 }).to_string();
        let answer = wire.post("/v1/sessions", &body).map_err(|error| error.to_string())?.json();
        let session = answer["session"].as_str().ok_or(format!("no session: {answer}"))?;
        let path = self.home.folder.path().join(format!("session-{user}"));
        std::fs::write(&path, session).map_err(|error| error.to_string())?;
        Ok(path)
    }
}

fn one_lane(program: &Program, seed: u64, switches: u64) -> Result<Outcome, String> {
    let (mut rng, began) = (Rng::new(seed), Instant::now());
    let home = Home::new(&[("lane.yaml", &flag("lane", QUICK))]);
    let server = program.start(&home)?;
    let proxy = BreakingProxy::start(server.public, rng.next()).map_err(|e| e.to_string())?;
    let mut lane = SwitchLane { program, home, server: Some(server), published: Vec::new() };
    lane.publish(30)?;
    let mut wire = publisher(lane.server()?)?;
    let followers: Vec<FollowProcess> = (0..FOLLOWERS)
        .map(|user| FollowProcess::start(program, proxy.address, &lane.session(&mut wire, user)?))
        .collect::<Result<_, _>>()?;
    drop(wire);
    until("every follower to be in realtime", || {
        followers.iter().all(|follower| follower.said("in realtime now") > 0)
    })?;
    proxy.breaks(true);
    let mut kills = 0;
    for done in 0..switches {
        lane.order(if done % 2 == 0 { "stop" } else { "resume" })?;
        lane.publish(1 + rng.below(MOST_EVENTS))?;
        let apart_ms = APART_MS.0 + rng.below(APART_MS.1 - APART_MS.0);
        thread::sleep(Duration::from_millis(apart_ms));
        if done % SWITCHES_A_KILL == SWITCHES_A_KILL / 2 {
            lane.kill()?;
            kills += 1;
        }
    }
    proxy.breaks(false);
    lane.publish(5)?;
    let all = lane.published.len();
    let came = until("every event to come", || followers.iter().all(|one| one.got() >= all));
    // What comes twice may come after that.
    thread::sleep(Duration::from_secs(3));
    let (mut outcome, mut sum) = (Outcome::default(), Got::default());
    let mut switched = (0, 0);
    for (user, follower) in followers.iter().enumerate() {
        let got = Got::of(&lock(&follower.ids), &lane.published);
        outcome.check(got.is_right(), || {
            let Got { lost, repeated, out_of_order } = got;
            format!("seed {seed}, follower {user}: {lost} lost, {repeated} twice, {out_of_order} out of order")
        });
        let entered = follower.said("in realtime now");
        outcome.check(entered > 1, || {
            format!("seed {seed}: follower {user} never came back to realtime")
        });
        sum.lost += got.lost;
        sum.repeated += got.repeated;
        sum.out_of_order += got.out_of_order;
        switched.0 += entered;
        switched.1 += follower.said("polling from now on") + follower.said("polling meanwhile");
    }
    if let Err(failure) = came {
        outcome.fail(format!("seed {seed}: {failure}"));
    }
    outcome.figures = json!({
        "seed": seed,
        "seconds": began.elapsed().as_secs_f64().round(),
        "forcedSwitches": switches,
        "kills": kills,
        "followers": FOLLOWERS,
        "eventsPublished": all,
        "followersEnteredRealtime": switched.0,
        "followersWentPolling": switched.1,
        "faults": proxy.counts(),
        "lost": sum.lost,
        "repeated": sum.repeated,
        "outOfOrder": sum.out_of_order,
    });
    Ok(outcome)
}

fn until(what: &str, holds: impl Fn() -> bool) -> Result<(), String> {
    let began = Instant::now();
    while !holds() {
        if began.elapsed() > PATIENCE {
            return Err(format!("still waiting for {what}"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
