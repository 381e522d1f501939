//! The sources' readings as people want them: a folder each, named like the source. A view takes readings in and gives
//! the messages of its feed; the pump in `view` is the one loop that publishes them. Readings of several sources meet
//! in `join`.

pub mod debates;
mod declared;
pub mod governance;
pub mod host;
mod join;
pub mod ollama;
pub mod postgres;
pub(crate) mod time;
mod view;

use std::sync::Arc;

use aura_model::Context;
use http::StatusCode;

pub use self::declared::declared;
pub(crate) use self::declared::groups;
pub(crate) use self::view::View;
pub use self::view::Views;
use self::{
    debates::DebatesView, governance::GovernanceView, host::HostView, ollama::OllamaView, postgres::PostgresView,
};
use crate::{
    api::{ApiError, FeedDescription, Operation},
    config::Config,
    hub::Hub,
    publish::feed::{Feeds, Live},
    telemetry::Events,
};

// Each view is registered by its one line.
views! { parts:
    HostView = Arc::new(HostView::new(parts.hub, parts.config, parts.context, parts.events)),
    OllamaView = Arc::new(OllamaView::new(parts.hub, parts.config, parts.context, &parts.debates, Arc::clone(&parts.actions))),
    PostgresView = Arc::new(PostgresView::new(parts.hub, parts.config)),
    DebatesView = Arc::clone(&parts.debates),
    GovernanceView = Arc::new(GovernanceView::new(parts.hub, parts.config)),
}

/// What views are made over.
pub struct Parts<'a> {
    hub: &'a Arc<Hub>,
    config: &'a Config,
    context: &'a Context,
    events: &'a Arc<Events>,
    actions: Arc<dyn ollama::Actions>,
    debates: Arc<DebatesView>,
}

impl<'a> Parts<'a> {
    /// The sources' readings, what is configured, who hears whether anybody looks and which limits are exceeded, and what is
    /// done to models.
    pub fn new(
        hub: &'a Arc<Hub>,
        config: &'a Config,
        context: &'a Context,
        events: &'a Arc<Events>,
        actions: Arc<dyn ollama::Actions>,
    ) -> Self {
        Self { hub, config, context, events, actions, debates: Arc::new(DebatesView::new(hub)) }
    }
}

macro_rules! views {
    ($parts:ident: $($view:ty = $new:expr,)+) => {
        /// Opens every view and its feed.
        pub fn open(feeds: &Feeds, $parts: &Parts<'_>) -> Views {
            let mut views = Views::default();
            $(views.add::<$view>(feeds, $parts.hub, $new);)+
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
    match live.iter().find(|live| live.feed.name() == HostView::FEED.name) {
        Some(live) if (live.fresh)() => Ok(()),
        Some(live) if live.feed.has_message() => Err(ApiError::nothing_fresh()),
        _ => {
            let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "starting", "nothing was sampled yet");
            Err(error.retry_after(1))
        }
    }
}
