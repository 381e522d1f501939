use proptest::prelude::*;

use super::*;

const MODELS: [&str; 5] = ["blue:3b", "green:2b", "red:1b", "white:4b", "zebra:9b"];

fn debate(number: usize, a: &str, b: &str, winner: Option<&str>, status: &str) -> Debate {
    Debate {
        id: format!("debate-{number}"),
        topic: "Is it?".into(),
        category: Some("reasoning".into()),
        model_a: a.into(),
        model_b: b.into(),
        judge: Some("blue:3b".into()),
        winner: winner.map(Into::into),
        elo_change_a: None,
        elo_change_b: None,
        elo_before_a: None,
        elo_before_b: None,
        score_a: Some(60.0),
        score_b: Some(80.0),
        verdict: None,
        started_at: None,
        completed_at: Some(format!("2025-12-01T06:00:{:02}.000", number % 60)),
        duration_seconds: None,
        status: Some(status.into()),
        total_rounds: Some(3),
    }
}

fn standing(debates: &[Debate]) -> Standings {
    standings(&Tables { debates, truncated: false, rankings: None, rounds: None })
}

fn of<'a>(standings: &'a Standings, name: &str) -> &'a Model {
    standings.models.iter().find(|model| model.model == name).unwrap_or_else(|| panic!("no {name}"))
}

/// Worked out by hand from the formula.
#[test]
fn the_formula() {
    for (rating, opponent, score, change) in [
        (1500.0, 1500.0, 1.0, 16.0),
        (1500.0, 1500.0, 0.5, 0.0),
        (1484.0, 1500.0, 0.5, 1.0),
        (1516.0, 1499.0, 1.0, 15.0),
        (1531.0, 1484.0, 1.0, 14.0),
        (1545.0, 1485.0, 0.0, -19.0),
    ] {
        assert_eq!(elo_change(rating, opponent, score), change, "{rating} {opponent} {score}");
    }
}

#[test]
fn faults_of_the_tables_are_marked() {
    let mut one = debate(1, "red:1b", "blue:3b", Some("red:1b"), "completed");
    (one.elo_before_a, one.elo_change_a, one.elo_before_b, one.elo_change_b) =
        (Some(1500), Some(16), Some(1500), Some(-16));
    let mut two = debate(2, "red:1b", "blue:3b", None, "completed");
    // The installation was started anew: it begins at 1500 again.
    (two.elo_before_a, two.elo_change_a, two.elo_before_b, two.elo_change_b) =
        (Some(1500), Some(0), Some(1500), Some(0));
    let debates = [one, two, debate(3, "red:1b", "blue:3b", None, "cancelled")];
    let rounds = [Rounds { debate: "debate-2".into(), turns: 6, errors: 2 }];
    let ranking = Ranking {
        model: "red:1b".into(),
        display_name: "Red".into(),
        elo: Some(1501),
        wins: Some(0),
        losses: Some(0),
        draws: Some(0),
        total_debates: Some(0),
        specialty: None,
    };
    let rankings = [ranking];
    let standings =
        standings(&Tables { debates: &debates, truncated: false, rankings: Some(&rankings), rounds: Some(&rounds) });
    let shown: Vec<_> = standings.debates.iter().map(|one| (one.chain_broken, one.has_errors, one.turns)).collect();
    assert_eq!(shown, [(false, Some(false), Some(0)), (true, Some(true), Some(6)), (false, Some(false), Some(0))]);
    let counts = &standings.counts;
    assert_eq!(
        (counts.completed, counts.cancelled, counts.with_errors, counts.without_rounds),
        (2, 1, Some(1), Some(1))
    );
    let red = of(&standings, "red:1b");
    assert_eq!((red.elo_stored, red.elo_recomputed, red.elo), (Some(1501), Some(1515.0), Some(1501.0)));
    assert_eq!(red.stored.as_ref().unwrap().wins, Some(0), "the stored count differs, so it is shown");
    let blue = of(&standings, "blue:3b");
    assert!(!blue.ranked && blue.display_name.is_none() && blue.elo == Some(1485.0));
    assert!(standings.debates[2].judge_debates);
    assert_eq!(standings.debates[2].winner_expected, Some(0.5));
}

