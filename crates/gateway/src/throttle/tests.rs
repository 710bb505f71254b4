use super::*;
use proptest::prelude::*;

/// What happens: some time passes, or the venue refuses; and then as many messages go as may.
#[derive(Debug, Clone)]
enum Step {
    Pause(Duration),
    Refused,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![
        (0..3_000_000_u64).prop_map(Duration::from_nanos),
        (0..2_000_u64).prop_map(Duration::from_millis),
    ];
    let step = prop_oneof![9 => pause.prop_map(Step::Pause), 1 => Just(Step::Refused)];
    prop::collection::vec(step, 1..80)
}

/// When messages went, in order, when there is always one that waits, at most so many at each step.
fn run(rate: u32, steps: &[Step], refusals: bool) -> Vec<Duration> {
    let begin = Instant::now();
    let mut throttle = Throttle::new(rate, begin);
    let mut now = begin;
    let mut went = Vec::new();
    for step in steps {
        match step {
            Step::Pause(pause) => now += *pause,
            Step::Refused if refusals => throttle.refused(now),
            Step::Refused => {}
        }
        for _ in 0..5_000 {
            if !throttle.take(now) {
                assert!(throttle.ready_at(now) > now);
                break;
            }
            went.push(now - begin);
        }
    }
    went
}

/// The most that may go in a stretch of time.
fn most(rate: u32, stretch: Duration) -> u128 {
    let nanos = stretch.as_nanos() + BURST.as_nanos();
    u128::from(rate) * u128::from(SHARE_TENTHS) * nanos / 10_000_000_000 + 1
}

proptest! {
    #[test]
    fn no_stretch_of_time_sees_more_than_its_share_and_a_burst(rate in 1_u32..5_000, steps in steps(), refusals: bool) {
        let went = run(rate, &steps, refusals);
        for (first, from) in went.iter().enumerate().step_by(1 + went.len() / 64) {
            for (last, to) in went.iter().enumerate().skip(first).step_by(1 + went.len() / 64) {
                let messages = (last - first + 1) as u128;
                prop_assert!(messages <= most(rate, *to - *from), "{messages} from {from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn no_second_sees_more_than_the_venue_takes(rate in 1_u32..3_000, steps in steps()) {
        let went = run(rate, &steps, false);
        for (first, from) in went.iter().enumerate() {
            let within = went[first..].partition_point(|at| *at < *from + Duration::from_secs(1));
            prop_assert!(within <= rate as usize, "{within} from {from:?}");
        }
    }

    #[test]
    fn whoever_waits_until_it_is_ready_goes(rate in 1_u32..5_000, steps in steps()) {
        let mut now = Instant::now();
        let mut throttle = Throttle::new(rate, now);
        for step in &steps {
            match step {
                Step::Pause(pause) => now += *pause,
                Step::Refused => throttle.refused(now),
            }
            let at = throttle.ready_at(now).max(now);
            // Never longer than one message takes at the lowest rate, or a refusal holds everything back.
            let longest = per_message(throttle.full_milli / FLOOR).max(BACK_OFF);
            prop_assert!(at - now <= longest, "{:?}", at - now);
            now = at;
            prop_assert!(throttle.take(now));
        }
    }
}

fn rate_after(throttle: &Throttle, at: Instant, seconds: u64) -> u64 {
    throttle.rate_milli(at + Duration::from_secs(seconds)) / MILLI
}

#[test]
fn a_refusal_halves_the_rate_once_and_it_grows_back_evenly() {
    let begin = Instant::now();
    let mut throttle = Throttle::new(1_000, begin);
    assert_eq!(rate_after(&throttle, begin, 0), 900);
    throttle.refused(begin);
    // Of the same burst.
    throttle.refused(begin + Duration::from_millis(900));
    let rates = [0, 2, 4, 10, 60].map(|seconds| rate_after(&throttle, begin, seconds));
    assert_eq!(rates, [450, 540, 630, 900, 900]);
    // Again and again: it stays above the floor.
    let mut now = begin;
    for _ in 0..20 {
        now += HALVING_PAUSE;
        throttle.refused(now);
    }
    assert_eq!(rate_after(&throttle, now, 0), 112);
}

#[test]
fn a_refusal_takes_what_was_saved_up_and_lets_nothing_go_for_a_while() {
    let begin = Instant::now();
    let mut throttle = Throttle::new(1_000, begin);
    let now = begin + Duration::from_secs(5);
    throttle.refused(now);
    assert!(!throttle.take(now + BACK_OFF / 2));
    let behind = now + BACK_OFF;
    let at_once = (0..).take_while(|_| throttle.take(behind)).count();
    assert_eq!(at_once, 1);
}
