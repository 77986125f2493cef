//! What is shown, as it stands on the screen: pictures of it are kept in `tests/tui/screens`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::style::{Color, Modifier};

use crate::ipc::protocol::{KillReply, ListReply, PoolView, PoolsReply, ReservationsReply};
use crate::ipc::protocol::{LogReply, Reply, Request};
use crate::ipc::view::words::tests::reserved;
use crate::ipc::view::{ListenerView, ReservationView};
use crate::model::attribute::tests::{process, socket};
use crate::model::kill::{KillResult, Outcome, Party, Sent};
use crate::model::log::{Asker, Entry, Happened};
use crate::model::reservation::{HeldBy, Hold};
use crate::model::service::Kind;
use crate::model::visibility::Viewer;
use crate::model::{Conflict, Port, Process, Project, Protocol, Timestamp, attribute};
use crate::tui::state::{Effect, Event, Looked, Purpose, Source, State, Tab};

/// Ten hours after everything began.
fn now() -> Timestamp {
    Timestamp::of_millis(36_000_000)
}

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

/// A server in development on a port, changed as one likes.
fn server(number: u16, pid: u32, change: impl FnOnce(&mut Process)) -> ListenerView {
    let mut owner = Arc::unwrap_or_clone(process(pid, "node", &[1]));
    owner.kind = Kind::Development;
    change(&mut owner);
    let holder = [Arc::new(owner)];
    let sockets = [socket(number, u64::from(pid))];
    let listeners = attribute::listeners(&sockets, |_| &holder, |_| Some("ann".into()));
    ListenerView::all(&listeners, true, |_| true).remove(0)
}

fn of_project(name: &str) -> Option<Arc<Project>> {
    Some(Arc::new(Project {
        name: name.to_owned(),
        root: format!("/home/ann/{name}").into(),
        branch: Some("main".into()),
        worktree: false,
    }))
}

fn vite() -> ListenerView {
    server(3000, 42, |owner| {
        owner.service = "vite".into();
        owner.command = "node ./node_modules/.bin/vite --port 3000 --strictPort".into();
        owner.project = of_project("shop");
    })
}

fn some() -> Looked {
    let redis = server(6379, 51, |owner| {
        owner.service = "redis".into();
        owner.command = "redis-server 127.0.0.1:6379".into();
        owner.kind = Kind::Database;
        owner.started_at = Timestamp::of_millis(35_000_000);
    });
    let mut intruder = server(8000, 60, |owner| {
        owner.service = "http.server".into();
        owner.command = "python3 -m http.server 8000".into();
        owner.project = of_project("docs");
    });
    intruder.conflict = Some(Conflict::Intruder);
    let api = ReservationView {
        port: port(8000),
        service: Some("api".into()),
        ..reserved()
    };
    intruder.reservation = Some(api.clone());
    let held = ReservationView {
        port: port(5432),
        service: Some("db".into()),
        hold: Hold::Held,
        held_by: Some(HeldBy::App),
        keep_held: true,
        ..reserved()
    };
    let hidden = server(22, 7, |owner| {
        owner.service = "ssh".into();
        owner.kind = Kind::System;
    });
    Looked {
        gaps: Vec::new(),
        listeners: vec![hidden, vite(), redis, intruder],
        held: vec![held.clone()],
        reservations: Ok(vec![held, api]),
    }
}

fn state(size: (u16, u16), looked: Option<Looked>) -> State {
    let viewer = Viewer {
        uid: 1000,
        ephemeral: (port(32768), port(60999)),
    };
    let mut state = State::new(viewer, Some("/home/ann".into()), true, now());
    state.update(Event::Resized(size), now());
    let source = Source::App {
        version: "1.2.3".into(),
        pid: 9,
    };
    state.update(Event::Source(source), now());
    if let Some(looked) = looked {
        state.update(Event::Looked(Box::new(looked)), now());
    }
    state
}

fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    keys.chars()
        .flat_map(|key| {
            let code = match key {
                '\n' => KeyCode::Enter,
                '\u{1b}' => KeyCode::Esc,
                '\t' => KeyCode::Tab,
                '\u{8}' => KeyCode::Backspace,
                key => KeyCode::Char(key),
            };
            state.update(Event::Key(KeyEvent::from(code)), now())
        })
        .collect()
}

/// The screen with its looks.
fn drawn(state: &State) -> Terminal<TestBackend> {
    let (width, height) = state.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| super::view(state, frame)).unwrap();
    terminal
}

