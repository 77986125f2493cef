//! Which ports a command is to have: from what is asked for, what the project says, what the command
//! says itself, and what it is. Pure.

use super::claims::Want;
use super::manifest::Service;
use super::options::{Options, Policy};
use super::told::{RunError, status};
use crate::model::{Port, Protocol};

/// The port of a program of which nothing is known.
const USUAL: u16 = 3000;

/// What is known of the command itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What its service is called, where nobody says.
    pub service: String,
    /// The port that it names itself.
    pub named: Option<Port>,
    /// The port that it takes by itself.
    pub default: Option<Port>,
}

/// The ports that are wanted, and which of them others are remapped to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The ports, the first one first.
    pub wants: Vec<Want>,
    /// From this port to that of a want, by its number.
    pub remap: Vec<(Port, usize)>,
}

/// Plans the ports. `described` are the services of the project, in their order; `None` where it has
/// no file that says so.
pub fn plan(
    options: &Options,
    described: Option<&[Service]>,
    known: &Known,
) -> Result<Plan, RunError> {
    if options.ports.len() > options.services.len().max(1) {
        return Err(RunError::new(
            status::USAGE,
            format!(
                "{} ports are given for {}: name a service for each",
                options.ports.len(),
                match options.services.len() {
                    0 => "a service without a name".to_owned(),
                    1 => "1 service".to_owned(),
                    n => format!("{n} services"),
                }
            ),
        )
        .hint("such as '--service web --port 3000 --service api --port 4000'"));
    }
    let mut plan = Plan::default();
    let only_remaps =
        !options.remap.is_empty() && options.ports.is_empty() && options.services.is_empty();
    if !only_remaps {
        for (at, service) in services(options, described, known)?.into_iter().enumerate() {
            let described = described.unwrap_or_default();
            let described = described.iter().find(|found| found.name == service);
            let want = want(options, at, service, described, known, &plan.wants);
            plan.wants.push(want);
        }
    }
    for &(from, to) in &options.remap {
        let protocol = options.protocol.unwrap_or(Protocol::Tcp);
        let is_it = |want: &Want| want.port == to && want.protocol == protocol;
        let number = plan.wants.iter().position(is_it).unwrap_or_else(|| {
            plan.wants.push(Want {
                service: Some(format!("{}-{from}", known.service)),
                port: to,
                protocol,
                remembered: false,
                policy: policy(options, None),
                hold: options.hold.unwrap_or_default(),
            });
            plan.wants.len() - 1
        });
        plan.remap.push((from, number));
    }
    Ok(plan)
}

/// The services that need ports: those that are asked for, else those that the project has.
fn services(
    options: &Options,
    described: Option<&[Service]>,
    known: &Known,
) -> Result<Vec<String>, RunError> {
    let names = || described.unwrap_or_default().iter().map(|s| &s.name);
    if options.services.is_empty() {
        let is_meant = options.ports.is_empty() && !names().any(|name| *name == known.service);
        return Ok(match names().next() {
            // The command is none of them by its name, and starts all of them.
            Some(_) if is_meant => names().cloned().collect(),
            Some(only) if names().count() == 1 => vec![only.clone()],
            _ => vec![known.service.clone()],
        });
    }
    if let Some(unknown) = options
        .services
        .iter()
        .find(|service| names().next().is_some() && !names().any(|name| name == *service))
    {
        let all: Vec<&str> = names().map(String::as_str).collect();
        return Err(RunError::new(
            status::USAGE,
            format!(
                "freeport.toml has no service '{unknown}': it has {}",
                all.join(", ")
            ),
        )
        .hint(format!(
            "add [services.{unknown}] to it, or use one of these"
        )));
    }
    let mut seen = std::collections::HashSet::new();
    match options
        .services
        .iter()
        .find(|service| !seen.insert(*service))
    {
        Some(twice) => Err(RunError::new(
            status::USAGE,
            format!("the service '{twice}' is named twice"),
        )),
        None => Ok(options.services.clone()),
    }
}

fn want(
    options: &Options,
    at: usize,
    service: String,
    described: Option<&Service>,
    known: &Known,
    before: &[Want],
) -> Want {
    let asked = options.ports.get(at).copied();
    let told = described.and_then(|described| described.port);
    let named = known.named.filter(|_| at == 0);
    let usual = known.default.filter(|_| at == 0).or(Port::new(USUAL));
    // The others follow the first one, where nothing is said of them.
    let usual = before
        .last()
        .map_or(usual, |last| Port::new(last.port.get().wrapping_add(1)));
    Want {
        service: Some(service),
        port: asked.or(told).or(named).or(usual).unwrap_or(Port::MAX),
        protocol: described
            .and_then(|described| described.protocol)
            .or(options.protocol)
            .unwrap_or(Protocol::Tcp),
        remembered: asked.or(told).or(named).is_none(),
        policy: policy(options, described),
        hold: options
            .hold
            .or_else(|| described.and_then(|described| described.hold))
            .unwrap_or_default(),
    }
}

