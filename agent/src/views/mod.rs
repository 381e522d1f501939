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

use std::sync::Arc;

use aura_model::Context;

pub use self::view::{Make, View, Views};
use self::{
    debates::DebatesView, governance::GovernanceView, host::HostView, ollama::OllamaView, postgres::PostgresView,
};
use crate::{config::Config, hub::Hub, publish::feed::Feeds, telemetry::Events};

/// Opens every view's feed. What is new is registered here, by one line.
pub fn open(
    hub: &Arc<Hub>,
    feeds: &Feeds,
    config: &Config,
    context: &Context,
    events: &Arc<Events>,
    actions: Arc<dyn ollama::Actions>,
) -> Views {
    let mut views = Views::new(hub, feeds);
    let debates = Arc::new(DebatesView::new(hub));
    views.add(Arc::new(HostView::new(hub, config, context, events)));
    views.add(Arc::new(OllamaView::new(hub, &debates, actions)));
    views.add(Arc::new(PostgresView::new(hub, config)));
    views.add(debates);
    views.add(Arc::new(GovernanceView::new(hub, config)));
    views
}
