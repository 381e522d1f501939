//! What follows from the rows: wins, streaks, ratings. Pure, so that it can be checked against random debates.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use aura_postgres::{Debate, Ranking, Rounds};

use super::message::{Counts, Match, Model, Row, Shown, Stored};

/// Where every model begins.
const START: f64 = 1500.0;
/// How much one debate may change.
const K: f64 = 32.0;
/// So many debates of each model are shown.
const MATCHES: usize = 10;

/// What the tables hold; what could not be read is none.
pub(super) struct Tables<'a> {
    pub debates: &'a [Debate],
    pub truncated: bool,
    pub rankings: Option<&'a [Ranking]>,
    pub rounds: Option<&'a [Rounds]>,
}

/// Everything derived from them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standings {
    pub models: Vec<Model>,
    pub debates: Vec<Shown>,
    pub counts: Counts,
    /// The models in the older shape.
    pub rows: Arc<Vec<Row>>,
}

/// The change of A's rating: K by the difference between result and expectation, half to even.
pub(super) fn elo_change(rating: f64, opponent: f64, score: f64) -> f64 {
    (K * (score - expected(rating, opponent))).round_ties_even()
}

/// The chance that the ratings give the first.
pub(super) fn expected(rating: f64, opponent: f64) -> f64 {
    1.0 / (1.0 + 10_f64.powf((opponent - rating) / 400.0))
}

/// Walks the debates in the order in which they ended.
pub(super) fn standings(tables: &Tables<'_>) -> Standings {
    let rounds: Option<HashMap<&str, &Rounds>> =
        tables.rounds.map(|rounds| rounds.iter().map(|round| (round.debate.as_str(), round)).collect());
    let mut models: BTreeMap<&str, Tally<'_>> = BTreeMap::new();
    for ranking in tables.rankings.unwrap_or_default() {
        models.entry(&ranking.model).or_default().ranking = Some(ranking);
    }
    let mut counts = Counts::default();
    if rounds.is_some() {
        (counts.with_errors, counts.without_rounds) = (Some(0), Some(0));
    }
    let mut shown = Vec::with_capacity(tables.debates.len());
    for debate in tables.debates {
        counts.total += 1;
        let status = debate.status.as_deref().unwrap_or_default();
        match status {
            "completed" => counts.completed += 1,
            "running" => counts.running += 1,
            "pending" => counts.pending += 1,
            "cancelled" => counts.cancelled += 1,
            _ => {}
        }
        let stored = rounds.as_ref().map(|rounds| rounds.get(debate.id.as_str()));
        let turns = stored.map(|rounds| rounds.map_or(0, |rounds| rounds.turns));
        let has_errors = stored.map(|rounds| rounds.is_some_and(|rounds| rounds.errors > 0));
        let mut chain_broken = false;
        if status == "completed" {
            if let Some(count) = &mut counts.with_errors {
                *count += usize::from(has_errors == Some(true));
            }
            if let Some(count) = &mut counts.without_rounds {
                *count += usize::from(turns == Some(0));
            }
            chain_broken = count(&mut models, debate, has_errors);
        }
        shown.push(show(debate, chain_broken, has_errors, turns));
    }
    shown.reverse();
    let models = rank(models.into_iter().map(|(name, tally)| tally.model(name, tables)).collect());
    let rows = Arc::new(rows(&models));
    Standings { models, debates: shown, counts, rows }
}

/// Counts a finished debate for both; whether the stored ratings do not follow from the debates before.
fn count<'a>(models: &mut BTreeMap<&'a str, Tally<'a>>, debate: &'a Debate, has_errors: Option<bool>) -> bool {
    let (a, b) = (debate.model_a.as_str(), debate.model_b.as_str());
    let score_a = match debate.winner.as_deref() {
        Some(winner) if winner == a => 1.0,
        Some(winner) if winner == b => 0.0,
        // A winner who took no part says nothing of the two.
        Some(_) => return false,
        None => 0.5,
    };
    let before = |models: &BTreeMap<&str, Tally<'_>>, name| models.get(name).map_or(START, |tally| tally.rating);
    let (before_a, before_b) = (before(models, a), before(models, b));
    let mut broken = false;
    for (model, opponent, score, change, stored_before, stored_change, points) in [
        (
            a,
            b,
            score_a,
            elo_change(before_a, before_b, score_a),
            debate.elo_before_a,
            debate.elo_change_a,
            debate.score_a,
        ),
        (
            b,
            a,
            1.0 - score_a,
            elo_change(before_b, before_a, 1.0 - score_a),
            debate.elo_before_b,
            debate.elo_change_b,
            debate.score_b,
        ),
    ] {
        let tally = models.entry(model).or_default();
        if let (Some(left), Some(before)) = (tally.stored_after, stored_before) {
            broken |= left != before;
        }
        tally.stored_after = stored_before.zip(stored_change).map(|(before, change)| before.saturating_add(change));
        tally.rating += change;
        tally.result(score);
        tally.errors += u32::from(has_errors == Some(true));
        tally.knows_errors = has_errors.is_some();
        if let Some(points) = points {
            tally.points.0 += points;
            tally.points.1 += 1;
        }
        tally.last = debate.completed_at.as_deref().or(tally.last);
        tally.matches.push(Match {
            debate_id: debate.id.clone(),
            opponent: opponent.to_owned(),
            result: if score > 0.75 {
                "win"
            } else if score < 0.25 {
                "loss"
            } else {
                "draw"
            },
            elo_change: stored_change,
            completed_at: debate.completed_at.clone(),
        });
        if tally.matches.len() > 2 * MATCHES {
            tally.matches.drain(..MATCHES);
        }
    }
    broken
}