/// The screen as text.
fn text(state: &State) -> String {
    let terminal = drawn(state);
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut skip = 0;
        let mut line = String::new();
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if skip == 0 {
                line.push_str(symbol);
                skip = usize::from(super::wrap::width(symbol)).saturating_sub(1);
            } else {
                skip -= 1;
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[track_caller]
fn shows(state: &State, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/tui/screens/{name}.txt"));
    let text = text(state);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, kept,
        "the screen '{name}' has changed: look at it, and run this test with UPDATE_SNAPSHOTS=1"
    );
}

fn story(state: &mut State) {
    let known = vec![
        Reply::List(ListReply {
            scanned_at: now(),
            gaps: Vec::new(),
            listeners: vec![vite()],
            held: Vec::new(),
        }),
        Reply::Reservations(ReservationsReply {
            reservations: vec![reserved()],
        }),
    ];
    state.update(Event::Told(Purpose::Details(port(3000)), Ok(known)), now());
}

#[test]
fn the_list() {
    let mut state = state((80, 24), Some(some()));
    shows(&state, "ports-80x24");
    press(&mut state, "pa");
    shows(&state, "groups-80x24");
    press(&mut state, "paS");
    state.update(Event::Resized((120, 40)), now());
    shows(&state, "reversed-120x40");
}

#[test]
fn what_is_empty_speaks() {
    for (index, name) in ["ports", "reserved", "conflicts"].into_iter().enumerate() {
        let mut before = state((80, 24), None);
        press(&mut before, &(index + 1).to_string());
        assert!(text(&before).contains("looking …"), "{name}");
        let nothing = Looked {
            gaps: Vec::new(),
            listeners: Vec::new(),
            held: Vec::new(),
            reservations: Ok(Vec::new()),
        };
        let mut state = state((80, 24), Some(nothing));
        press(&mut state, &(index + 1).to_string());
        shows(&state, &format!("no-{name}-80x24"));
    }
    let mut state = state((80, 24), Some(some()));
    press(&mut state, "/zzz\n");
    assert!(text(&state).contains("nothing here matches 'zzz'"));
}

#[test]
fn a_story_is_below_and_beside() {
    let mut state = state((80, 24), Some(some()));
    let asked = press(&mut state, "\n");
    assert!(
        matches!(asked.as_slice(), [Effect::Ask(Purpose::Details(at), requests)]
            if at.get() == 3000 && requests.len() == 2),
        "{asked:?}"
    );
    assert!(text(&state).contains("asking …"));
    story(&mut state);
    shows(&state, "story-80x24");
    state.update(Event::Resized((80, 14)), now());
    let top = text(&state);
    assert!(
        top.contains("J: more") && !top.contains("reserved for"),
        "{top}"
    );
    press(&mut state, &"J".repeat(50));
    let end = text(&state);
    assert!(end.contains("K: back") && end.contains("advisory"), "{end}");
    state.update(Event::Resized((160, 40)), now());
    shows(&state, "story-160x40");
    press(&mut state, "\u{1b}");
    assert!(state.details.is_none());
}

fn party(view: &ListenerView) -> Party {
    let owner = view.owner.as_ref().unwrap();
    Party {
        pid: owner.pid,
        key: owner.key,
        name: owner.name.clone(),
        service: owner.service.clone(),
        command: owner.command.clone(),
    }
}

fn planned(view: &ListenerView) -> Outcome {
    let mut outcome = Outcome::refused(view.port, KillResult::DryRun, &[]);
    outcome.owner = Some(party(view));
    outcome.signals = vec![Sent {
        to: party(view),
        signal: "SIGTERM".into(),
    }];
    outcome.told()
}

fn answer(state: &mut State, purpose: Purpose, outcome: Outcome) -> Vec<Effect> {
    let reply = Reply::Kill(KillReply {
        outcomes: vec![outcome],
    });
    state.update(Event::Told(purpose, Ok(vec![reply])), now())
}

#[test]
fn a_kill_is_asked_first_and_means_who_was_shown() {
    let mut state = state((80, 24), Some(some()));
    let asked = press(&mut state, "x");
    let [Effect::Ask(Purpose::Plan(plan), _)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert!(plan.dry_run && plan.pid.as_deref() == Some("42@42") && !plan.tree);
    answer(&mut state, Purpose::Plan(plan.clone()), planned(&vite()));
    shows(&state, "kill-80x24");
    // Enter means no where nothing was chosen.
    assert!(press(&mut state, "\n").is_empty() && state.dialog.is_none());
    answer(&mut state, Purpose::Plan(plan.clone()), planned(&vite()));
    let asked = press(&mut state, "y");
    let [Effect::Ask(Purpose::Kill(kill), requests)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert_eq!(requests, &[Request::Kill(kill.clone())]);
    assert!(!kill.dry_run && kill.pid == plan.pid && kill.ports == [port(3000)]);
    assert!(text(&state).contains("ending vite (pid 42) on port 3000 …"));

    let mut outcome = planned(&vite());
    outcome.result = KillResult::StillHeld;
    outcome.held_by = vec![party(&vite())];
    answer(&mut state, Purpose::Kill(kill.clone()), outcome.told());
    shows(&state, "sigkill-80x24");
    let asked = press(&mut state, "y");
    let [Effect::Ask(Purpose::Kill(again), _)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert!(again.force && again.pid == plan.pid);
    let mut outcome = planned(&vite());
    outcome.result = KillResult::Freed;
    let then = answer(&mut state, Purpose::Kill(again.clone()), outcome.told());
    assert_eq!(then, [Effect::Look]);
    assert!(text(&state).contains("port 3000 is free; ended vite (pid 42)"));
    let later = now().after(Duration::from_secs(6));
    assert!(state.wake(now()) <= Some(Duration::from_secs(5)));
    state.update(Event::Time, later);
    assert!(state.message.is_none(), "it goes away");
}

#[test]
fn what_cannot_be_killed_is_told_and_not_asked() {
    let mut state = state((80, 24), Some(some()));
    let asked = press(&mut state, "x");
    let [Effect::Ask(purpose, _)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let mut outcome = planned(&vite());
    outcome.result = KillResult::Protected;
    answer(&mut state, purpose.clone(), outcome.told());
    assert!(state.dialog.is_none());
    assert!(text(&state).contains("is never killed by Freeport"));
    // A held port has nobody to be killed.
    press(&mut state, "j");
    assert!(press(&mut state, "x").is_empty());
    assert!(text(&state).contains("nobody listens on port 5432"));
}

#[test]
fn reservations_are_made_and_given_back() {
    let mut state = state((80, 24), Some(some()));
    press(&mut state, "rweb");
    shows(&state, "reserve-80x24");
    let asked = press(&mut state, "\n");
    let [Effect::Ask(Purpose::Reserve, requests)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let [Request::Reserve(reserve)] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(
        (
            reserve.ports.as_slice(),
            &*reserve.project,
            reserve.service.as_deref()
        ),
        (&[port(3000)][..], "shop", Some("web"))
    );
    let problem = crate::tui::state::Problem {
        message: "port 3000 is reserved for blog".into(),
        hint: Some("3002 is free".into()),
    };
    state.update(Event::Told(Purpose::Reserve, Err(problem)), now());
    assert!(text(&state).contains("port 3000 is reserved for blog; 3002 is free"));
    let done = Reply::Reservations(ReservationsReply {
        reservations: vec![reserved()],
    });
    state.update(Event::Told(Purpose::Reserve, Ok(vec![done])), now());
    assert!(state.dialog.is_none());
    assert!(text(&state).contains("port 3000 is reserved for shop web"));

    press(&mut state, "2");
    shows(&state, "reserved-80x24");
    press(&mut state, "u");
    shows(&state, "release-80x24");
    let asked = press(&mut state, "y");
    let [Effect::Ask(Purpose::Release, requests)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let [Request::Release(release)] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(release.ports, [port(5432)]);
    assert_eq!(release.protocol, Some(Protocol::Tcp));
    assert_eq!(
        release.created_at,
        Some(reserved().created_at),
        "exactly it"
    );
}

#[test]
fn conflicts_pools_and_the_log() {
    let mut state = state((100, 24), Some(some()));
    press(&mut state, "3");
    shows(&state, "conflicts-100x24");
    let asked = press(&mut state, "4");
    assert!(matches!(asked.as_slice(), [Effect::Ask(Purpose::Pools, _)]));
    let drawn = ReservationView {
        port: port(15000),
        pool: Some("ci".into()),
        job_id: Some("b\u{7}".into()),
        pid: Some(7),
        name: Some("bash".into()),
        ..reserved()
    };
    let pool = PoolView {
        name: "ci".into(),
        ports: "15000-15003".parse().unwrap(),
        size: 4,
        free: 3,
        created_at: Timestamp::of_millis(0),
        drawn: vec![drawn],
        waiting: 2,
        warnings: Vec::new(),
    };
    let told = Reply::Pools(PoolsReply { pools: vec![pool] });
    state.update(Event::Told(Purpose::Pools, Ok(vec![told])), now());
    shows(&state, "pools-100x24");
    press(&mut state, "5");
    let asker = Asker {
        uid: 1000,
        pid: Some(42),
        name: Some("no\nde".into()),
    };
    let entry = |at, event| {
        Entry::new(Timestamp::of_millis(at), event, &asker)
            .at_port(port(3000), Protocol::Tcp)
            .detail("ended vite (pid 42)")
    };
    let entries = vec![entry(1_000, Happened::Claim), entry(2_000, Happened::Kill)];
    let told = Reply::Log(LogReply { entries });
    state.update(Event::Told(Purpose::Log, Ok(vec![told])), now());
    shows(&state, "log-100x24");
    assert_eq!(state.tab, Tab::Log);
}

#[test]
fn the_keys_fit() {
    let mut state = state((80, 24), Some(some()));
    press(&mut state, "?");
    shows(&state, "help-80x24");
    press(&mut state, "z");
    assert!(state.dialog.is_none(), "any key takes it away");
}

#[test]
fn a_small_terminal_is_told_so() {
    shows(&state((40, 10), Some(some())), "small-40x10");
    // Nothing that is drawn goes beyond the screen, however small it is.
    for width in 1..90 {
        for height in [1, 2, 5, 10, 11, 12, 14, 24] {
            let mut state = state((width, height), Some(some()));
            text(&state);
            press(&mut state, "\n");
            story(&mut state);
            text(&state);
            press(&mut state, "JJJKK?jjjj");
            text(&state);
            press(&mut state, "zr");
            text(&state);
            press(&mut state, "\u{1b}/long filter text that is longer than it");
            text(&state);
        }
    }
}

#[test]
fn hostile_names_act_on_nothing() {
    let hostile = server(3000, 42, |owner| {
        owner.service = "\u{1b}[2Jevil\u{202e}".into();
        owner.command = "a\nb\u{9b}31m".into();
        owner.project = of_project("端口端口端口端口端口端口端口端口端口端口");
        owner.container = None;
    });
    let looked = Looked {
        listeners: vec![hostile.clone()],
        ..some()
    };
    let mut state = state((80, 24), Some(looked));
    shows(&state, "hostile-80x24");
    let asked = press(&mut state, "x");
    let [Effect::Ask(purpose, _)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    answer(&mut state, purpose.clone(), planned(&hostile));
    let shown = text(&state);
    assert!(
        shown.contains("Kill \\x1b[2Jevil\\u{202e} (pid 42)?"),
        "{shown}"
    );
    let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!shown.contains(acts), "{shown:?}");
    press(&mut state, "n/\u{202e}");
    assert!(!text(&state).contains(acts));
}

#[test]
fn what_is_selected_stays_so_wherever_it_goes() {
    let many = |from: u16, count: u16| {
        let all = from..from + count;
        let listeners = all.map(|number| server(number, u32::from(number), |_| {}));
        Looked {
            gaps: Vec::new(),
            listeners: listeners.collect(),
            held: Vec::new(),
            reservations: Ok(Vec::new()),
        }
    };
    let mut state = state((80, 24), Some(many(2000, 500)));
    assert!(text(&state).contains("500 ports"));
    press(&mut state, "G");
    let shown = text(&state);
    assert!(
        shown.contains(" 2499 ") && !shown.contains(" 2000 "),
        "{shown}"
    );
    press(&mut state, "kkkk");
    assert_eq!(state.selected_port(), Some(port(2495)));
    // Hundreds more appear before it.
    state.update(Event::Looked(Box::new(many(1000, 1500))), now());
    assert_eq!(state.selected_port(), Some(port(2495)));
    assert!(text(&state).contains(" 2495 "));
    // It goes away: what is in its place is selected, and never nothing.
    state.update(Event::Looked(Box::new(many(1000, 10))), now());
    assert_eq!(state.selected_port(), Some(port(1009)));
    press(&mut state, "g");
    assert_eq!(state.selected_port(), Some(port(1000)));
}

#[test]
fn filters_sort_and_paste() {
    let mut state = state((80, 24), Some(some()));
    press(&mut state, "/VITE");
    let shown = text(&state);
    assert!(
        shown.contains(" 3000 ") && !shown.contains(" 6379 "),
        "{shown}"
    );
    press(&mut state, "\u{1b}/22");
    let shown = text(&state);
    assert!(
        shown.contains(" 22 "),
        "what is named is not hidden: {shown}"
    );
    state.update(Event::Pasted(" 3000-7000\u{7}".into()), now());
    let shown = text(&state);
    assert!(
        shown.contains(" 6379 ") && !shown.contains(" 8000 "),
        "{shown}"
    );
    press(&mut state, "\n");
    press(&mut state, "\u{1b}");
    assert!(state.filter.text.is_empty());
    // Pasted text is no key.
    assert!(state.update(Event::Pasted("xy".into()), now()).is_empty());
    assert!(state.dialog.is_none());
    press(&mut state, "s");
    let shown = text(&state);
    let at = |word: &str| shown.find(word).unwrap();
    assert!(shown.contains("SERVICE▲"), "{shown}");
    assert!(
        at(" http.server ") < at(" redis ") && at(" redis ") < at(" vite "),
        "{shown}"
    );
    press(&mut state, "ssss");
    assert!(text(&state).contains("PORT▲"));
}

#[test]
fn colours_are_the_terminals_own_or_none() {
    let mut with = state((80, 24), Some(some()));
    press(&mut with, "\n");
    story(&mut with);
    let mut seen = Vec::new();
    let looks = |state: &State, seen: &mut Vec<Color>| {
        let terminal = drawn(state);
        let mut reversed = false;
        for cell in terminal.backend().buffer().content() {
            seen.extend([cell.fg, cell.bg]);
            reversed |= cell.modifier.contains(Modifier::REVERSED);
        }
        assert!(reversed, "what is selected is seen");
    };
    looks(&with, &mut seen);
    let own = [
        Color::Reset,
        Color::Cyan,
        Color::Green,
        Color::Yellow,
        Color::Red,
    ];
    assert!(seen.iter().all(|colour| own.contains(colour)), "{seen:?}");
    assert!(seen.contains(&Color::Cyan));
    let mut without = state((80, 24), Some(some()));
    without.colours = false;
    let mut seen = Vec::new();
    looks(&without, &mut seen);
    assert!(seen.iter().all(|colour| *colour == Color::Reset));
}

#[test]
fn nothing_is_drawn_where_nothing_has_changed() {
    let mut state = state((80, 24), Some(some()));
    assert!(state.take_changed());
    assert!(!state.take_changed());
    // Ages are told by the hour here; reservations too.
    let next = state.wake(now()).unwrap();
    assert!(next >= Duration::from_secs(5), "{next:?}");
    state.update(Event::Key(KeyCode::Down.into()), now());
    assert!(state.take_changed());
}

#[test]
fn the_app_comes_and_goes() {
    let mut state = state((80, 24), Some(some()));
    state.update(Event::Source(Source::Alone(None)), now());
    let shown = text(&state);
    assert!(
        shown.contains("the app has ended; this goes on") && shown.contains("○ without the app"),
        "{shown}"
    );
    let app = Source::App {
        version: "1.2.3".into(),
        pid: 10,
    };
    state.update(Event::Source(app), now());
    let shown = text(&state);
    assert!(
        shown.contains("the app runs now") && shown.contains("● app 1.2.3"),
        "{shown}"
    );
}

#[test]
fn the_mouse_does_what_keys_do() {
    use ratatui::crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let click = |state: &mut State, column, row| {
        let mouse = MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column,
            row,
            modifiers: KeyModifiers::NONE,
        };
        state.update(Event::Mouse(mouse), now())
    };
    let at = |state: &State, word: &str| {
        let shown = text(state);
        let (row, line) = shown
            .lines()
            .enumerate()
            .find(|(_, line)| line.contains(word))
            .unwrap();
        let column = super::wrap::width(line.split(word).next().unwrap());
        (column, u16::try_from(row).unwrap())
    };
    let mut state = state((80, 24), Some(some()));
    let (x, y) = at(&state, "redis");
    click(&mut state, x, y);
    assert_eq!(state.selected_port(), Some(port(6379)));
    let asked = click(&mut state, x, y);
    assert!(matches!(
        asked.as_slice(),
        [Effect::Ask(Purpose::Details(_), _)]
    ));
    press(&mut state, "\u{1b}");
    let (x, y) = at(&state, "PROJECT");
    click(&mut state, x, y);
    assert!(text(&state).contains("PROJECT▲"));
    let (x, y) = at(&state, "x kill");
    let asked = click(&mut state, x, y);
    let [Effect::Ask(purpose, _)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    answer(&mut state, purpose.clone(), planned(&vite()));
    // A press beside the buttons is none.
    click(&mut state, 0, 0);
    assert!(state.dialog.is_some());
    let (x, y) = at(&state, "[ Kill ]");
    let asked = click(&mut state, x, y);
    assert!(matches!(
        asked.as_slice(),
        [Effect::Ask(Purpose::Kill(_), _)]
    ));
    let (x, y) = at(&state, "2 Reserved");
    click(&mut state, x, y);
    assert_eq!(state.tab, Tab::Reserved);
}
