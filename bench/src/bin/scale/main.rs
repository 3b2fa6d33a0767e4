//! How fast a change reaches the proxies of a large mesh, and what the controller needs for it.
//!
//! A controller with an in-process source, and simulated proxies with real delta streams over loopback, in two
//! processes so that their memory is told apart. Each proxy follows a share of the services by name, some follow all.
//! Then one route changes at a time, and the last of its subscribers to have it is waited for.
//!
//!     cargo run --release -p bench --bin scale

mod mesh;
mod proxy;
mod serve;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{ChildStdin, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use tokio::sync::mpsc;

use mesh::Mesh;
use proxy::{Proxy, Told};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// No change may take longer.
const LIMIT: Duration = Duration::from_mins(1);

/// Measures how fast a change reaches the proxies of a large mesh.
#[derive(Debug, Clone, Parser)]
struct Flags {
    /// Services, each a host with a MetaRouter
    #[arg(long, default_value_t = 10_000)]
    services: usize,
    /// Endpoints of all services together
    #[arg(long, default_value_t = 50_000)]
    endpoints: usize,
    /// Proxies
    #[arg(long, default_value_t = 200)]
    proxies: usize,
    /// Services that a proxy follows by name
    #[arg(long, default_value_t = 500)]
    follows: usize,
    /// Proxies that follow all services instead
    #[arg(long, default_value_t = 5)]
    all: usize,
    /// Changes that are measured
    #[arg(long, default_value_t = 20)]
    changes: usize,
    /// Fail if the slowest change takes longer, in milliseconds
    #[arg(long)]
    within: Option<u64>,
    /// Be the controller; for this program's own use
    #[arg(long, hide = true)]
    serve: bool,
}

impl Flags {
    fn mesh(&self) -> Mesh {
        Mesh { services: self.services, endpoints: self.endpoints }
    }
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let result = if flags.serve { serve::serve(flags.mesh()) } else { measure(&flags) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The controller, as a child.
struct Controller {
    child: std::process::Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Controller {
    fn start(flags: &Flags) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve").args(["--services", &flags.services.to_string()]);
        command.args(["--endpoints", &flags.endpoints.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().context("it has an input")?;
        let output = BufReader::new(child.stdout.take().context("it has an output")?);
        Ok(Self { child, input, output })
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the controller has ended");
        Ok(line.trim().to_owned())
    }

    /// Changes the route of a service; how long the new catalogue took.
    fn change(&mut self, service: usize) -> anyhow::Result<Duration> {
        writeln!(self.input, "{service}")?;
        Ok(Duration::from_micros(self.line()?.parse()?))
    }

    /// Mebibytes of memory.
    fn resident(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("it has memory")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? >> 10)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn measure(flags: &Flags) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut controller = Controller::start(flags)?;
    let address = controller.line()?.parse()?;
    println!(
        "{} services, {} endpoints: read and built in {:.1} s, {} MiB",
        flags.services,
        flags.endpoints,
        began.elapsed().as_secs_f64(),
        controller.resident()?
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (told, mut tells) = mpsc::unbounded_channel();
        let began = Instant::now();
        let followers = connect(flags, address, &told);
        let mut received = 0;
        for _ in 0..flags.proxies {
            let first = tokio::time::timeout(LIMIT * 5, tells.recv()).await?.context("a proxy is synced")?;
            received += first.bytes;
        }
        println!(
            "{} proxies ({} follow all, the others {} each): synced in {:.1} s, {} MiB sent, {} MiB",
            flags.proxies,
            flags.all,
            flags.follows,
            began.elapsed().as_secs_f64(),
            received >> 20,
            controller.resident()?
        );
        change(flags, &mut controller, &mut tells, &followers).await
    })
}

/// Starts all proxies. How many follow each service.
fn connect(flags: &Flags, address: SocketAddr, told: &mpsc::UnboundedSender<Told>) -> Vec<usize> {
    let mut followers = vec![0_usize; flags.services];
    for number in 0..flags.proxies {
        let first = number * flags.services / flags.proxies;
        let some = |count: usize| (0..count).map(|one| (first + one) % flags.services).collect::<Vec<_>>();
        let follows = (number >= flags.all).then(|| some(flags.follows.min(flags.services)));
        match &follows {
            None => followers.iter_mut().for_each(|count| *count += 1),
            Some(follows) => follows.iter().for_each(|service| followers[*service] += 1),
        }
        let proxy = Proxy { number, address, follows, told: told.clone() };
        tokio::spawn(proxy.run(flags.mesh()));
    }
    followers
}

/// Changes one route after the other.
async fn change(
    flags: &Flags,
    controller: &mut Controller,
    tells: &mut mpsc::UnboundedReceiver<Told>,
    followers: &[usize],
) -> anyhow::Result<()> {
    let mut took = Vec::new();
    for change in 0..flags.changes {
        let service = (change * 7919) % flags.services;
        let began = Instant::now();
        let built = controller.change(service)?;
        for _ in 0..followers[service] {
            tokio::time::timeout(LIMIT, tells.recv()).await?.context("a proxy is told")?;
        }
        took.push((began.elapsed(), built, followers[service]));
    }
    took.sort_unstable();
    let Some((slowest, ..)) = took.last().copied() else { return Ok(()) };
    let (middle, built, _) = took[took.len() / 2];
    let followers = || took.iter().map(|(_, _, followers)| *followers);
    println!(
        "one change of a route, to the last of {} to {} followers: median {} ms, of which the catalogue {} ms; slowest {} ms",
        followers().min().unwrap_or_default(),
        followers().max().unwrap_or_default(),
        middle.as_millis(),
        built.as_millis(),
        slowest.as_millis(),
    );
    println!("controller after {} changes: {} MiB", flags.changes, controller.resident()?);
    let limit = flags.within.map_or(Duration::MAX, Duration::from_millis);
    ensure!(slowest <= limit, "the slowest change took longer than {} ms", limit.as_millis());
    Ok(())
}
