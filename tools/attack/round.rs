//! One attack on one server: what honest callers waited before, while and after it, and what it
//! cost the server.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::callers::Callers;
use crate::server::Server;

/// A process of attackers holds at most so many sockets.
const SOCKETS_A_PROCESS: usize = 10_000;
const WARM: Duration = Duration::from_millis(300);
/// Long enough that what the system does every second or two is in it, as it is in the attack.
const QUIET: Duration = Duration::from_secs(6);
/// After it, looked at in such pieces.
const AFTER: Duration = Duration::from_millis(500);
const RECOVERS_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy)]
pub struct Attack<'a> {
    pub kind: &'a str,
    pub count: usize,
    pub seconds: u64,
}

/// Times in microseconds, sizes in KiB.
pub struct Round {
    pub before: u64,
    pub during: u64,
    pub leaving: u64,
    pub recovered_after_ms: Option<u64>,
    pub visits: u64,
    pub visits_a_second: u64,
    /// Of the server, beyond what the honest callers cost before.
    pub cpu: u64,
    pub rss_before: u64,
    pub rss_peak: u64,
    pub rss_after: u64,
    pub refused: u64,
    pub reconnects: u64,
}

impl Attack<'_> {
    pub fn on(self, server: &Server) -> Round {
        let callers = Callers::start(server.address);
        thread::sleep(WARM);
        let rss_before = server.rss_kib();
        let (quiet, cpu) = (Instant::now(), server.cpu());
        let before = callers.p99_over(QUIET);
        let honest = (server.cpu() - cpu).as_secs_f64() / quiet.elapsed().as_secs_f64();

        let (began, cpu) = (Instant::now(), server.cpu());
        let mut sieges = self.sieges(server);
        // Each says so when it has enough. That they all go at once is an attack of its own, with
        // waits of its own.
        let said: Vec<_> =
            sieges.iter_mut().filter_map(|siege| siege.stdout.take()).map(BufReader::new).collect();
        let enough = thread::spawn(move || {
            let visits =
                said.into_iter().filter_map(|said| said.lines().next()?.ok()?.parse::<u64>().ok());
            (visits.sum::<u64>(), Instant::now())
        });
        let mut rss_peak = rss_before;
        while sieges.iter_mut().any(|siege| siege.try_wait().is_ok_and(|ended| ended.is_none())) {
            rss_peak = rss_peak.max(server.rss_kib());
            thread::sleep(Duration::from_millis(50));
        }
        let (visits, leaving) = enough.join().unwrap();
        let over = Instant::now();
        let cpu = (server.cpu() - cpu).as_secs_f64() - honest * began.elapsed().as_secs_f64();
        let mut recovered = None;
        while recovered.is_none() && over.elapsed() < RECOVERS_WITHIN {
            let window = Instant::now();
            if callers.p99_over(AFTER) <= before * 2 {
                recovered = Some((window - over).as_millis() as u64);
            }
        }
        Round {
            before,
            during: callers.p99_between(began, leaving),
            leaving: callers.p99_between(leaving, over.max(leaving + AFTER)),
            recovered_after_ms: recovered,
            visits,
            visits_a_second: (visits as f64 / (leaving - began).as_secs_f64()) as u64,
            cpu: (cpu.max(0.0) * 1e6) as u64,
            rss_before,
            rss_peak,
            rss_after: server.rss_kib(),
            refused: callers.refused(),
            reconnects: callers.reconnects(),
        }
    }

    /// Attackers are this program again, as if on machines of their own: the system runs them only
    /// where no other process wants to run.
    fn sieges(self, server: &Server) -> Vec<Child> {
        let program = env::current_exe().unwrap();
        let start = |process: usize| {
            let part = (self.count - process * SOCKETS_A_PROCESS).min(SOCKETS_A_PROCESS);
            let mut command = Command::new("chrt");
            command.args(["--idle", "0"]).arg(&program);
            command.args([
                "siege",
                self.kind,
                &server.address.to_string(),
                &part.to_string(),
                &self.seconds.to_string(),
            ]);
            command.stdout(Stdio::piped()).spawn().expect("chrt, of util-linux")
        };
        (0..self.count.div_ceil(SOCKETS_A_PROCESS)).map(start).collect()
    }
}
