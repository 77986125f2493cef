//! A client that does nothing wrong, beside those that do: it has to be served promptly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Home;
use super::app::Wire;

/// Longer than anything takes that is not held up, on a busy machine too.
const PROMPT: Duration = Duration::from_secs(5);

/// Somebody who asks simple things all the time, each of which has to be answered promptly.
pub struct Honest {
    stop: Arc<AtomicBool>,
    asks: Option<JoinHandle<(Duration, u32)>>,
}

impl Honest {
    /// Starts to ask.
    pub fn start(home: &Home) -> Honest {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut wire, stopped) = (Wire::open(home), Arc::clone(&stop));
        let asks = std::thread::spawn(move || {
            let (mut longest, mut count) = (Duration::ZERO, 0);
            while !stopped.load(Ordering::Relaxed) {
                for request in [
                    json!({"cmd": "PING"}),
                    json!({"cmd": "LIST"}),
                    json!({"cmd": "STATUS"}),
                ] {
                    let start = Instant::now();
                    wire.done(&request);
                    longest = longest.max(start.elapsed());
                    count += 1;
                }
            }
            (longest, count)
        });
        Honest {
            stop,
            asks: Some(asks),
        }
    }

    /// Ends it; each of its requests was answered promptly.
    #[track_caller]
    pub fn was_served(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let (longest, count) = self.asks.take().unwrap().join().unwrap();
        assert!(
            longest < PROMPT && count > 0,
            "{longest:?} in {count} requests"
        );
    }
}
