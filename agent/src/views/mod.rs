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
    http::{App, Live},
    hub::{Channel, FRESH_INTERVALS, Hub, Published, State},
    publish::feed::{Feed, Feeds},
};

/// All views.
pub struct Views {
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
}

impl Views {
    /// Opens the views and their feeds.
    pub fn open(hub: &Arc<Hub>, feeds: &Feeds, config: &Config, loader: Arc<dyn ollama::Actions>) -> (Self, Vec<Live>) {
        let ollama_feed = feeds.open("models");
        let views = Self {
            host: Arc::new(HostView::new(Arc::clone(hub), &config.history, config.thresholds.clone())),
            ollama: OllamaView::new(Arc::clone(hub), ollama_feed.clone(), loader),
            postgres: Arc::default(),
            debates: Arc::default(),
            governance: Arc::new(GovernanceView::new(Arc::clone(hub), &config.sources.audit)),
        };
        let governance = Arc::clone(&views.governance);
        let governance_feed =
            feeds.open_answering("governance", Some(Box::new(move |request| governance.answer(request))));
        let (host, debates) = (views.host.clone(), views.debates.clone());
        let live = vec![
            Live { feed: feeds.open("system"), fresh: Box::new(move || host.current().is_some()) },
            // The messages of models, database and governance say themselves what is missing, and new ones come as soon as that
            // changes.
            Live { feed: ollama_feed, fresh: Box::new(|| true) },
            Live { feed: feeds.open("database"), fresh: Box::new(|| true) },
            Live { feed: feeds.open("debates"), fresh: Box::new(move || debates.current().is_some()) },
            Live { feed: governance_feed, fresh: Box::new(|| true) },
        ];
        (views, live)
    }
}

/// Starts to publish every view.
pub fn publish(app: &Arc<App>, context: &Context) {
    if let Some((host, feed)) = source::<Host>(app, "system") {
        tokio::spawn(publish_host(Arc::clone(app), feed, host, context.clone()));
    }
    if let Some((channel, feed)) = source::<Postgres>(app, "database")
        && let Some(debates) = app.live("debates")
    {
        tokio::spawn(publish_postgres(Arc::clone(app), channel, feed, debates.feed.clone()));
    } else if let Some(live) = app.live("database") {
        publish_absence(app, &live.feed, postgres::why(&app.hub), Duration::from_secs(1));
    }
    tokio::spawn(Arc::clone(&app.views.ollama).run());
    if let Some(live) = app.live("governance") {
        tokio::spawn(Arc::clone(&app.views.governance).publish(live.feed.clone()));
    }
}

fn source<S: Source>(app: &App, feed: &str) -> Option<(Arc<Channel<S>>, Feed)> {
    Some((app.hub.channel()?, app.live(feed)?.feed.clone()))
}

/// Turns each reading of the host into the feed's message, if anybody wants it.
async fn publish_host(app: Arc<App>, feed: Feed, host: Arc<Channel<Host>>, context: Context) {
    let mut readings = host.subscribe();
    loop {
        let newest = readings.borrow_and_update().clone();
        let fresh = newest.is_some();
        publish_moment(&app, &feed, newest.map(|snapshot| app.views.host.take(snapshot, host.interval())));
        context.set_watched(feed.wanted());
        let late = host.interval() * FRESH_INTERVALS;
        let changed = match timeout(late, readings.changed()).await {
            Ok(changed) => changed,
            Err(_) => {
                // When the machine stood still, nothing is late yet.
                if fresh && host.health().state != State::Fresh {
                    publish_moment(&app, &feed, None);
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
fn publish_moment(app: &Arc<App>, feed: &Feed, moment: Option<Arc<Moment>>) {
    let Some(moment) = moment.or_else(|| app.views.host.repeat()) else { return };
    app.events.note(|counts| {
        counts.alerts = moment.alerts.iter().map(|alert| (alert.name, alert.severity)).collect();
    });
    let view = Arc::clone(&app.views.host);
    feed.publish(moment.seq, move |out| view.encode(&moment, out));
}

/// Turns each reading of the database servers into the messages of both feeds, if anybody wants them.
async fn publish_postgres(app: Arc<App>, postgres: Arc<Channel<Postgres>>, feed: Feed, debates_feed: Feed) {
    let mut readings = postgres.subscribe();
    let (mut taken, mut said) = (None, None);
    loop {
        let newest = readings.borrow_and_update().clone();
        let fresh = newest.filter(|snapshot| snapshot.is_shown());
        match fresh {
            Some(snapshot) if taken != Some(snapshot.taken) => {
                (taken, said) = (Some(snapshot.taken), None);
                let moment = app.views.postgres.take(Arc::clone(&snapshot), postgres.interval());
                let view = Arc::clone(&app.views.postgres);
                feed.publish(moment.seq, move |out| encode("database", &view.update(&moment), out));
                let moment = app.views.debates.take(snapshot);
                debates_feed.publish(moment.seq, move |out| encode("debates", &moment.update(), out));
            }
            Some(_) => {}
            None => {
                // Why there is no reading changes rarely: each reason is said once.
                let missing = postgres::why(&app.hub);
                if said != Some(missing.reason) {
                    said = Some(missing.reason);
                    publish_absence(&app, &feed, missing, postgres.interval());
                }
            }
        }
        if let Ok(Err(_)) = timeout(postgres.next_look(), readings.changed()).await {
            return;
        }
    }
}

fn publish_absence(app: &App, feed: &Feed, missing: Missing, interval: Duration) {
    let update = app.views.postgres.absence(missing, interval);
    feed.publish(update.seq, move |out| encode("database", &update, out));
}

fn encode(feed: &str, message: &impl Serialize, out: &mut Vec<u8>) {
    if let Err(error) = serde_json::to_writer(out, message) {
        tracing::error!("the message of feed {feed} could not be encoded: {error}");
    }
}
