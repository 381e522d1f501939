//! The sources' readings as people want them: one view a feed, each fed with every reading of its source.

pub mod debates;
pub mod governance;
pub mod host;
mod join;
pub mod ollama;
pub mod postgres;
pub(crate) mod time;

use std::{sync::Arc, time::Duration};

use aura_host::Host;
use aura_model::{Context, Missing, Source};
use aura_postgres::Postgres;
use axum::Router;
use serde::Serialize;
use tokio::time::timeout;

use self::{
    debates::DebatesView,
    governance::GovernanceView,
    host::{HostView, Moment},
    ollama::OllamaView,
    postgres::PostgresView,
};
use crate::{
    config::Config,
    hub::{Channel, FRESH_INTERVALS, Hub, Published, State},
    publish::feed::{Feed, Feeds, Live},
    telemetry::Events,
};

/// All views.
pub struct Views {
    hub: Arc<Hub>,
    /// The host.
    pub host: Arc<HostView>,
    /// Ollama.
    pub ollama: Arc<OllamaView>,
    /// Database servers.
    pub postgres: Arc<PostgresView>,
    /// The debates that one of them holds.
    pub debates: Arc<DebatesView>,
    /// Roles and audit logs.
    pub governance: Arc<GovernanceView>,
    /// The views' feeds.
    pub live: Arc<[Live]>,
}

impl Views {
    /// Opens the views and their feeds.
    pub fn open(
        hub: &Arc<Hub>,
        events: &Arc<Events>,
        feeds: &Feeds,
        config: &Config,
        actions: Arc<dyn ollama::Actions>,
    ) -> Arc<Self> {
        let ollama_feed = feeds.open("models");
        let host = HostView::new(Arc::clone(hub), Arc::clone(events), &config.history, config.thresholds.clone());
        let (host, debates) = (Arc::new(host), Arc::new(DebatesView::default()));
        let governance = Arc::new(GovernanceView::new(Arc::clone(hub), &config.sources.audit));
        let answering = Arc::clone(&governance);
        let governance_feed =
            feeds.open_answering("governance", Some(Box::new(move |request| answering.answer(request))));
        let (current_host, current_debates) = (Arc::clone(&host), Arc::clone(&debates));
        let ollama = OllamaView::new(Arc::clone(hub), ollama_feed.clone(), actions);
        let live = [
            Live { feed: feeds.open("system"), fresh: Box::new(move || current_host.current().is_some()) },
            // The messages of models, database and governance say themselves what is missing, and new ones come as soon as that
            // changes.
            Live { feed: ollama_feed, fresh: Box::new(|| true) },
            Live { feed: feeds.open("database"), fresh: Box::new(|| true) },
            Live { feed: feeds.open("debates"), fresh: Box::new(move || current_debates.current().is_some()) },
            Live { feed: governance_feed, fresh: Box::new(|| true) },
        ];
        let postgres = Arc::new(PostgresView::new(Arc::clone(hub), &config.sources.postgres));
        let hub = Arc::clone(hub);
        Arc::new(Self { hub, host, ollama, postgres, debates, governance, live: live.into() })
    }

    /// The routes of all views but those of the feeds themselves.
    pub fn routes(&self) -> Router {
        host::routes(Arc::clone(&self.host))
            .merge(ollama::routes(Arc::clone(&self.ollama)))
            .merge(postgres::routes(Arc::clone(&self.postgres)))
            .merge(debates::routes(Arc::clone(&self.debates)))
            .merge(governance::routes(Arc::clone(&self.governance)))
    }

    fn feed(&self, name: &str) -> Option<&Feed> {
        self.live.iter().map(|live| &live.feed).find(|feed| feed.name() == name)
    }

    fn source<S: Source>(&self, feed: &str) -> Option<(Arc<Channel<S>>, Feed)> {
        Some((self.hub.channel()?, self.feed(feed)?.clone()))
    }

