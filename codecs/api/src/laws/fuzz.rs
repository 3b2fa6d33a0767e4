//! The fuzz target of a codec: the law of hostile bytes, for as long as one likes.
//!
//! No coverage is measured, so that nothing but a stable compiler is needed. What guides the search is what can be seen
//! from outside: an input that leads to a course which none before has taken (other kinds of messages, another error)
//! joins the inputs that later ones are made of.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastrand::Rng;

use super::breach::Breach;
use super::hostile::{corpus, session};
use super::mutation::mutate;
use super::stage::Stage;
use super::trying::{caught, watched};
use super::{Law, Laws};
use crate::Side;

/// Inputs that later ones are made of.
const MOST_KNOWN: usize = 4096;
const HELP: &str = "arguments: --seconds N (10 if not given), --seed N, --save FOLDER (where an input that breaks a law \
    is written), --client FILE or --endpoint FILE (try this input, as a client's or an endpoint's, and nothing else)";

struct Plan {
    time: Duration,
    seed: u64,
    save: PathBuf,
    replay: Option<(Side, Vec<u8>)>,
}

impl Laws {
    /// The `main` of a fuzz target: tries mutated messages until a law is broken or the time is over. Prints the seed,
    /// writes an input that breaks a law to a file, and says how to try it again.
    ///
    /// `arguments` are the command line's, without the program's name: `--seconds`, `--seed`, `--save`, `--client`,
    /// `--endpoint`.
    pub fn fuzz(self, arguments: impl IntoIterator<Item = String>) -> ExitCode {
        let name = self.protocol.name();
        let plan = match plan(arguments) {
            Ok(plan) => plan,
            Err(text) => {
                eprintln!("{text}\n{HELP}");
                return ExitCode::from(2);
            }
        };
        let save = plan.save.clone();
        let breaches = watched(self, move |stage| run(stage, &plan).err().into_iter().collect());
        let Some(breach) = breaches.first() else { return ExitCode::SUCCESS };
        eprintln!("{breach}");
        if !breach.bytes.is_empty() {
            let from = if breach.subject.contains("endpoint") { "endpoint" } else { "client" };
            let file = save.join(format!("{name}-{from}.bin"));
            match std::fs::create_dir_all(&save).and_then(|()| std::fs::write(&file, &breach.bytes)) {
                Ok(()) => eprintln!("the input is in {0}; to try it again: --{from} {0}", file.display()),
                Err(error) => eprintln!("the input cannot be written to {}: {error}", file.display()),
            }
        }
        ExitCode::FAILURE
    }
}

fn plan(arguments: impl IntoIterator<Item = String>) -> Result<Plan, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
    let mut plan =
        Plan { time: Duration::from_secs(10), seed: now, save: "fuzz-failures".into(), replay: None };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} has no value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{argument}: {value:?} is not a number"));
        let file = || std::fs::read(&value).map_err(|error| format!("{argument}: {value}: {error}"));
        match argument.as_str() {
            "--seconds" => plan.time = Duration::from_secs(number()?),
            "--seed" => plan.seed = number()?,
            "--save" => plan.save = value.into(),
            "--client" => plan.replay = Some((Side::Downstream, file()?)),
            "--endpoint" => plan.replay = Some((Side::Upstream, file()?)),
            _ => return Err(format!("{argument} is unknown")),
        }
    }
    Ok(plan)
}

fn run(stage: &Stage, plan: &Plan) -> Result<(), Breach> {
    let name = stage.laws.protocol.name();
    if let Some((side, input)) = &plan.replay {
        caught(&stage.trial, || session(stage, *side, input))?;
        println!("{name}: the input breaks no law");
        return Ok(());
    }
    println!("{name}: seed {}, {:?}", plan.seed, plan.time);
    let mut rng = Rng::with_seed(plan.seed);
    let mut known = [corpus(stage, Side::Downstream), corpus(stage, Side::Upstream)];
    if known.iter().all(Vec::is_empty) {
        let breach = Breach::new(Law::Setup, "the fuzz target").found("no recorded message");
        return Err(breach.right("messages to begin with: Laws::message"));
    }
    let mut courses = HashSet::new();
    let (start, mut tried) = (Instant::now(), 0_u64);
    while start.elapsed() < plan.time {
        for side in [Side::Downstream, Side::Upstream] {
            let known = &mut known[side as usize];
            let input = mutate(&mut rng, known);
            let course = caught(&stage.trial, || session(stage, side, &input))?;
            if courses.insert((side, course)) && known.len() < MOST_KNOWN {
                known.push(input);
            }
            tried += 1;
        }
    }
    println!("{name}: {tried} inputs, {} different courses, no law broken", courses.len());
    Ok(())
}
