//! Taking times: in turn, many times, and of these the median.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Times of one thing, in the order taken.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds one.
    pub fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// Adds one, if there is one.
    pub fn extend(&mut self, took: Option<Duration>) {
        self.0.extend(took);
    }

    /// Adds all of the others.
    pub fn append(&mut self, mut others: Times) {
        self.0.append(&mut others.0);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes the time of `work` and adds it.
    pub fn take<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let made = work();
        self.add(start.elapsed());
        made
    }

    /// The time that is exceeded by one in a hundred minus `percent`.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(rank).copied()
    }

    /// The median.
    pub fn median(&self) -> Option<Duration> {
        self.percentile(50)
    }

    /// The longest.
    pub fn worst(&self) -> Option<Duration> {
        self.0.iter().max().copied()
    }
}

/// A program that is run as a whole, its output thrown away.
pub struct Program {
    name: &'static str,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    /// Why it cannot be run here.
    pub missing: Option<String>,
    /// How long it took.
    pub times: Times,
}

impl Program {
    /// A program with its arguments, on the PATH or at a path.
    pub fn new(name: &'static str, arguments: &str) -> Program {
        Program {
            name,
            arguments: arguments.split_whitespace().map(OsString::from).collect(),
            environment: Vec::new(),
            missing: None,
            times: Times::default(),
        }
    }

    /// The program with a variable in its environment.
    pub fn with(mut self, variable: &'static str, value: impl Into<OsString>) -> Program {
        self.environment.push((variable, value.into()));
        self
    }

    /// Runs it once and takes its time, unless it is missing.
    fn run(&mut self) -> anyhow::Result<()> {
        if self.missing.is_some() {
            return Ok(());
        }
        let mut command = Command::new(self.name);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let start = Instant::now();
        match command.status() {
            Ok(_) => self.times.add(start.elapsed()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.missing = Some("not installed".to_owned());
            }
            Err(error) => return Err(error).with_context(|| format!("cannot run {}", self.name)),
        }
        Ok(())
    }
}

/// Runs all programs in turn, and again, so that what disturbs one disturbs all.
pub fn in_turn(rounds: usize, programs: &mut [&mut Program]) -> anyhow::Result<()> {
    for round in 0..=rounds {
        for program in programs.iter_mut() {
            program.run()?;
            if round == 0 {
                // The first run reads files that the others find in memory.
                program.times = Times::default();
            }
        }
    }
    Ok(())
}