    /// Starts to publish every view.
    pub fn publish(self: &Arc<Self>, context: &Context) {
        if let Some((host, feed)) = self.source::<Host>("system") {
            tokio::spawn(publish_host(Arc::clone(self), feed, host, context.clone()));
        }
        if let Some((channel, feed)) = self.source::<Postgres>("database")
            && let Some(debates) = self.feed("debates")
        {
            tokio::spawn(publish_postgres(Arc::clone(self), channel, feed, debates.clone()));
        } else if let Some(feed) = self.feed("database") {
            publish_absence(self, feed, postgres::why(&self.hub), Duration::from_secs(1));
        }
        tokio::spawn(Arc::clone(&self.ollama).run());
        if let Some(feed) = self.feed("governance") {
            tokio::spawn(Arc::clone(&self.governance).publish(feed.clone()));
        }
    }
}

/// Turns each reading of the host into the feed's message, if anybody wants it.
async fn publish_host(views: Arc<Views>, feed: Feed, host: Arc<Channel<Host>>, context: Context) {
    let mut readings = host.subscribe();
    loop {
        let newest = readings.borrow_and_update().clone();
        let fresh = newest.is_some();
        publish_moment(&views, &feed, newest.map(|snapshot| views.host.take(snapshot, host.interval())));
        context.set_watched(feed.wanted());
        let late = host.interval() * FRESH_INTERVALS;
        let changed = match timeout(late, readings.changed()).await {
            Ok(changed) => changed,
            Err(_) => {
                // When the machine stood still, nothing is late yet.
                if fresh && host.health().state != State::Fresh {
                    publish_moment(&views, &feed, None);
                }
                readings.changed().await
            }
        };
        if changed.is_err() {
            return;
        }
    }
}

/// Publishes a moment. Without one the last is sent again, with what is known of its source now: a client must not
/// take an old message for a fresh one because nothing follows it.
fn publish_moment(views: &Views, feed: &Feed, moment: Option<Arc<Moment>>) {
    let Some(moment) = moment.or_else(|| views.host.repeat()) else { return };
    views.host.events.note(|counts| {
        counts.alerts = moment.alerts.iter().map(|alert| (alert.name, alert.severity)).collect();
    });
    let view = Arc::clone(&views.host);
    feed.publish(moment.seq, move |out| view.encode(&moment, out));
}

/// Turns each reading of the database servers into the messages of both feeds, if anybody wants them.
async fn publish_postgres(views: Arc<Views>, postgres: Arc<Channel<Postgres>>, feed: Feed, debates_feed: Feed) {
    let mut readings = postgres.subscribe();
    let (mut taken, mut said) = (None, None);
    loop {
        let newest = readings.borrow_and_update().clone();
        let fresh = newest.filter(|snapshot| snapshot.is_shown());
        match fresh {
            Some(snapshot) if taken != Some(snapshot.taken) => {
                (taken, said) = (Some(snapshot.taken), None);
                let moment = views.postgres.take(Arc::clone(&snapshot), postgres.interval());
                let view = Arc::clone(&views.postgres);
                feed.publish(moment.seq, move |out| encode("database", &view.update(&moment), out));
                let moment = views.debates.take(snapshot);
                debates_feed.publish(moment.seq, move |out| encode("debates", &moment.update(), out));
            }
            Some(_) => {}
            None => {
                // Why there is no reading changes rarely: each reason is said once.
                let missing = postgres::why(&views.hub);
                if said != Some(missing.reason) {
                    said = Some(missing.reason);
                    publish_absence(&views, &feed, missing, postgres.interval());
                }
            }
        }
        if let Ok(Err(_)) = timeout(postgres.next_look(), readings.changed()).await {
            return;
        }
    }
}

fn publish_absence(views: &Views, feed: &Feed, missing: Missing, interval: Duration) {
    let update = views.postgres.absence(missing, interval);
    feed.publish(update.seq, move |out| encode("database", &update, out));
}

fn encode(feed: &str, message: &impl Serialize, out: &mut Vec<u8>) {
    if let Err(error) = serde_json::to_writer(out, message) {
        tracing::error!("the message of feed {feed} could not be encoded: {error}");
    }
}
