//! The sources' readings as people want them: a folder each, named like the source. A view takes readings in and gives
//! the messages of its feed; the pump in `view` is the one loop that publishes them. Readings of several sources meet
//! in `join`.

pub mod debates;
pub mod governance;
pub mod host;
mod join;
pub mod ollama;
pub mod postgres;
pub(crate) mod time;
mod view;

use http::StatusCode;

pub(crate) use self::view::{Make, View};
pub use self::view::{Parts, Views};
use crate::{
    api::{ApiError, FeedDescription, Operation},
    publish::feed::{Feeds, Live},
};

// Each view is registered by its one line.
views! {
    host::HostView,
    ollama::OllamaView,
    postgres::PostgresView,
    debates::DebatesView,
    governance::GovernanceView,
}

macro_rules! views {
    ($($view:ty,)+) => {
        /// Opens every view and its feed.
        pub fn open(feeds: &Feeds, parts: &Parts<'_>) -> Views {
            let mut views = Views::default();
            $(views.add::<$view>(feeds, parts);)+
            views
        }

        /// What every view offers, for the documentation.
        pub(crate) fn offers() -> Vec<Offer> {
            vec![$(Offer::of::<$view>()),+]
        }
    };
}
use views;

/// What a view offers.
pub(crate) struct Offer {
    pub about: &'static str,
    pub feed: FeedDescription,
    pub operations: Vec<Operation>,
}

impl Offer {
    fn of<V: View>() -> Self {
        Self { about: V::ABOUT, feed: V::FEED, operations: V::routes().operations() }
    }
}

/// Whether there is a reading of the host that is on time.
///
/// # Errors
/// The response that says why not.
pub fn ready(live: &[Live]) -> Result<(), ApiError> {
    match live.iter().find(|live| live.feed.name() == host::HostView::FEED.name) {
        Some(live) if (live.fresh)() => Ok(()),
        Some(live) if live.feed.has_message() => Err(ApiError::nothing_fresh()),
        _ => {
            let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "starting", "nothing was sampled yet");
            Err(error.retry_after(1))
        }
    }
}