/// Another way to count: one model at a time, from the rows alone.
fn counted(debates: &[Debate], name: &str) -> (u32, u32, u32, i32, u32) {
    let results: Vec<char> = debates
        .iter()
        .filter(|one| one.status.as_deref() == Some("completed") && (one.model_a == name || one.model_b == name))
        .map(|one| match one.winner.as_deref() {
            None => 'd',
            Some(winner) if winner == name => 'w',
            Some(_) => 'l',
        })
        .collect();
    let count = |wanted: char| results.iter().filter(|result| **result == wanted).count() as u32;
    let text: String = results.iter().collect();
    let last = results.last().copied().unwrap_or('d');
    let length = results.iter().rev().take_while(|result| **result == last).count() as i32;
    let streak = match last {
        'w' => length,
        'l' => -length,
        _ => 0,
    };
    let best = text.split(['l', 'd']).map(str::len).max().unwrap_or(0) as u32;
    (count('w'), count('l'), count('d'), streak, best)
}

/// Ratings from a plain loop over the rows.
fn rated(debates: &[Debate], name: &str) -> f64 {
    let mut ratings: HashMap<&str, f64> = MODELS.iter().map(|model| (*model, 1500.0)).collect();
    for one in debates.iter().filter(|one| one.status.as_deref() == Some("completed")) {
        let (a, b) = (ratings[one.model_a.as_str()], ratings[one.model_b.as_str()]);
        let won = match &one.winner {
            None => 0.5,
            Some(winner) => f64::from(u8::from(*winner == one.model_a)),
        };
        let chance = |own: f64, other: f64| 1.0 / (1.0 + 10_f64.powf((other - own) / 400.0));
        ratings.insert(&one.model_a, a + (32.0 * (won - chance(a, b))).round_ties_even());
        ratings.insert(&one.model_b, b + (32.0 * (1.0 - won - chance(b, a))).round_ties_even());
    }
    ratings[name]
}

fn any_debates() -> impl Strategy<Value = Vec<Debate>> {
    let one = (
        0..MODELS.len(),
        1..MODELS.len(),
        0..3_u8,
        prop::sample::select(vec!["completed", "completed", "running", "cancelled", "pending"]),
    );
    prop::collection::vec(one, 0..60).prop_map(|all| {
        let each = all.into_iter().enumerate().map(|(number, (a, step, result, status))| {
            let (a, b) = (MODELS[a], MODELS[(a + step) % MODELS.len()]);
            debate(number, a, b, [None, Some(a), Some(b)][usize::from(result)], status)
        });
        each.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// Property 9: Win rates and match histories are those of the tables.
    #[test]
    fn standings_are_what_the_rows_say(debates in any_debates()) {
        let standings = standing(&debates);
        for model in &standings.models {
            let (wins, losses, draws, streak, best) = counted(&debates, &model.model);
            prop_assert_eq!((model.wins, model.losses, model.draws), (wins, losses, draws));
            prop_assert_eq!(model.total_debates, wins + losses + draws);
            prop_assert_eq!((model.current_streak, model.best_streak), (streak, best));
            prop_assert_eq!(model.elo_recomputed, Some(rated(&debates, &model.model)));
            let total = f64::from(model.total_debates);
            prop_assert_eq!(model.win_rate, (total > 0.0).then(|| f64::from(wins) / total));
            prop_assert_eq!(model.decided_win_rate.is_some(), wins + losses > 0);
            prop_assert!(model.matches.len() <= MATCHES);
            prop_assert_eq!(model.matches.len(), MATCHES.min(model.total_debates as usize));
        }
        let completed = debates.iter().filter(|one| one.status.as_deref() == Some("completed")).count();
        prop_assert_eq!(standings.counts.completed, completed);
        prop_assert_eq!(standings.models.iter().map(|model| model.total_debates as usize).sum::<usize>(), 2 * completed);
        prop_assert_eq!(standings.models.iter().map(|model| model.wins).sum::<u32>(), standings.models.iter().map(|model| model.losses).sum::<u32>());
        for pair in standings.models.windows(2) {
            prop_assert!(pair[0].elo >= pair[1].elo && pair[0].rank <= pair[1].rank);
        }
        prop_assert_eq!(standings.debates.len(), debates.len());
    }
}

#[test]
fn a_winner_who_took_no_part_counts_for_nobody() {
    let mut one = debate(1, "red:1b", "blue:3b", Some("green:2b"), "completed");
    (one.elo_before_a, one.elo_before_b) = (Some(1500), Some(1500));
    let standings = standing(&[one]);
    assert!(standings.models.is_empty(), "{:?}", standings.models);
    assert_eq!((standings.debates[0].winner_expected, standings.debates[0].draw), (None, false));
}
