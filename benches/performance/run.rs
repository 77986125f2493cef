//! What is measured, in which order, and what it is held against.

use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use freeport::Client;
use freeport::platform::{Focus, Scanner};

use crate::app::{self, App, Memory};
use crate::boxes::{Load, Size};
use crate::bus::Bus;
use crate::measure::{Program, Times, in_turn};
use crate::requests::{self, Asked, CLIENTS, PACE, Requests};
use crate::table::{Table, ratio, time};

const USAGE: &str = "usage: scripts/bench [--quick] [--requests]

  --quick     watch the idle app for 5 seconds instead of 60
  --requests  only ask the app, on the box as it is";

const FREEPORT: &str = env!("CARGO_BIN_EXE_freeport");
const BUSY: Size = Size {
    processes: 500,
    descriptors: 50,
    connections: 1800,
};
/// 60 listeners, with the one that takes the connections.
const SIXTY: Size = Size {
    processes: 59,
    descriptors: 10,
    connections: 60,
};

/// How often whole programs are run, of each.
const RUNS: usize = 21;
/// How often the app is started, and an owner ends.
const STARTS: usize = 20;
/// How often a listener is opened.
const OPENED: u32 = 12;
/// How many ticks are taken at a time.
const TICKS: usize = 50;
/// How long an app runs by itself before its memory and its own timings are read.
const SETTLED: Duration = Duration::from_secs(8);

/// What was measured on one box.
struct Measured {
    processes: usize,
    listeners: usize,
    ss: Program,
    lsof: Program,
    alone: Program,
    through: Program,
    bare: Program,
    run_alone: Program,
    run_through: Program,
    tick: Times,
    cold: Times,
    listeners_crate: Times,
    asked: Asked,
    own_tick: Duration,
    seen: Times,
    gone: Times,
    answers: Times,
    icon: Result<Times, String>,
    headless: Memory,
    tray: Result<Memory, String>,
}

/// Runs it.
pub fn main() -> ExitCode {
    by_arguments().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn by_arguments() -> anyhow::Result<ExitCode> {
    let mut idle = Duration::from_secs(60);
    let (mut inside, mut only_requests) = (false, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            // What cargo says.
            "--bench" => {}
            "--quick" => idle = Duration::from_secs(5),
            "--inside" => inside = true,
            "--requests" => only_requests = true,
            "--hold" => return hold(),
            _ => bail!("{USAGE}"),
        }
    }
    match (inside, only_requests) {
        (false, _) => in_folder(),
        (true, false) => all(idle),
        (true, true) => ask(),
    }
}

