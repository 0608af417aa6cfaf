//! Years of renewals against an authority that is moved by a seed.

use std::time::Duration;

use super::simulation::{Ari, DAY, Name, ORDERS, PACE, START, Weather, World, YEAR, secs};

#[test]
fn in_three_years_of_a_thousand_names_none_expires_and_no_burst_is_above_the_budget() {
    for seed in 0..if is_long() { 50 } else { 2 } {
        let weather = Weather { recall: Some(400 * DAY), ..Weather::default() };
        let mut world = World::new(seed, 1_000, 0, weather);
        world.run_until(3 * YEAR);
        let (burst, renewals) = (world.burst(), world.renewals);
        println!("seed {seed}: {renewals} renewals, at most {burst} orders in three hours");
        assert_eq!((world.bare.len(), world.without()), (0, 0), "seed {seed}");
        assert!(burst <= 2 * ORDERS as usize, "seed {seed}");
        // What was recalled is replaced as soon as it is known and the budget gives.
        let (first, last) = (world.recalled.first().unwrap(), world.recalled.last().unwrap());
        let recall = START + 400 * DAY;
        println!(
            "{} recalled, the last {} h after",
            world.recalled.len(),
            (last.seconds() - recall) / 3_600
        );
        assert!(world.recalled.len() >= 590 && first.seconds() < recall + 600, "seed {seed}");
        assert!(last.seconds() < recall + DAY, "seed {seed}");
        // Asked at least twice a day, whoever may be asked.
        for (name, count) in world.names.iter().zip(&world.questions) {
            let fits = if name.ari == Ari::Absent { *count == 0 } else { *count >= 2 * 3 * 365 };
            assert!(fits && *count < 6 * 3 * 365, "{}: {count}", name.host);
        }
        // Issued at the same time, renewed apart: apart from the recall hardly any at a time.
        let calm: Vec<_> = world.orders.iter().filter(|at| at.seconds() < recall).collect();
        let busiest = calm.windows(60).map(|run| run[0].until(*run[59])).min().unwrap();
        println!("60 orders took {busiest:?} at least");
        assert!(busiest > secs(3_600), "seed {seed}");
    }
}

#[test]
fn failing_challenges_and_days_without_the_authority_let_nothing_expire() {
    let down = vec![(61 * DAY, 62 * DAY), (200 * DAY, 205 * DAY), (500 * DAY, 500 * DAY + 7_200)];
    for seed in 0..if is_long() { 50 } else { 2 } {
        let weather = Weather { down: down.clone(), fails: 50, ..Weather::default() };
        let mut world = World::new(seed, 1_000, 0, weather);
        world.run_until(2 * YEAR);
        // Who lives for 160 hours has 80 to be renewed in, and five days are more.
        let short = |at: &usize| world.names[*at].life < secs(10 * DAY);
        assert!(world.bare.keys().all(short), "seed {seed}: {:?}", world.bare);
        assert!(world.bare.values().all(|gap| *gap < secs(4 * DAY)), "seed {seed}");
        assert_eq!(world.without(), 0, "seed {seed}");
        assert!(world.burst() <= 2 * ORDERS as usize, "seed {seed}");
    }
}

#[test]
fn renewals_come_before_thousands_of_new_names() {
    let weather = Weather { recall: Some(DAY), ..Weather::default() };
    let mut world = World::new(1, 1_000, 5_000, weather);
    world.run_until(2 * DAY);
    let last = world.recalled.last().unwrap();
    let after = last.seconds() - START - DAY;
    let new = |world: &World| world.names[1_000..].iter().filter(|n| n.held.is_some()).count();
    println!("{new} new names in two days; what was recalled took {after} s", new = new(&world));
    assert!(world.bare.is_empty() && after < DAY, "{:?}", world.bare);
    // The new names of the first day are recalled too.
    assert!((2_000..3_500).contains(&new(&world)), "the budget is spent, and not on them first");
    world.run_until(4 * DAY);
    assert_eq!(new(&world), 5_000);
}

#[test]
fn an_authority_that_is_down_for_thirty_days_or_ten_years_is_not_hammered_and_all_recovers() {
    for days in [30, 3_650] {
        let (from, to) = (50 * DAY, (50 + days) * DAY);
        let weather = Weather { down: vec![(from, to)], ..Weather::default() };
        let mut world = World::new(3, 1_000, 20, weather);
        world.run_until(to);
        let untouched = |name: &Name| {
            let held = name.held.unwrap();
            held.term.not_after.seconds() >= START + from + held.term.spread as u64
        };
        // Nothing takes a certificate away before its time, nor after it.
        assert!(world.names.iter().all(untouched), "{days} days");
        let gaps: Vec<_> = world.vain.windows(2).map(|two| two[0].until(two[1])).collect();
        let grown = gaps.iter().position(|gap| *gap >= secs(600)).unwrap();
        println!(
            "{days} days: {} orders in vain, each 600 s apart after {grown}",
            world.vain.len()
        );
        assert!(grown < 30 && gaps[grown..].iter().all(|gap| *gap >= secs(600)), "{days} days");
        // A turn ends at most so much later than it was due.
        let falls = |two: &[Duration]| two[1] + secs(PACE) < two[0] && two[1] < secs(600);
        assert!(!gaps.windows(2).any(falls), "{days} days: {gaps:?}");
        let bare = world.without();
        world.run_until(to + DAY / 2);
        println!("{bare} names without a certificate, {} half a day later", world.without());
        assert_eq!(world.without(), 0, "{days} days");
        assert!(world.burst() <= 2 * ORDERS as usize);
        world.run_until(to + 200 * DAY);
        assert_eq!(world.without(), 0, "{days} days");
    }
}

#[test]
fn a_name_that_fails_for_years_is_tried_less_and_less_and_for_ever() {
    for years in [3, 10] {
        let weather = Weather { fails: 1_000, ..Weather::default() };
        let mut world = World::new(5, 0, 5, weather);
        world.run_until(years * YEAR);
        for name in &world.names {
            let count = name.waits.len() as u64;
            assert!(name.waits.is_sorted(), "{}: {:?}", name.host, name.waits);
            assert!(name.waits[4..].iter().all(|wait| *wait >= secs(DAY)));
            // An authority pauses who fails 1,152 times in a row.
            assert!((years * 365 * 3 / 4..years * 383).contains(&count), "{}: {count}", name.host);
        }
        world.weather.fails = 0;
        world.run_until(years * YEAR + 2 * DAY);
        assert_eq!(world.without(), 0, "it recovers by itself");
    }
}

fn is_long() -> bool {
    std::env::var_os("WAYPOST_LONG").is_some()
}