/// What is counted of a model on the way.
struct Tally<'a> {
    ranking: Option<&'a Ranking>,
    rating: f64,
    stored_after: Option<i32>,
    wins: u32,
    losses: u32,
    draws: u32,
    streak: i32,
    best: u32,
    errors: u32,
    knows_errors: bool,
    points: (f64, u32),
    last: Option<&'a str>,
    matches: Vec<Match>,
}

impl Default for Tally<'_> {
    fn default() -> Self {
        Self {
            ranking: None,
            rating: START,
            stored_after: None,
            wins: 0,
            losses: 0,
            draws: 0,
            streak: 0,
            best: 0,
            errors: 0,
            knows_errors: false,
            points: (0.0, 0),
            last: None,
            matches: Vec::new(),
        }
    }
}

impl Tally<'_> {
    fn result(&mut self, score: f64) {
        if score > 0.75 {
            self.wins += 1;
            self.streak = self.streak.max(0) + 1;
            self.best = self.best.max(self.streak.unsigned_abs());
        } else if score < 0.25 {
            self.losses += 1;
            self.streak = self.streak.min(0) - 1;
        } else {
            self.draws += 1;
            self.streak = 0;
        }
    }

    fn model(mut self, name: &str, tables: &Tables<'_>) -> Model {
        let total = self.wins + self.losses + self.draws;
        let decided = self.wins + self.losses;
        let share = |of: u32| (of > 0).then(|| f64::from(self.wins) / f64::from(of));
        let recomputed = (!tables.truncated).then_some(self.rating);
        let stored = self.ranking.and_then(|ranking| ranking.elo);
        let differs =
            |stored: Option<i32>, counted: u32| stored.is_some_and(|stored| i64::from(stored) != i64::from(counted));
        let own = self.ranking.filter(|ranking| {
            differs(ranking.wins, self.wins)
                || differs(ranking.losses, self.losses)
                || differs(ranking.draws, self.draws)
                || differs(ranking.total_debates, total)
        });
        self.matches.reverse();
        self.matches.truncate(MATCHES);
        Model {
            model: name.to_owned(),
            display_name: self.ranking.map(|ranking| ranking.display_name.clone()),
            ranked: self.ranking.is_some(),
            rank: 0,
            elo: stored.map(f64::from).or(recomputed),
            elo_stored: stored,
            elo_recomputed: recomputed,
            wins: self.wins,
            losses: self.losses,
            draws: self.draws,
            total_debates: total,
            win_rate: share(total),
            decided_win_rate: share(decided),
            current_streak: self.streak,
            best_streak: self.best,
            mean_score: (self.points.1 > 0).then(|| self.points.0 / f64::from(self.points.1)),
            with_errors: (self.knows_errors || total == 0).then_some(self.errors),
            last_debate_at: self.last.map(str::to_owned),
            stored: own.map(|ranking| Stored {
                wins: ranking.wins,
                losses: ranking.losses,
                draws: ranking.draws,
                total_debates: ranking.total_debates,
            }),
            matches: self.matches,
        }
    }
}

/// Sorts by rating, then name; equal ratings share a place.
fn rank(mut models: Vec<Model>) -> Vec<Model> {
    let rating = |model: &Model| model.elo.unwrap_or(f64::NEG_INFINITY);
    models.sort_by(|one, other| rating(other).total_cmp(&rating(one)).then_with(|| one.model.cmp(&other.model)));
    for place in 0..models.len() {
        let shared = place.checked_sub(1).filter(|before| rating(&models[*before]) == rating(&models[place]));
        models[place].rank = shared.map_or(place as u32 + 1, |before| models[before].rank);
    }
    models
}

fn show(debate: &Debate, chain_broken: bool, has_errors: Option<bool>, turns: Option<i64>) -> Shown {
    let before = debate.elo_before_a.zip(debate.elo_before_b).map(|(a, b)| (f64::from(a), f64::from(b)));
    let completed = debate.status.as_deref() == Some("completed");
    let winner_expected = debate.winner.as_deref().zip(before).and_then(|(winner, (a, b))| match winner {
        winner if winner == debate.model_a => Some(expected(a, b)),
        winner if winner == debate.model_b => Some(expected(b, a)),
        _ => None,
    });
    let judge = debate.judge.as_deref();
    Shown {
        debate_id: debate.id.clone(),
        topic: debate.topic.clone(),
        topic_category: debate.category.clone(),
        model_a: debate.model_a.clone(),
        model_b: debate.model_b.clone(),
        judge_model: debate.judge.clone(),
        judge_debates: judge == Some(&debate.model_a) || judge == Some(&debate.model_b),
        status: debate.status.clone(),
        winner: debate.winner.clone(),
        draw: completed && debate.winner.is_none(),
        score_a: debate.score_a,
        score_b: debate.score_b,
        elo_before_a: debate.elo_before_a,
        elo_before_b: debate.elo_before_b,
        elo_change_a: debate.elo_change_a,
        elo_change_b: debate.elo_change_b,
        chain_broken,
        margin: debate.score_a.zip(debate.score_b).map(|(a, b)| (a - b).abs() / 100.0),
        winner_expected,
        has_errors,
        turns,
        total_rounds: debate.total_rounds,
        verdict: debate.verdict.clone(),
        started_at: debate.started_at.clone(),
        completed_at: debate.completed_at.clone(),
        duration_seconds: debate.duration_seconds,
    }
}

/// The older shape.
fn rows(models: &[Model]) -> Vec<Row> {
    models
        .iter()
        .map(|model| Row {
            model_name: model.model.clone(),
            elo_rating: model.elo,
            wins: model.wins,
            losses: model.losses,
            total_debates: model.total_debates,
        })
        .collect()
}

#[cfg(test)]
mod tests;