/// Does it all in another process, for which all of Freeport is in a folder of its own: the app
/// that the user may be running is not disturbed.
fn in_folder() -> anyhow::Result<ExitCode> {
    let folder = std::env::temp_dir().join(format!("freeport-bench-{}", std::process::id()));
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let status = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .arg("--inside")
        .env("FREEPORT_RUNTIME_DIR", folder.join("app"))
        .env("FREEPORT_DATA_DIR", folder.join("data"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .status();
    let _ = std::fs::remove_dir_all(&folder);
    Ok(if status?.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Listens until the input ends, as another process whose end can be watched.
fn hold() -> anyhow::Result<ExitCode> {
    let _listener = TcpListener::bind("127.0.0.1:0")?;
    println!("ready");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(ExitCode::SUCCESS)
}

/// Only asks the app.
fn ask() -> anyhow::Result<ExitCode> {
    let (_app, _) = App::start(None)?;
    let asked = requests::all()?;
    let mut table = Table::default();
    for meant in &MEANT {
        show_requests(&mut table, [&asked; 2], meant);
    }
    show_paced(&mut table, [&asked; 2]);
    print!("{}", table.draw());
    Ok(ExitCode::SUCCESS)
}

fn all(watched: Duration) -> anyhow::Result<ExitCode> {
    let folder = PathBuf::from(std::env::var("FREEPORT_RUNTIME_DIR")?);
    let folder = folder.parent().context("no folder")?.to_owned();
    let say = |what: &str| eprintln!("-- {what}");
    let load = std::fs::read_to_string("/proc/loadavg")?;
    say("the quiet box");
    let quiet = measure(&folder, true)?;
    say("the idle app");
    let idle = idle(watched)?;
    say("the busy box");
    let _load = Load::start(BUSY)?;
    let busy = measure(&folder, false)?;

    println!(
        "{} CPUs, Linux {}, load average {} at the start. Quiet: {} processes, {} listeners; busy: {} processes, {} listeners, {} connections.\n",
        std::thread::available_parallelism().map_or(1, usize::from),
        std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        load.split(' ').next().unwrap_or_default(),
        quiet.processes,
        quiet.listeners,
        busy.processes,
        busy.listeners,
        BUSY.connections,
    );
    print!("{}", report(&quiet, &busy, &idle, watched)?.draw());
    Ok(ExitCode::SUCCESS)
}

/// Measures the box as it is; its memory with 60 listeners more where that is asked for.
fn measure(folder: &Path, sixty: bool) -> anyhow::Result<Measured> {
    let mut ss = Program::new("ss", "-lntup");
    let mut lsof = Program::new("lsof", "-nP -iTCP -sTCP:LISTEN");
    let mut alone =
        Program::new(FREEPORT, "list").with("FREEPORT_RUNTIME_DIR", folder.join("nobody"));
    let mut through = Program::new(FREEPORT, "list");
    let mut bare = Program::new("true", "");
    let mut run_through = Program::new(FREEPORT, "run --quiet -- true");
    let mut run_alone = Program::new(FREEPORT, "run --quiet -- true")
        .with("FREEPORT_RUNTIME_DIR", folder.join("nobody"))
        .with("FREEPORT_DATA_DIR", folder.join("nobody"));

    let (mut tick, mut cold, mut listeners_crate) = <(Times, Times, Times)>::default();
    let mut scanner = Scanner::new();
    let first = scanner.first();
    for _ in 0..RUNS {
        for _ in 0..TICKS {
            tick.take(|| scanner.scan(Focus::default()));
        }
        cold.take(|| Scanner::new().first());
        let _ = listeners_crate.take(listeners::get_all);
    }

    let (running, _) = App::start(None)?;
    in_turn(RUNS, &mut [&mut ss, &mut through, &mut alone, &mut lsof])?;
    in_turn(RUNS, &mut [&mut bare, &mut run_through, &mut run_alone])?;
    let asked = requests::all()?;
    let seen = seen()?;
    let gone = gone()?;
    drop(running);

    let mut answers = Times::default();
    for _ in 0..STARTS {
        answers.add(App::start(None)?.1);
    }
    let bus = Bus::start(folder).map_err(|error| format!("{error:#}"));
    let icon = match &bus {
        Ok(bus) => Ok(icons(bus)?),
        Err(why) => Err(why.clone()),
    };

    let sixty = sixty.then(|| Load::start(SIXTY)).transpose()?;
    let (headless, own_tick) = settled(None)?;
    let tray = match &bus {
        Ok(bus) => Ok(settled(Some(bus))?.0),
        Err(why) => Err(why.clone()),
    };
    drop(sixty);

    Ok(Measured {
        processes: processes()?,
        listeners: first.listeners.len(),
        ss,
        lsof,
        alone,
        through,
        bare,
        run_alone,
        run_through,
        tick,
        cold,
        listeners_crate,
        asked,
        own_tick,
        seen,
        gone,
        answers,
        icon,
        headless,
        tray,
    })
}

fn processes() -> anyhow::Result<usize> {
    let names = std::fs::read_dir("/proc")?.flatten().map(|e| e.file_name());
    Ok(names
        .filter(|name| name.to_string_lossy().parse::<u32>().is_ok())
        .count())
}

/// How long it takes until the app, which nobody asks to look, knows of a new listener.
fn seen() -> anyhow::Result<Times> {
    let mut client = Client::connect()?;
    let mut times = Times::default();
    for round in 0..OPENED {
        let before = app::look(&mut client)?;
        // Each at another time between two ticks.
        std::thread::sleep(Duration::from_millis(u64::from(round) * 437 % 800));
        let start = Instant::now();
        let _listener = TcpListener::bind("127.0.0.1:0")?;
        times.extend(app::knows(&mut client, before + 1, start)?);
    }
    Ok(times)
}

/// How long it takes until the app, which nobody asks to look, knows that an owner has ended.
fn gone() -> anyhow::Result<Times> {
    let mut client = Client::connect()?;
    let mut times = Times::default();
    for _ in 0..STARTS {
        let mut owner = Command::new(std::env::current_exe()?)
            .arg("--hold")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        if let Some(output) = &mut owner.stdout {
            output.read_exact(&mut [0; 6])?;
        }
        let before = app::look(&mut client)?;
        let start = Instant::now();
        owner.kill()?;
        times.extend(app::knows(&mut client, before - 1, start)?);
        owner.wait()?;
    }
    Ok(times)
}

/// How long it takes from the start to the icon.
fn icons(bus: &Bus) -> anyhow::Result<Times> {
    let mut times = Times::default();
    for _ in 0..STARTS {
        let start = Instant::now();
        let _app = App::spawn(Some(&bus.address))?;
        times.add(bus.icon()?.0 - start);
    }
    Ok(times)
}

/// The memory of an app that has been asked and has run for a while, and its own measurement of
/// its ticks, which come after a sleep each.
fn settled(bus: Option<&Bus>) -> anyhow::Result<(Memory, Duration)> {
    let (app, _) = App::start(bus.map(|bus| bus.address.as_str()))?;
    if let Some(bus) = bus {
        let (_, icon) = bus.icon()?;
        let mut client = Client::connect()?;
        app::look(&mut client)?;
        bus.open_menu(&icon)?;
    }
    let mut client = Client::connect()?;
    std::thread::sleep(SETTLED);
    let own_tick = Duration::from_micros(app::status(&mut client)?.scan.p50_us);
    for _ in 0..5 {
        app::look(&mut client)?;
    }
    Ok((app.memory()?, own_tick))
}

/// The CPU time of an app that nobody asks: as the scheduler counts it, and as `ps` shows it.
fn idle(watched: Duration) -> anyhow::Result<(Duration, u64)> {
    let (app, _) = App::start(None)?;
    std::thread::sleep(Duration::from_secs(1));
    let before = (app.cpu()?, app.cpu_ticks()?);
    std::thread::sleep(watched);
    Ok((app.cpu()? - before.0, app.cpu_ticks()? - before.1))
}

/// What a kind of request is held against.
struct Meant {
    what: &'static str,
    of: fn(&Asked) -> &[Requests; 3],
    /// With so many clients: at most so many microseconds for these percentiles.
    times: (usize, &'static [(usize, u64)], &'static str),
    /// With so many clients: at least so many a second.
    rate: (usize, u32),
}

const MEANT: [Meant; 2] = [
    Meant {
        what: "STATUS",
        of: |asked| &asked.status,
        times: (1, &[(50, 50), (99, 1000)], "50 µs, -, 1 ms"),
        rate: (8, 20_000),
    },
    Meant {
        what: "a claim",
        of: |asked| &asked.claims,
        times: (64, &[(99, 5000)], "-, -, 5 ms"),
        rate: (64, 5_000),
    },
];

fn show_requests(table: &mut Table, boxes: [&Asked; 2], meant: &Meant) {
    for (at, clients) in CLIENTS.into_iter().enumerate() {
        let found = boxes.map(|asked| &(meant.of)(asked)[at]);
        let many = if clients == 1 { "" } else { "s" };
        let what = format!("{}, {clients} client{many} at a time", meant.what);
        let [q, b] = found.map(percentiles);
        let (with, limits, budget) = meant.times;
        let within = |requests: &Requests| {
            limits.iter().all(|&(percent, most)| {
                let took = requests.times.percentile(percent);
                took.is_some_and(|took| took <= Duration::from_micros(most))
            })
        };
        let (budget, met) = if with == clients {
            (budget, Some(found.into_iter().all(within)))
        } else {
            ("", None)
        };
        table.judge(&format!("{what}: p50, p95, p99"), q, b, budget, met);
        let (with, least) = meant.rate;
        let (budget, met) = if with == clients {
            let met = found
                .iter()
                .all(|requests| requests.rate >= f64::from(least));
            (format!("{least} /s"), Some(met))
        } else {
            (String::new(), None)
        };
        let [q, b] = found.map(|requests| format!("{:.0} /s", requests.rate));
        table.judge(&format!("{what}: how many"), q, b, &budget, met);
    }
}

/// Claims that come as often as is meant, and not as fast as they are answered.
fn show_paced(table: &mut Table, boxes: [&Asked; 2]) {
    let what = format!(
        "a claim, {} clients, {PACE} /s in all: p50, p95, p99",
        CLIENTS[2]
    );
    let [q, b] = boxes.map(|asked| percentiles(&asked.paced_claims));
    let p99 = |asked: &Asked| asked.paced_claims.times.percentile(99);
    let met = boxes
        .iter()
        .all(|asked| p99(asked).is_some_and(|took| took.as_millis() < 5));
    table.judge(&what, q, b, "-, -, 5 ms", Some(met));
}

fn percentiles(requests: &Requests) -> String {
    let times = [50, 95, 99].map(|percent| requests.times.percentile(percent));
    times
        .map(|took| took.map_or_else(|| "-".to_owned(), time))
        .join(", ")
}

fn report(
    quiet: &Measured,
    busy: &Measured,
    idle: &(Duration, u64),
    watched: Duration,
) -> anyhow::Result<Table> {
    let mut table = Table::default();
    let boxes = [quiet, busy];
    let median = |times: &Times| times.median().map_or_else(|| "-".to_owned(), time);
    let program = |program: &Program| match &program.missing {
        Some(why) => format!("skipped: {why}"),
        None => median(&program.times),
    };
    let each = |of: &dyn Fn(&Measured) -> String| boxes.map(of);
    let part = |part: &Times, whole: &Program| -> String {
        match (part.median(), whole.times.median()) {
            (Some(part), Some(whole)) => ratio(part, whole),
            _ => "-".to_owned(),
        }
    };
    let within = |part: &Times, whole: &Program, times: f64| -> Option<bool> {
        Some(part.median()?.as_secs_f64() * times <= whole.times.median()?.as_secs_f64())
    };

    let [q, b] = each(&|m| program(&m.ss));
    table.show("`ss -lntup`, whole process", q, b);
    let [q, b] = each(&|m| program(&m.lsof));
    table.show("`lsof -nP -iTCP -sTCP:LISTEN`, whole process", q, b);
    let [q, b] = each(&|m| median(&m.listeners_crate));
    table.show("`listeners::get_all`, in process", q, b);

    let [q, b] = each(&|m| median(&m.tick));
    table.show("steady tick, in process", q, b);
    let [q, b] = each(&|m| part(&m.tick, &m.ss));
    let met = within(&busy.tick, &busy.ss, 200.0);
    table.judge("… as part of `ss`", q, b, "busy: 1/200", met);
    let [q, b] = each(&|m| time(m.own_tick));
    table.show("steady tick in the app, after its sleep", q, b);
    let [q, b] = each(&|m| median(&m.cold));
    table.show("cold scan, in process", q, b);

    let [q, b] = each(&|m| program(&m.alone));
    table.show("`freeport list` without the app, whole process", q, b);
    let [q, b] = each(&|m| part(&m.alone.times, &m.ss));
    let met = within(&busy.alone.times, &busy.ss, 1.0);
    table.judge("… as part of `ss`", q, b, "busy: 1/1", met);
    let [q, b] = each(&|m| part(&m.alone.times, &m.lsof));
    let met = within(&busy.alone.times, &busy.lsof, 3.0);
    table.judge("… as part of `lsof`", q, b, "busy: 1/3", met);
    let [q, b] = each(&|m| program(&m.through));
    table.show("`freeport list` through the app, whole process", q, b);
    let [q, b] = each(&|m| part(&m.through.times, &m.ss));
    let met = within(&busy.through.times, &busy.ss, 20.0);
    table.judge("… as part of `ss`", q, b, "busy: 1/20", met);

    let above = |run: &Program, bare: &Program| -> Option<Duration> {
        Some(run.times.median()?.saturating_sub(bare.times.median()?))
    };
    let start = Duration::from_millis(10);
    for (what, run) in [
        (
            "`freeport run`, start and end above the bare command",
            (|m| &m.run_through) as fn(&Measured) -> &Program,
        ),
        ("the same without the app", |m| &m.run_alone),
    ] {
        let took = boxes.map(|m| above(run(m), &m.bare));
        let [q, b] = took.map(|took| took.map_or_else(|| "-".to_owned(), time));
        let met = took[0].map(|took| took <= start);
        table.judge(what, q, b, "quiet: 10 ms", met);
    }

    let limit = |of: fn(&Measured) -> Option<Duration>, most: Duration| {
        let values = boxes.map(|m| of(m).map_or_else(|| "-".to_owned(), time));
        let met = boxes.iter().all(|m| of(m).is_some_and(|took| took <= most));
        (values, Some(met))
    };
    let ms = Duration::from_millis;
    let ([q, b], _) = limit(|m| m.asked.echo.median(), ms(0));
    table.show("a bare echo over a socket, p50", q, b);
    for meant in &MEANT {
        show_requests(&mut table, boxes.map(|m| &m.asked), meant);
    }
    show_paced(&mut table, boxes.map(|m| &m.asked));

    let ([q, b], _) = limit(|m| m.seen.median(), ms(0));
    table.show("a new listener is known, median", q, b);
    let ([q, b], met) = limit(|m| m.seen.worst(), ms(1000));
    table.judge("a new listener is known, worst", q, b, "1 s", met);
    let ([q, b], met) = limit(|m| m.gone.median(), ms(20));
    table.judge("an owner's end is known, median", q, b, "at once", met);
    let ([q, b], _) = limit(|m| m.gone.worst(), ms(0));
    table.show("an owner's end is known, worst", q, b);

    let ([q, b], met) = limit(|m| m.answers.median(), ms(50));
    table.judge(
        "start of the headless app to its first answer",
        q,
        b,
        "50 ms",
        met,
    );
    let [q, b] = each(&|m| match &m.icon {
        Ok(times) => median(times),
        Err(why) => format!("skipped: {why}"),
    });
    let met = boxes
        .iter()
        .map(|m| Some(m.icon.as_ref().ok()?.median()? <= ms(50)))
        .reduce(|a, b| Some(a? && b?))
        .flatten();
    table.judge("start of the tray app to its icon", q, b, "50 ms", met);

    let mib = |memory: &Memory| {
        let mib = |kib: u64| kib as f64 / 1024.0;
        format!(
            "{:.1} MiB ({:.1})",
            mib(memory.resident),
            mib(memory.anonymous)
        )
    };
    table.show(
        "memory of the headless app, resident (of that not a file's): 60 listeners, busy",
        mib(&quiet.headless),
        mib(&busy.headless),
    );
    let [q, b] = each(&|m| match &m.tray {
        Ok(memory) => mib(memory),
        Err(why) => format!("skipped: {why}"),
    });
    let met = match (&quiet.tray, &busy.tray) {
        (Ok(quiet), Ok(busy)) => {
            Some(quiet.resident <= 12_000_000 / 1024 && busy.resident <= 20_000_000 / 1024)
        }
        _ => None,
    };
    table.judge(
        "memory of the tray app, the same",
        q,
        b,
        "12 MB, busy: 20 MB",
        met,
    );

    let share = idle.0.as_secs_f64() / watched.as_secs_f64() * 100.0;
    table.judge(
        &format!("CPU of the idle app in {} s", watched.as_secs()),
        format!("{share:.3} % ({} ticks of 10 ms)", idle.1),
        "",
        "quiet: 0.1 %",
        Some(share <= 0.1),
    );
    let size = std::fs::metadata(FREEPORT)?.len() as f64 / 1e6;
    table.judge(
        "size of the binary",
        format!("{size:.1} MB"),
        "",
        "6 MB",
        Some(size <= 6.0),
    );
    Ok(table)
}
