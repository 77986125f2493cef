//! The asking end: requests to the running app, over a connection that is renewed when it breaks.
//!
//! Knows the wire and nothing of what answers it. What is asked again after a break, and what is
//! not, is decided here.

mod connection;
mod error;
mod subscription;
mod verbs;

use super::protocol::{HelloReply, Pool, Reply, Request};
use super::socket::Place;
use connection::{Connection, Failure};

pub use error::ClientError;
pub use subscription::Subscription;

/// Whoever answers requests: the running app, or this process in its place.
pub trait Ask {
    /// Answers one request. A reply that is an error is an `Ok` here; `Err` means that there was
    /// no reply.
    fn ask(&mut self, request: Request) -> Result<Reply, ClientError>;
}

/// A connection to the running app.
///
/// [`Ask::ask`] sends any request; the typed methods ([`Client::claim`], [`Client::list`] …) give
/// the reply that fits, and a reply that is an error as [`ClientError::Refused`].
///
/// ```no_run
/// use freeport::Client;
/// use freeport::ipc::protocol::{Claim, List};
///
/// let mut app = Client::connect()?;
/// for listener in app.list(List::default())?.listeners {
///     println!("{}", listener.port);
/// }
/// let port = freeport::model::Port::new(3000).unwrap();
/// let lease = app.claim(Claim::of(port))?;
/// println!("{port} is this process's until {:?}", lease.expires_at);
/// # Ok::<(), freeport::ClientError>(())
/// ```
///
/// Where no app runs, that is said, and nothing else is tried:
///
/// ```
/// use freeport::ipc::socket::Place;
/// use freeport::{Client, ClientError};
///
/// let folder = std::env::temp_dir().join(format!("nobody-{}", std::process::id()));
/// let error = Client::connect_at(&Place::at(folder)).unwrap_err();
/// assert!(matches!(error, ClientError::NotRunning));
/// assert_eq!(error.to_string(), "freeport is not running");
/// assert!(error.hint().unwrap().contains("freeport app --headless"));
/// ```
///
/// # When the connection breaks
///
/// The app may be restarted, and it hangs up on who has been silent for five minutes. The next
/// request then goes over a new connection. A request that was sent and not answered is sent once
/// more where that is safe: what only asks, HEARTBEAT, and ALLOCATE, which gives the same port
/// again. Any other gives [`ClientError::Unanswered`], and it is for the caller to look whether it
/// was done.
#[derive(Debug)]
pub struct Client {
    place: Place,
    app: HelloReply,
    connection: Option<Connection>,
}

impl Client {
    /// Connects to the app of this user and compares versions.
    pub fn connect() -> Result<Client, ClientError> {
        Client::connect_at(&Place::of_user())
    }

    /// Connects to the app at `place`.
    pub fn connect_at(place: &Place) -> Result<Client, ClientError> {
        let (connection, app) = Connection::open(place)?;
        Ok(Client {
            place: place.clone(),
            app,
            connection: Some(connection),
        })
    }

    /// What the app said of itself when it was connected to last.
    pub fn app(&self) -> &HelloReply {
        &self.app
    }

    /// Asks for everything, and for every change from then on.
    ///
    /// ```no_run
    /// use freeport::Client;
    /// use freeport::ipc::protocol::Event;
    ///
    /// let changes = Client::connect()?.subscribe()?;
    /// println!("{} listeners", changes.state.listeners.len());
    /// for change in changes {
    ///     if let Event::Conflict { conflict } = change? {
    ///         println!("somebody else is on port {}", conflict.port);
    ///     }
    /// }
    /// # Ok::<(), freeport::ClientError>(())
    /// ```
    pub fn subscribe(mut self) -> Result<Subscription, ClientError> {
        let (reply, connection) = self.exchange(&Request::Subscribe)?;
        match reply {
            Reply::State(state) => {
                connection.patience(None).map_err(ClientError::Io)?;
                Ok(Subscription::new(*state, connection))
            }
            Reply::Error(error) => Err(ClientError::Refused(error)),
            _ => Err(verbs::unfit()),
        }
    }

    /// The reply to a request, and the connection that it came over.
    fn exchange(&mut self, request: &Request) -> Result<(Reply, Connection), ClientError> {
        let line = request.to_line().map_err(ClientError::Reply)?;
        let repeat = is_safe_to_repeat(request);
        if let Some(mut connection) = self.connection.take() {
            match connection.exchange(request, &line) {
                Ok(reply) => return Ok((reply, connection)),
                Err(Failure::Broken { sent, .. }) if repeat || !sent => {}
                Err(failure) => return Err(failure.told(repeat)),
            }
        }
        let (mut connection, app) = Connection::open(&self.place)?;
        self.app = app;
        match connection.exchange(request, &line) {
            Ok(reply) => Ok((reply, connection)),
            Err(failure) => Err(failure.told(repeat)),
        }
    }
}

impl Failure {
    /// The error that tells of it. `safe` says whether it matters that the request may be done.
    fn told(self, safe: bool) -> ClientError {
        match self {
            Failure::Broken { sent: true, error } if !safe => ClientError::Unanswered(error),
            Failure::Broken { error, .. } => ClientError::Io(error),
            Failure::Other(error) => error,
        }
    }
}

impl Ask for Client {
    fn ask(&mut self, request: Request) -> Result<Reply, ClientError> {
        let (reply, connection) = self.exchange(&request)?;
        // What follows a subscription is no reply to anything.
        self.connection = (!matches!(reply, Reply::State(_))).then_some(connection);
        Ok(reply)
    }
}

/// Whether a request that may have been done already can be sent once more: it changes nothing, or
/// it comes to the same.
fn is_safe_to_repeat(request: &Request) -> bool {
    match request {
        Request::Hello { .. }
        | Request::Ping
        | Request::List(_)
        | Request::Status
        | Request::Query(_)
        | Request::Suggest(_)
        | Request::Log(_)
        | Request::Heartbeat(_)
        | Request::Allocate(_)
        | Request::Subscribe => true,
        Request::Pool(pool) => matches!(pool, Pool::List),
        Request::Kill(kill) => kill.dry_run,
        Request::Autostart(change) => change.enable.is_none(),
        Request::Cleanup(cleanup) => cleanup.dry_run,
        Request::Config(config) => config.value.is_none() && !config.unset,
        Request::Register(_)
        | Request::Claim(_)
        | Request::Reserve(_)
        | Request::Release(_)
        | Request::Free(_)
        | Request::Hold(_)
        | Request::Ignore(_) => false,
    }
}
