//! Load: other processes that listen, from `busy_box.py`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};

/// A running load. It ends when this is dropped, and when this process ends.
pub struct Load(Child);

/// How much of it.
#[derive(Clone, Copy)]
pub struct Size {
    pub processes: u32,
    pub descriptors: u32,
    pub connections: u32,
}

impl Load {
    /// Starts it and waits until all of it is there.
    pub fn start(size: Size) -> anyhow::Result<Load> {
        let base = free_ports(size.processes)?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/busy_box.py");
        let child = Command::new("python3")
            .arg(script)
            .args([size.processes, size.descriptors, size.connections, 600].map(|n| n.to_string()))
            .arg(base.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start python3, which makes the load")?;
        let mut load = Load(child);
        let mut line = String::new();
        if let Some(output) = &mut load.0.stdout {
            BufReader::new(output).read_line(&mut line)?;
        }
        if line.trim() != "ready" {
            let mut why = String::new();
            if let Some(errors) = &mut load.0.stderr {
                errors.read_to_string(&mut why)?;
            }
            bail!(
                "there is no load: {}",
                why.trim().lines().last().unwrap_or("it ended")
            );
        }
        Ok(load)
    }
}

/// The first of `count` ports and one more in a row that nobody has, below the ephemeral ones.
fn free_ports(count: u32) -> anyhow::Result<u16> {
    let is_free = |port: u32| {
        let port = u16::try_from(port).unwrap_or_default();
        TcpListener::bind(("127.0.0.1", port)).is_ok()
    };
    (10_000..30_000u16)
        .step_by(1000)
        .find(|&base| (u32::from(base)..=u32::from(base) + count).all(is_free))
        .context("so many ports in a row are not free")
}

impl Drop for Load {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