fn policy(options: &Options, described: Option<&Service>) -> Policy {
    let strict = described.is_some_and(|described| described.strict);
    let told = if strict {
        Policy::Strict
    } else {
        Policy::Fallback
    };
    options.policy.unwrap_or(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::options::HoldMode;

    fn port(number: u16) -> Port {
        Port::new(number).unwrap()
    }

    fn known() -> Known {
        Known {
            service: "vite".into(),
            named: None,
            default: Some(port(5173)),
        }
    }

    fn described(name: &str, number: u16) -> Service {
        Service {
            name: name.into(),
            port: Port::new(number),
            strict: false,
            protocol: None,
            hold: None,
        }
    }

    fn planned(options: &Options, described: Option<&[Service]>) -> Vec<(String, u16, bool)> {
        let plan = plan(options, described, &known()).unwrap();
        let told = |want: Want| (want.service.unwrap(), want.port.get(), want.remembered);
        plan.wants.into_iter().map(told).collect()
    }

    #[test]
    fn a_command_alone_gets_what_it_is_known_for() {
        let options = Options::default();
        assert_eq!(planned(&options, None), [("vite".into(), 5173, true)]);
        let named = Known {
            named: Some(port(4000)),
            ..known()
        };
        let wants = plan(&options, None, &named).unwrap().wants;
        assert_eq!((wants[0].port, wants[0].remembered), (port(4000), false));
        let nothing = Known {
            default: None,
            ..known()
        };
        assert_eq!(
            plan(&options, None, &nothing).unwrap().wants[0].port,
            port(3000)
        );
    }

    #[test]
    fn what_is_asked_for_comes_first() {
        let options = Options {
            ports: vec![port(8000)],
            ..Options::default()
        };
        assert_eq!(planned(&options, None), [("vite".into(), 8000, false)]);
        let file = [described("web", 3100)];
        assert_eq!(
            planned(&options, Some(&file)),
            [("web".into(), 8000, false)]
        );
        let none = Options::default();
        assert_eq!(planned(&none, Some(&file)), [("web".into(), 3100, false)]);
    }

    #[test]
    fn several_services_get_one_each() {
        let options = Options {
            services: vec!["a".into(), "b".into()],
            ports: vec![port(8000)],
            ..Options::default()
        };
        assert_eq!(
            planned(&options, None),
            [("a".into(), 8000, false), ("b".into(), 8001, true)]
        );
        let file = [described("web", 3100), described("api", 0)];
        assert_eq!(
            planned(&Options::default(), Some(&file)),
            [("web".into(), 3100, false), ("api".into(), 3101, true)]
        );
        let file = [described("api", 4100), described("vite", 3100)];
        assert_eq!(
            planned(&Options::default(), Some(&file)),
            [("vite".into(), 3100, false)]
        );
    }

    #[test]
    fn remaps_claim_where_they_lead() {
        let options = Options {
            remap: vec![(port(3000), port(3001)), (port(4000), port(3001))],
            ..Options::default()
        };
        let plan = plan(&options, None, &known()).unwrap();
        assert_eq!(plan.remap, [(port(3000), 0), (port(4000), 0)]);
        assert_eq!(plan.wants.len(), 1);
        assert_eq!(plan.wants[0].port, port(3001));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let file = [described("web", 3100)];
        for (services, ports, said) in [
            (
                vec!["api"],
                vec![],
                "freeport.toml has no service 'api': it has web",
            ),
            (
                vec!["web", "web"],
                vec![],
                "the service 'web' is named twice",
            ),
            (
                vec![],
                vec![1, 2],
                "2 ports are given for a service without a name: name a service for each",
            ),
        ] {
            let options = Options {
                services: services.into_iter().map(str::to_owned).collect(),
                ports: ports.into_iter().map(port).collect(),
                ..Options::default()
            };
            let error = super::plan(&options, Some(&file), &known()).unwrap_err();
            assert_eq!(
                (error.status, error.message.as_str()),
                (status::USAGE, said)
            );
        }
    }

    #[test]
    fn the_project_says_how_strictly() {
        let mut strict = described("web", 3100);
        strict.strict = true;
        strict.hold = Some(HoldMode::Gate);
        let file = [strict];
        let want = plan(&Options::default(), Some(&file), &known())
            .unwrap()
            .wants
            .remove(0);
        assert_eq!((want.policy, want.hold), (Policy::Strict, HoldMode::Gate));
        let options = Options {
            policy: Some(Policy::Fallback),
            hold: Some(HoldMode::Off),
            ..Options::default()
        };
        let want = plan(&options, Some(&file), &known())
            .unwrap()
            .wants
            .remove(0);
        assert_eq!((want.policy, want.hold), (Policy::Fallback, HoldMode::Off));
    }
}
