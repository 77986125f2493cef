//! Choosing listeners by port, range or text.

use std::str::FromStr;

use crate::ipc::view::{ListenerView, ReservationView};
use crate::model::{Port, PortError, PortRange};

/// One thing that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Ports.
    Ports(PortRange),
    /// Part of a name, in lower case.
    Text(String),
}

impl FromStr for Filter {
    type Err = PortError;
    /// What looks like a port or a range must be one; everything else is text.
    fn from_str(text: &str) -> Result<Filter, PortError> {
        let numeric = !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
            && text.bytes().any(|b| b.is_ascii_digit());
        if numeric {
            return text.parse().map(Filter::Ports);
        }
        Ok(Filter::Text(text.to_lowercase()))
    }
}

impl Filter {
    /// Whether `listener` is asked for.
    pub fn matches(&self, listener: &ListenerView) -> bool {
        match self {
            Filter::Ports(range) => range.contains(listener.port),
            Filter::Text(text) => {
                let owner = listener.owner.as_ref();
                let texts = [
                    owner.map(|owner| &owner.name),
                    owner.map(|owner| &owner.service),
                    owner.and_then(|owner| owner.project.as_ref()),
                    listener.user.as_ref(),
                ];
                let container = listener.container.as_ref();
                let of_container = container.map(|found| {
                    [
                        Some(&found.name),
                        found.image.as_ref(),
                        found.project.as_ref(),
                        found.service.as_ref(),
                    ]
                });
                texts
                    .into_iter()
                    .chain(of_container.into_iter().flatten())
                    .flatten()
                    .any(|candidate| candidate.to_lowercase().contains(text.as_str()))
            }
        }
    }

    /// Whether a port that is held is asked for.
    pub fn matches_held(&self, view: &ReservationView) -> bool {
        match self {
            Filter::Ports(range) => range.contains(view.port),
            Filter::Text(text) => [&view.project, &view.service, &view.name]
                .into_iter()
                .flatten()
                .any(|candidate| candidate.to_lowercase().contains(text.as_str())),
        }
    }

    /// The one port asked for.
    pub fn port(&self) -> Option<Port> {
        match self {
            Filter::Ports(range) => range.single(),
            Filter::Text(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ports_and_words_are_text() {
        assert!(matches!("3000".parse(), Ok(Filter::Ports(_))));
        assert!(matches!("3000-3999".parse(), Ok(Filter::Ports(_))));
        assert_eq!("Vite".parse(), Ok(Filter::Text("vite".into())));
        assert_eq!("web-2".parse(), Ok(Filter::Text("web-2".into())));
        for bad in ["0", "65536", "3000-2000", "1-65536", "-5"] {
            assert!(bad.parse::<Filter>().is_err(), "{bad}");
        }
    }
}
