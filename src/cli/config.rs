//! `freeport config`: the settings.

use super::args::{ConfigAction, ConfigArgs};
use super::exit::{Exit, Failure};
use super::{ask, output, unexpected};
use crate::ipc::Ask;
use crate::ipc::protocol::{Config, ConfigReply, Reply, Request, Setting};
use crate::model::text::escape;

pub fn run(args: &ConfigArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let of = |key: &String| Config {
        key: Some(key.clone()),
        ..Config::default()
    };
    let (config, json) = match &args.action {
        ConfigAction::List { json } => (Config::default(), json),
        ConfigAction::Get { key, json } => (of(key), json),
        ConfigAction::Set { key, value, json } => (
            Config {
                value: Some(value.clone()),
                ..of(key)
            },
            json,
        ),
        ConfigAction::Unset { key, json } => (
            Config {
                unset: true,
                ..of(key)
            },
            json,
        ),
    };
    let reply = match ask(asked, Request::Config(config))? {
        Reply::Config(reply) => reply,
        other => return Err(unexpected(&other)),
    };
    if *json {
        output::json(&reply)?;
    } else {
        output::print(&tell(&args.action, &reply))?;
    }
    Ok(Exit::Done)
}

fn tell(action: &ConfigAction, reply: &ConfigReply) -> String {
    let told = |setting: &Setting| match action {
        // For scripts: nothing but the value.
        ConfigAction::Get { .. } => format!("{}\n", escape(&setting.value)),
        ConfigAction::Set { .. } | ConfigAction::Unset { .. } => line(setting),
        ConfigAction::List { .. } => {
            let meaning = output::dim(format!("  {}", escape(&setting.meaning)));
            format!("{}{meaning}\n", line(setting))
        }
    };
    reply.settings.iter().map(told).collect()
}

fn line(setting: &Setting) -> String {
    let (key, value) = (escape(&setting.key), escape(&setting.value));
    if setting.set {
        let default = format!("(set; the default is {})", escape(&setting.default));
        format!(
            "{} = {value}  {}\n",
            output::bold(key),
            output::dim(default)
        )
    } else {
        format!("{key} = {value}\n")
    }
}
