//! A reservation in the story of a port: whom it is for, where it is in its life, and until when.

use super::{Block, Piece, Role};
use crate::ipc::view::{ReservationView, words};
use crate::model::Timestamp;
use crate::model::reservation::Status;
use crate::model::text::escape;

/// The most characters of metadata that are shown.
const METADATA: usize = 1000;

/// What is known of a reservation.
pub fn tell(view: &ReservationView, now: Timestamp) -> Block {
    let mut block = Block::of([
        Piece::new(Role::Spot, format!("{} {}", view.protocol, view.port)),
        Piece::plain("  "),
        Piece::new(Role::Title, words::standing(view)),
    ]);
    block.fact("status", status(view.status));
    block.fact("until", until(view, now));
    let ago = |at: Timestamp| format!("{} ago", words::span(at.age(now)));
    block.fact(
        "since",
        format!("{} ({})", ago(view.created_at), view.created_at),
    );
    if let Some(at) = view.last_heartbeat {
        block.fact("heartbeat", ago(at));
    }
    let since = view
        .held_since
        .map(|at| format!(", since {} ({at})", ago(at)));
    let hold = words::hold(view);
    block.fact("hold", format!("{hold}{}", since.unwrap_or_default()));
    if let Some(metadata) = &view.metadata {
        let metadata = metadata.to_string();
        let shown = crate::model::text::shorten(&metadata, METADATA);
        block.fact("metadata", escape(&shown));
    }
    block
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Reserved => "reserved: nobody has claimed it, and nobody whom it is for listens",
        Status::Claimed => "claimed: nobody whom it is for listens yet",
        Status::Active => "active: somebody whom it is for listens",
        Status::Stale => "stale: it is over, and is removed at the next cleanup",
    }
}

fn until(view: &ReservationView, now: Timestamp) -> String {
    let end = match (view.status, view.expires_at) {
        (Status::Stale, Some(end)) if end <= now => {
            format!(
                "its lease ran out {} ago ({end})",
                words::span(end.age(now))
            )
        }
        (Status::Stale, _) => "its process has ended, or is silent".to_owned(),
        (_, None) => return "it is released".to_owned(),
        (Status::Active, Some(_)) => {
            "its lease runs out, which starts when nobody whom it is for listens any more"
                .to_owned()
        }
        (Status::Reserved, Some(end)) => {
            format!("{} from now ({end})", words::span(now.age(end)))
        }
        (Status::Claimed, Some(end)) => {
            let left = words::span(now.age(end));
            format!("{left} from now ({end}), unless a heartbeat renews it")
        }
    };
    if view.kept {
        format!("{end}; it stays reserved then")
    } else {
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::view::words::tests::reserved;

    #[test]
    fn all_of_it_is_told_and_nothing_of_it_acts() {
        let view = ReservationView {
            status: Status::Claimed,
            pid: Some(42),
            name: Some("node".into()),
            expires_at: Some(Timestamp::of_millis(3_600_000)),
            last_heartbeat: Some(Timestamp::of_millis(0)),
            metadata: Some(serde_json::json!({"a\u{202e}": "\u{1b}[2J"})),
            ..reserved()
        };
        let text = tell(&view, Timestamp::of_millis(30_000)).text();
        for told in [
            "claimed for shop web by node (pid 42)",
            "59m 30s from now (1970-01-01T01:00:00.000Z), unless a heartbeat renews it; it stays reserved then",
            "30s ago (1970-01-01T00:00:00.000Z)",
            "advisory: others can still bind it",
            r#"{"a\u{202e}":"\u001b[2J"}"#,
        ] {
            assert!(text.contains(told), "{told:?} in {text}");
        }
    }

    #[test]
    fn ends() {
        let now = Timestamp::of_millis(60_000);
        assert_eq!(until(&reserved(), now), "it is released");
        let stale = |end: Option<i64>| ReservationView {
            status: Status::Stale,
            kept: false,
            expires_at: end.map(Timestamp::of_millis),
            ..reserved()
        };
        assert_eq!(
            until(&stale(Some(0)), now),
            "its lease ran out 1m ago (1970-01-01T00:00:00.000Z)"
        );
        assert_eq!(
            until(&stale(Some(90_000)), now),
            "its process has ended, or is silent"
        );
    }
}
